"""Designs from the exact separable front of the gradient scores, each where it adds most to the measured front."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from optuna.samplers import BaseSampler

from dse.arrays import FloatArray, IntArray
from dse.optimize import lagrangian, pareto
from dse.problem.problem import Problem
from dse.strategies.base.history import History, key
from dse.strategies.base.options import Option, read
from dse.strategies.base.sampler import Proposer, cost_tables, fresh, harm_in, pinned, prior_harm, reference_point

OPTIONS = {
    "drop_limit": Option(10.0, "percentage points of drop beyond which a design is of no interest", low=0.01),
}


def sampler(problem: Problem, seed: int, **options: Any) -> BaseSampler:
    """Front of the prior scores, calibrated by what was measured. ConfigError for an unknown option."""
    return Guided(problem, seed, **read("guided", options, OPTIONS))


class Guided(Proposer):
    """The candidates never change; what a unit of score costs in accuracy is refitted from every evaluation."""

    def __init__(self, problem: Problem, seed: int, drop_limit: float) -> None:
        super().__init__(problem, seed)
        self._drop_limit = drop_limit

    @cached_property
    def _candidates(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Levels (C, D) of the front, their summed scores (C,) and their costs (C, 2)."""
        each = self._problem.each
        levels = np.vstack([lagrangian.front(harm_in(p, prior_harm(p)), cost_tables(p)) for p in each])
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
    """Summed prior scores of designs (N, D), each by the scores of its variant of the problem, (N,)."""
    out = np.zeros(len(levels))
    for variant in problem.each:
        rows = (pinned(variant, levels) == levels).all(axis=1)
        out[rows] = lagrangian.gather(prior_harm(variant), levels[rows])
    return out


@dataclass(frozen=True)
class Link:
    """drop = cap (1 - exp(-scale * score ** power / cap)), in percentage points."""

    scale: float = 1.0
    power: float = 1.0
    cap: float = 80.0

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Predicted drop of summed scores, any shape."""
        return np.asarray(self.cap * -np.expm1(-self.scale * scores**self.power / self.cap))


def fit_link(scores: FloatArray, drop: FloatArray, stderr: FloatArray) -> Link:
    """The link that fits measured drops best, by weighted squares over a grid; unit slope without measurements.

    scores, drop, stderr: (N,). A tenth of the prediction is added to the standard error: the scores are only roughly
    additive, and the largest drops must not decide alone.
    """
    usable = np.isfinite(drop) & (scores > 0)
    if not usable.any():
        return Link()
    scores, drop, stderr = scores[usable], drop[usable], stderr[usable]
    # around the scale at which the largest score would mean a drop of 10 points
    centre = 10.0 / scores.max()
    best, least = Link(), np.inf
    for power in (0.7, 0.85, 1.0, 1.15, 1.3) if len(drop) > 2 else (1.0,):
        for scale in np.geomspace(1e-3, 1e3, 121) * centre * scores.max() ** (1 - power):
            link = Link(float(scale), power)
            guess = link(scores)
            variance = stderr**2 + (0.1 * guess) ** 2
            loss = float((((drop - guess) ** 2) / variance + np.log(variance)).sum())
            if loss < least:
                best, least = link, loss
    return best


def guided_design(problem: Problem, tolerance: float = 1 / 16, slack: float = 2.0) -> IntArray:
    """QSViT's guided setting from scores alone, levels (D,): precision study, base setting, guided reduction.

    The precision study sums the scores at every uniform level; the base setting is the narrowest level whose sum is
    at most `tolerance` of that at the narrowest (two bits' worth: the squared rounding step falls fourfold per bit).
    Then the dimensions that lose least per byte saved are narrowed, one level at a time, until the sum has grown to
    `slack` times that of the base. Steps of Putra, Iftikhar, Shafique 2025, with gradient scores in the place of an
    accuracy measurement per step.
    """
    harm, memory = prior_harm(problem), cost_tables(problem)[0]
    sizes = problem.space.sizes
    uniform = [pinned(problem, np.minimum(level, sizes - 1)) for level in range(int(sizes.max()))]
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
