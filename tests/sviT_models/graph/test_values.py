"""Interval arithmetic against all values that small integers can take."""

import itertools
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from sviT_models.graph.values import NUMBER, SPIKE, Value, added, averaged, levels, multiplied, scaled, summed, union

GRIDS = st.builds(
    lambda low, span, step: Value(low * step, (low + span) * step, step),
    st.integers(-3, 3),
    st.integers(0, 4),
    st.sampled_from([Fraction(1), Fraction(1, 4), Fraction(1, 2)]),
)


def members(value: Value) -> list[Fraction]:
    return [value.low + i * value.step for i in range(int((value.high - value.low) / value.step) + 1)]


def holds(value: Value, number: Fraction) -> bool:
    on_grid = not value.step or (number / value.step).denominator == 1
    return value.low <= number <= value.high and on_grid


@given(GRIDS, GRIDS, st.sampled_from([1.0, -1.0, 0.125, 2.0]))
def test_everything_that_can_come_out_is_inside(first, second, factor):
    for a, b in itertools.product(members(first), members(second)):
        assert holds(added(first, second, factor), a + Fraction(factor) * b)
        assert holds(multiplied(first, second), a * b)
        assert holds(union([first, second]), a)
        assert holds(union([first, second]), b)
        assert holds(scaled(first, factor), a * Fraction(factor))


@given(GRIDS, st.integers(1, 3))
def test_sums_and_means_reach_their_bounds(value, count):
    totals = {sum(choice) for choice in itertools.product(members(value), repeat=count)}
    assert (min(totals), max(totals)) == (summed(value, count).low, summed(value, count).high)
    assert all(holds(averaged(value, count), total / count) for total in totals)


def test_kinds():
    assert SPIKE.kind == "spike"
    assert added(SPIKE, SPIKE).kind == "count"
    assert added(SPIKE, SPIKE).largest == 2  # spikes added after the neuron
    assert scaled(added(SPIKE, SPIKE), 0.125).largest == 2
    assert multiplied(SPIKE, SPIKE).kind == "spike"  # AND
    assert (levels(4, 4.0).kind, levels(4, 4.0).largest) == ("count", 4)
    assert levels(1, 1.0).kind == "spike"
    assert added(SPIKE, SPIKE, -1.0).kind == "number"  # may be negative
    assert added(SPIKE, NUMBER).kind == multiplied(SPIKE, NUMBER).kind == NUMBER.kind == "number"
    assert (averaged(SPIKE, 9).kind, averaged(SPIKE, 9).largest) == ("count", 9)
