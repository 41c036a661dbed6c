"""A ridge regression of one factor per layer on the gradient scores: the plainest model that learns from designs."""

from __future__ import annotations

from typing import Any

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.optimize import lagrangian, pareto
from dse.problem.problem import Part, Problem
from dse.strategies.base.history import History, key
from dse.strategies.base.options import Option, read
from dse.strategies.base.sampler import Proposer, fresh, reference_point
from dse.surrogate.link import Link
from dse.surrogate.prior import prior_harm

OPTIONS = {
    "drop_limit": Option(10.0, "percentage points of drop beyond which a design is of no interest", low=0.01),
    "cap": Option(Link().cap, "percentage points that a network loses at most, when it guesses", low=1.0, high=100.0),
    "candidates": Option(300, "price vectors whose best designs are the candidates", low=1),
}
FACTOR_ERROR = 1.0  # relative error of a layer's score, the ridge's prior
LEAST_FACTOR = 0.05  # of the mean factor: no layer's harm is negative
MODEL_ERROR = 0.1  # share of a measurement that the ridge does not try to explain
LARGEST_SHARE, LEAST_SHARE = 0.98, -0.5  # of the cap, between which a measured drop is taken


class Sampler(Proposer):
    """drop = cap (1 - exp(-z / cap)) with z the sum of factor x score over the layers, by weighted least squares.

    The factors of every form of the network are its own. Each proposal is the design of a price sweep over them that
    adds most hypervolume in the model's mean; the sweep's prices are drawn anew each time.
    """

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        super().__init__(problem, seed)
        chosen = read("ridge", options, OPTIONS)
        self._limit, self._cap, self._count = chosen["drop_limit"], chosen["cap"], chosen["candidates"]

    def propose(self, past: History, rng: np.random.Generator) -> IntArray:
        """The candidate that adds most hypervolume to the measured designs, as the model sees both."""
        harms = [(part, self.factors(part, past)[:, None] * _scores(part)) for part in self._problem.parts]
        levels = np.unique(np.vstack([self._swept(part, harm, rng) for part, harm in harms]), axis=0)
        seen = past.seen()
        levels = levels[np.array([key(row) not in seen for row in levels], dtype=np.bool_)]
        if not len(levels):
            return fresh(self._problem, past, rng)
        limit = reference_point(self._problem, self._limit)
        gain = pareto.improvements(self._points(harms, levels), self._points(harms, past.levels), limit)
        return np.asarray(levels[int(gain.argmax())])

    def factors(self, part: Part, past: History) -> FloatArray:
        """What a unit of score harms in every dimension (D,), from the measured designs of one part."""
        scores, rows = _scores(part), part.holds(past.levels) & np.isfinite(past.drop)
        scores = np.where(np.isfinite(scores), scores, 0.0)
        x = scores[np.arange(len(scores)), past.levels[rows]]
        drop = past.drop[rows]
        share = np.clip(drop / self._cap, LEAST_SHARE, LARGEST_SHARE)
        z = -self._cap * np.log1p(-share)
        sd = np.maximum(np.hypot(past.stderr[rows], MODEL_ERROR * drop), 1e-9) / (1 - share)
        total = x.sum(axis=1) / sd
        mean = float((total * z / sd).sum() / max(float((total**2).sum()), 1e-300))
        mean = max(mean, 1e-12 / max(float(scores.max(initial=0.0)), 1e-300))
        scaled = mean * x / sd[:, None]
        left = z / sd - scaled.sum(axis=1)
        change = np.linalg.solve(scaled.T @ scaled + FACTOR_ERROR**-2 * np.eye(len(scores)), scaled.T @ left)
        return np.asarray(mean * np.maximum(1 + change, LEAST_FACTOR))

    def _swept(self, part: Part, harm: FloatArray, rng: np.random.Generator) -> IntArray:
        """Designs (N, D) of one part that are best for drawn prices of the costs."""
        inside = part.harm_inside(harm)
        prices = lagrangian.draw_prices(rng, inside, part.cost_tables, self._count)
        return lagrangian.minimisers(inside, part.cost_tables, prices)

    def _points(self, harms: list[tuple[Part, FloatArray]], levels: IntArray) -> FloatArray:
        """Predicted drop and costs of designs (N, D) as points (N, 3)."""
        drop = np.zeros(len(levels))
        for part, harm in harms:
            rows = part.holds(levels)
            drop[rows] = self._cap * -np.expm1(-lagrangian.gather(harm, levels[rows]) / self._cap)
        return np.column_stack([drop, self._problem.costs(levels)])


def _scores(part: Part) -> FloatArray:
    return prior_harm(part.space, part.scores)
