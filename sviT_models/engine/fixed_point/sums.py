"""What a plan is made of: a design with the ranges of its numbers, and the sums of its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from sviT_models.engine.arithmetic import Floats, IntegerWeight
from sviT_models.engine.fixed_point.ranges import Ranges
from sviT_models.engine.program import Program


@dataclass(frozen=True, eq=False)
class Sums:
    """A layer's sums: worth gain * sum + shift, (C,) each, between `low` and `high`; `label` is the layer's name."""

    label: str
    gain: Floats
    shift: Floats
    low: int
    high: int

    @property
    def largest(self) -> int:
        """The largest magnitude, at least 1."""
        return max(-self.low, self.high, 1)

    @property
    def peak(self) -> float:
        """What they can be worth."""
        return float((np.abs(self.gain) * max(-self.low, self.high) + np.abs(self.shift)).max())


@dataclass(frozen=True, eq=False)
class Design:
    """What a plan is made of: integer weights, widths, and the ranges that place the binary points.

    `bound` gives the extremes of a layer's sums for inputs between two integers.
    """

    program: Program
    weights: Mapping[str, IntegerWeight]
    state_bits: Mapping[str, int]
    activation_bits: Mapping[str, int]
    ranges: Ranges
    bound: Callable[[str, int, int], tuple[int, int]]
