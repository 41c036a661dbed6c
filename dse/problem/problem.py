"""What a search strategy knows before any evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dse.arrays import FloatArray, IntArray
from dse.optimize.integer_program import FREE, Sides
from dse.problem.shared_error import Luck
from dse.problem.space import Space


@dataclass(frozen=True)
class Baseline:
    """A design that every search evaluates first; `levels` has shape (D,)."""

    origin: str
    levels: IntArray


class ActiveCosts(Protocol):
    """Costs that know how active a design will be."""

    def __call__(self, levels: IntArray) -> FloatArray:
        """Second and third objective of levels (N, D), (N, 2)."""

    def columns(self, levels: IntArray) -> dict[str, NDArray[Any]]:
        """Every cost column of results.csv, each (N,)."""


class Activity(Protocol):
    """What costing offers to a search that learns the activity of designs; see `dse.evaluation.costs.Following`."""

    @property
    def features(self) -> Any:
        """What the activity may depend on, with `lif_layers`."""

    def after(self, levels: IntArray, spikes: FloatArray) -> ActiveCosts:
        """Costs given measured designs (N, D) with their spikes (N, LIF layers), NaN where unknown."""


@dataclass(frozen=True)
class Problem:
    """The search problem: the space, the costs that are known without evaluation, and the prior of the harm.

    `tables` hold additive costs per dimension and level, shape (D, B), +inf beyond a dimension's choices;
    `offsets` what no dimension decides, so that quantity(levels) = offset + sum of table entries.
    `costs` maps levels (N, D) to the exact second and third objective (N, 2), both minimised.
    `scores` (D, B) is the predicted harm of one dimension at one level alone (diagonal Fisher), 0 at the widest
    level and NaN where unknown.
    `distances` (D, B), where measured, are one-at-a-time distances to the float network (KL or squared logit distance,
    less the chaos floor; any unit), NaN where not measured: a second opinion on the same harm.
    `budgets` maps a column of results.csv to the largest value a user accepts; `drop` is in percentage points.
    `sides` are the side constraints that a pick must obey.
    `luck` is what all measurements have in common; where it is not known, it is guessed from their errors.
    `following`, where known, turns measured spikes into the costs of designs that were not evaluated.
    `objectives` names the three objectives in the order of a trial's values; all are minimised.
    `variants`, where forms or time steps are searched, is the same problem in each form at each number of time steps:
    with tables and scores that hold there, and both pinned. Costs of different ones do not add up; `tables` are then
    those around the widest design, and `scores`, of several forms, the mean.
    """

    space: Space
    tables: Mapping[str, FloatArray]
    offsets: Mapping[str, float]
    costs: Callable[[IntArray], FloatArray]
    scores: FloatArray
    objectives: tuple[str, str, str] = ("drop", "memory_bytes", "power_w")
    budgets: Mapping[str, float] = field(default_factory=dict)
    baselines: tuple[Baseline, ...] = ()
    distances: FloatArray | None = None
    sides: Sides = FREE
    following: Activity | None = None
    luck: Luck | None = None
    variants: tuple[Problem, ...] = ()

    @property
    def each(self) -> tuple[Problem, ...]:
        """The problem by parts in which costs add up: its variants, or itself where it has none."""
        return self.variants or (self,)

    def additive(self, quantity: str, levels: IntArray) -> FloatArray:
        """Memory or energy from the separable tables, levels (..., D) -> (...)."""
        table = self.tables[quantity]
        return np.asarray(self.offsets[quantity] + table[np.arange(table.shape[0]), levels].sum(-1))

    def score(self, levels: IntArray) -> FloatArray:
        """Summed prior harm, levels (..., D) -> (...); unknown entries count as nothing."""
        return np.asarray(np.nan_to_num(self.scores[np.arange(self.scores.shape[0]), levels]).sum(-1))
