"""What a search strategy knows before any evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dse.arrays import BoolArray, FloatArray, IntArray
from dse.problem.constraints import FREE, Sides
from dse.problem.shared_error import SharedError
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
class Part:
    """A part of the space in which costs add up over the dimensions: one form at one number of time steps.

    tables: memory [B] and energy [J] per dimension and level by column of results.csv, (D, B) each, +inf beyond a
    dimension's choices; offsets: what no dimension decides, so that quantity(levels) = offset + sum of table entries;
    scores: (D, B) predicted harm of one dimension at one level alone (diagonal Fisher), 0 at the widest level and NaN
    where unknown; pinned: names of the dimensions that have one choice in this part, with that choice.
    """

    space: Space
    tables: Mapping[str, FloatArray]
    offsets: Mapping[str, float]
    scores: FloatArray
    pinned: tuple[tuple[str, int], ...] = ()

    def additive(self, quantity: str, levels: IntArray) -> FloatArray:
        """Memory [B] or energy [J] from the separable tables, levels (..., D) -> (...)."""
        table = self.tables[quantity]
        return np.asarray(self.offsets[quantity] + table[np.arange(table.shape[0]), levels].sum(-1))

    @cached_property
    def cost_tables(self) -> FloatArray:
        """Memory [B] and energy [J], (2, D, B); zero beyond a dimension's choices."""
        return np.stack([np.where(self.space.exists, self.tables[name], 0.0) for name in ("memory_bytes", "energy_j")])

    @cached_property
    def _pins(self) -> list[tuple[int, int]]:
        """The pinned dimensions and their levels."""
        places = [(self.space.names.index(name), choice) for name, choice in self.pinned]
        return [(d, self.space.dimensions[d].choices.index(choice)) for d, choice in places]

    def moved_in(self, levels: IntArray) -> IntArray:
        """Levels (..., D) with the pinned dimensions at their choices."""
        out = np.array(levels)
        for d, level in self._pins:
            out[..., d] = level
        return out

    def holds(self, levels: IntArray) -> BoolArray:
        """Which of the designs (N, D) lie in this part, (N,)."""
        return np.asarray((self.moved_in(levels) == levels).all(axis=1))

    def harm_inside(self, harm: FloatArray) -> FloatArray:
        """A table (D, B) of harm with +inf where a pinned dimension has another choice: no minimum lies outside."""
        out = harm.copy()
        for d, level in self._pins:
            out[d, : len(self.space.dimensions[d].choices)] = np.inf
            out[d, level] = harm[d, level]
        return out


@dataclass(frozen=True)
class Problem:
    """The search problem: the space, the costs that are known without evaluation, and the prior of the harm.

    whole: tables around the widest design of the last form, and scores, of several forms their mean;
    parts: the parts of the space in which costs add up, each with tables and scores that hold there; not given: costs
    add up over the whole space, which is then the only part;
    costs: maps levels (N, D) to the exact second and third objective (N, 2), both minimised;
    objectives: the columns of results.csv behind the values of a trial, all minimised;
    budgets: by column the largest value a user accepts; `drop` is in percentage points;
    distances: (D, B) one-at-a-time distances to the float network (KL divergence or squared logit distance; any unit),
    NaN where not measured or not trusted;
    sides: the side constraints that a pick must obey;
    following: where known, turns measured spikes into the costs of designs that were not evaluated;
    shared_error: of all measurements; where it is not known, it is guessed from their errors.
    """

    whole: Part
    costs: Callable[[IntArray], FloatArray]
    objectives: tuple[str, str, str] = ("drop", "memory_bytes", "power_w")
    budgets: Mapping[str, float] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    distances: FloatArray | None = None
    sides: Sides = FREE
    following: Activity | None = None
    shared_error: SharedError | None = None

    def __post_init__(self) -> None:
        if not self.parts:
            object.__setattr__(self, "parts", (self.whole,))

    @property
    def space(self) -> Space:
        """The designs to choose from."""
        return self.whole.space
