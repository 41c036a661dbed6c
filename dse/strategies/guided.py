"""Designs from the exact separable front of the gradient scores, each where it adds most to the measured front."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.optimize import lagrangian, pareto
from dse.problem.problem import Part, Problem
from dse.strategies.base.history import History, key
from dse.strategies.base.options import Option, read
from dse.strategies.base.sampler import Proposer, fresh, reference_point
from dse.surrogate.link import fit_link
from dse.surrogate.prior import prior_harm

OPTIONS = {
    "drop_limit": Option(10.0, "percentage points of drop beyond which a design is of no interest", low=0.01),
}


class Sampler(Proposer):
    """The candidates never change; what a unit of score costs in accuracy is refitted from every evaluation."""

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        super().__init__(problem, seed)
        self._drop_limit: float = read("guided", options, OPTIONS)["drop_limit"]

    @cached_property
    def _candidates(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Levels (C, D) of the front, their summed scores (C,) and their costs (C, 2)."""
        levels = np.vstack([_front(part) for part in self._problem.parts])
        return levels, summed_harm(self._problem, levels), self._problem.costs(levels)

    def propose(self, past: History, rng: np.random.Generator) -> IntArray:
        """The candidate that would add most hypervolume to the measured front; a random one when none would."""
        levels, scores, costs = self._candidates
        seen = past.seen()
        open_ = np.array([key(row) not in seen for row in levels], dtype=np.bool_)
        if not open_.any():
            near = past.levels[rng.integers(len(past))] if len(past) else None
            return fresh(self._problem, past, rng, near)
        link = fit_link(summed_harm(self._problem, past.levels), past.drop, past.stderr)
        points = np.column_stack([link(scores), costs])[open_]
        gain = pareto.improvements(points, past.points(), reference_point(self._problem, self._drop_limit))
        if gain.max(initial=0.0) <= 0:
            return np.asarray(levels[open_][rng.integers(int(open_.sum()))])
        return np.asarray(levels[open_][int(gain.argmax())])


def summed_harm(problem: Problem, levels: IntArray) -> FloatArray:
    """Summed prior scores of designs (N, D), each by the scores of its part of the space, (N,)."""
    out = np.zeros(len(levels))
    for part in problem.parts:
        rows = part.holds(levels)
        out[rows] = lagrangian.gather(prior_harm(part.space, part.scores), levels[rows])
    return out


def _front(part: Part) -> IntArray:
    """The designs (N, D) on the separable front of one part's scores and costs."""
    return lagrangian.front(part.harm_inside(prior_harm(part.space, part.scores)), part.cost_tables)


def guided_design(part: Part, tolerance: float = 1 / 16, slack: float = 2.0) -> IntArray:
    """QSViT's guided setting from scores alone, levels (D,): precision study, base setting, guided reduction.

    The precision study sums the scores at every uniform level; the base setting is the narrowest level whose sum is
    at most `tolerance` of that at the narrowest (two bits' worth: the squared rounding step falls fourfold per bit).
    Then the dimensions that lose least per byte saved are narrowed, one level at a time, until the sum has grown to
    `slack` times that of the base. Steps of Putra, Iftikhar, Shafique 2025, with gradient scores in the place of an
    accuracy measurement per step.
    """
    harm, memory = prior_harm(part.space, part.scores), part.cost_tables[0]
    sizes = part.space.sizes
    uniform = [part.moved_in(np.minimum(level, sizes - 1)) for level in range(int(sizes.max()))]
    totals = np.array([lagrangian.gather(harm, levels) for levels in uniform])
    base = uniform[int(np.flatnonzero(totals <= tolerance * totals[0])[0])]
    levels, allowed = base.copy(), slack * lagrangian.gather(harm, base)
    rows = np.arange(len(sizes))
    total = float(lagrangian.gather(harm, levels))
    while True:
        lower = np.maximum(levels - 1, 0)
        added = harm[rows, lower] - harm[rows, levels]
        saved = memory[rows, levels] - memory[rows, lower]
        possible = (levels > 0) & (total + added <= allowed) & (saved > 0)
        if not possible.any():
            return np.asarray(levels, dtype=np.int64)
        ratio = np.where(possible, added / np.where(saved > 0, saved, 1.0), np.inf)
        step = int(ratio.argmin())
        levels[step] -= 1
        total += float(added[step])
