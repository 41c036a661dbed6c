"""What a value of the network can be, by interval arithmetic: a spike, a count up to n, or a number.

A value lies on a grid, the multiples of `step` between `low` and `high`, or anywhere (`step` 0). Spikes are 0 or 1;
counts are whole multiples of their step from 0 up; everything else is a number. What a layer does with an input
(accumulate or multiply, and how wide its sums are) follows from this alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

INFINITE = math.inf


@dataclass(frozen=True)
class Value:
    """Bounds of a value, and the step of its grid (0: any number)."""

    low: Fraction | float = -INFINITE
    high: Fraction | float = INFINITE
    step: Fraction = Fraction(0)

    @property
    def kind(self) -> str:
        """`spike`, `count` or `number`."""
        if self.step and self.low == 0 and self.high != INFINITE:
            return "spike" if self.high == self.step == 1 else "count"
        return "number"

    @property
    def largest(self) -> int | None:
        """The largest multiple of the step that it can be: 1 for a spike, n for a count; None for a number."""
        return None if self.kind == "number" else int(Fraction(self.high) / self.step)

    def __str__(self) -> str:
        return self.kind if self.kind != "count" else f"count up to {self.largest} (step {self.step})"


NUMBER = Value()
SPIKE = Value(Fraction(0), Fraction(1), Fraction(1))


def levels(count: int, divisor: float) -> Value:
    """What a neuron of integer levels gives."""
    step = 1 / Fraction(divisor)
    return Value(Fraction(0), count * step, step)


def _common(first: Fraction, second: Fraction) -> Fraction:
    """The coarsest grid that holds both, 0 where one of them has none."""
    if not first or not second:
        return Fraction(0)
    return Fraction(
        math.gcd(first.numerator * second.denominator, second.numerator * first.denominator),
        first.denominator * second.denominator,
    )


def added(first: Value, second: Value, factor: float = 1.0) -> Value:
    """first + factor * second."""
    other = scaled(second, factor)
    return Value(first.low + other.low, first.high + other.high, _common(first.step, other.step))


def scaled(value: Value, factor: float | Fraction) -> Value:
    """factor * value."""
    exact = Fraction(factor)
    ends = sorted((_times(value.low, exact), _times(value.high, exact)))
    return Value(ends[0], ends[1], value.step * abs(exact))


def multiplied(first: Value, second: Value) -> Value:
    """The product of two values."""
    ends = [_times(a, b) for a in (first.low, first.high) for b in (second.low, second.high)]
    return Value(min(ends), max(ends), first.step * second.step)


def summed(value: Value, count: int) -> Value:
    """The sum of `count` such values."""
    return Value(_times(value.low, Fraction(count)), _times(value.high, Fraction(count)), value.step)


def averaged(value: Value, count: int) -> Value:
    """The mean of `count` such values: the same bounds, a finer grid."""
    return Value(value.low, value.high, value.step / count)


def union(values: Sequence[Value]) -> Value:
    """What is one of several values."""
    step = values[0].step
    for value in values[1:]:
        step = _common(step, value.step)
    return Value(min(v.low for v in values), max(v.high for v in values), step)


def _times(first: Fraction | float, second: Fraction | float) -> Fraction | float:
    if first == 0 or second == 0:
        return Fraction(0)
    return first * second
