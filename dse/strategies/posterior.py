"""Designs from the exact fronts of a Bayesian additive model that learns from every measurement (the default)."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.samplers import BaseSampler

from dse import frontier, pareto
from dse.problem import Problem
from dse.strategies.history import History, key
from dse.strategies.options import Option, read
from dse.strategies.proposer import Proposer, cost_tables, fresh, prior_harm, reference_point
from dse.surrogate import Data, Model, Posterior, Prior, fit, prior_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

OPTIONS = {
    "drop_limit": Option(10.0, "percentage points of drop beyond which a design is of no interest", low=0.01),
    "focus": Option(0.3, "share of proposals that serve the pick under the drop budget only", low=0.0, high=1.0),
    "candidates": Option(300, "designs from which each proposal is chosen", low=10),
}


def sampler(problem: Problem, seed: int, **options: Any) -> BaseSampler:
    """Bayesian additive model and exact fronts. ConfigError for an unknown option."""
    return Engine(problem, seed, **read("posterior", options, OPTIONS))


def data_of(past: History) -> Data:
    """A study's measurements for the surrogate."""
    return Data(past.levels, past.drop, past.stderr, past.nll, past.nll_stderr, past.images)


class Engine(Proposer):
    """Refits from all measurements at every ask; nothing is kept between asks but what the problem alone decides."""

    def __init__(self, problem: Problem, seed: int, drop_limit: float, focus: float, candidates: int) -> None:
        super().__init__(problem, seed)
        self._drop_limit, self._focus, self._count = drop_limit, focus, candidates

    @cached_property
    def _prior(self) -> Prior:
        return prior_of(self._problem, prior_harm(self._problem))

    @cached_property
    def _costs(self) -> FloatArray:
        return cost_tables(self._problem)

    def posterior(self, past: History) -> Posterior:
        """The model given a study's measurements."""
        return fit(self._prior, data_of(past))

    def propose(self, past: History, rng: np.random.Generator) -> IntArray:
        """The candidate that adds most hypervolume, as one model sees it: the mean, or a sample (Thompson)."""
        posterior = self.posterior(past)
        model = posterior.centre if rng.random() < 0.5 else posterior.draw(rng, 1)
        candidates = self._candidates(model, rng)
        seen = past.seen()
        open_ = np.array([key(row) not in seen for row in candidates], dtype=np.bool_)
        if not open_.any():
            return fresh(self._problem, past, rng, past.levels[rng.integers(len(past))] if len(past) else None)
        candidates = candidates[open_]
        limit = self._drop_limit
        if "drop" in self._problem.budgets and rng.random() < self._focus:
            limit = min(limit, 1.5 * self._problem.budgets["drop"])
        reference = reference_point(self._problem, limit)
        gain = pareto.improvements(self._objectives(model, candidates), self._objectives(model, past.levels), reference)
        if gain.max() <= 0:
            return np.asarray(candidates[rng.integers(len(candidates))])
        return np.asarray(candidates[int(gain.argmax())])

    def _candidates(self, model: Model, rng: np.random.Generator) -> IntArray:
        table = np.where(frontier.valid(self._problem.space), model.tables[0], np.inf)
        prices = frontier.draw_prices(rng, table, self._costs, self._count)
        return np.unique(frontier.minimisers(table, self._costs, prices), axis=0)

    def _objectives(self, model: Model, levels: IntArray) -> FloatArray:
        if not len(levels):
            return np.zeros((0, 3))
        return np.column_stack([np.maximum(model.drop(levels)[0], 0.0), self._problem.costs(levels)])
