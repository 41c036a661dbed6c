"""Designs from the exact fronts of a Bayesian additive model that learns from every measurement (the default)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.trial import Trial
from scipy.stats import norm

from dse import constraints, frontier, pareto
from dse.problem import Problem
from dse.programme import FREE
from dse.strategies.history import History, key, stderr_floor
from dse.strategies.history import read as read_history
from dse.strategies.options import Option, read
from dse.strategies.proposer import Proposer, cost_tables, fresh, harm_in, prior_harm, reference_point
from dse.surrogate import Data, Diagnostics, Model, Posterior, Prior, diagnose, fit, prior_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

OPTIONS = {
    "drop_limit": Option(10.0, "percentage points of drop beyond which a design is of no interest", low=0.01),
    "focus": Option(0.3, "share of proposals that serve the pick under the drop budget only", low=0.0, high=1.0),
    "stop_gain": Option(0.001, "stop when ten more designs are expected to add less than this share", low=0.0),
    "racing": Option(True, "cut an evaluation short when the design is clearly dominated or of no interest"),
    "candidates": Option(300, "designs from which each proposal is chosen", low=10),
}

TRUST_AFTER = 30  # measurements before the model is judged, and before a search may stop by itself
LEAST_IMAGES = 50  # before an evaluation may be cut


def sampler(problem: Problem, seed: int, **options: Any) -> Engine:
    """Bayesian additive model and exact fronts. ConfigError for an unknown option."""
    return Engine(problem, seed, **read("posterior", options, OPTIONS))


def data_of(past: History) -> Data:
    """A study's measurements for the surrogate."""
    return Data(past.levels, past.drop, past.stderr, past.nll, past.nll_stderr, past.images)


class Engine(Proposer):
    """Refits from all measurements at every ask; what is kept between asks can be recomputed from the study."""

    def __init__(
        self,
        problem: Problem,
        seed: int,
        drop_limit: float,
        focus: float,
        stop_gain: float,
        racing: bool,
        candidates: int,
    ) -> None:
        super().__init__(problem, seed)
        self._drop_limit, self._focus, self._stop_gain = drop_limit, focus, stop_gain
        self._racing, self._count = racing, candidates
        self._latest: tuple[int, Posterior] | None = None

    @cached_property
    def _prior(self) -> Prior:
        return prior_of(self._problem, prior_harm(self._problem))

    @cached_property
    def _costs(self) -> list[FloatArray]:
        return [cost_tables(problem) for problem in self._problem.each]

    def posterior(self, past: History) -> Posterior:
        """The model given a study's measurements."""
        return fit(self._prior, data_of(past))

    def diagnose(self, study: Study) -> Diagnostics:
        """How well the additive model predicts what was measured."""
        return diagnose(self.posterior(read_history(study, self._problem)), self._drop_limit)

    def predicted(self, study: Study, trial: Trial) -> tuple[float, float]:
        """Mean and standard deviation of the drop of a proposal before it is measured, in points."""
        past = read_history(study, self._problem, without=trial.number)
        known = self._latest is not None and self._latest[0] == len(past.taken)
        posterior = self._latest[1] if known and self._latest else self.posterior(past)
        mean, sd = posterior.predict(self._problem.space.levels(trial.params)[None])
        return float(mean[0]), float(sd[0])

    def propose(self, past: History, rng: np.random.Generator) -> IntArray:
        """The candidate that adds most hypervolume, as one model sees it: the mean, or a sample (Thompson)."""
        posterior = self.posterior(past)
        self._latest = (len(past.taken), posterior)
        if len(past) >= TRUST_AFTER and rng.random() < 0.5 and diagnose(posterior, self._drop_limit).warning:
            return self._local(past, rng)
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
        gain = pareto.improvements(self._objectives(model, candidates, past), self._measured(model, past), reference)
        if gain.max() <= 0:
            return np.asarray(candidates[rng.integers(len(candidates))])
        return np.asarray(candidates[int(gain.argmax())])

    def stop_reason(self, study: Study) -> str | None:
        """Why to stop: ten more designs would add next to nothing. Asked after every evaluation, answers every tenth.

        The expectation is over four samples of the model, each with its own best ten designs.
        """
        past = read_history(study, self._problem)
        if self._stop_gain <= 0 or len(past) < TRUST_AFTER + len(self._problem.baselines) or len(past) % 10:
            return None
        rng = np.random.default_rng([self._seed, len(past), 1])
        reference = reference_point(self._problem, self._drop_limit)
        posterior, gains = self.posterior(past), []
        for _ in range(4):
            model = posterior.draw(rng, 1)
            now = self._measured(model, past)
            new = self._objectives(model, self._candidates(model, rng), past)
            volume = pareto.hypervolume(now, reference)
            chosen = new[pareto.best_batch(new, now, reference, 10)]
            gains.append(pareto.hypervolume(np.vstack([now, chosen]), reference) / max(volume, 1e-300) - 1)
        if np.mean(gains) >= self._stop_gain:
            return None
        return f"ten more designs are expected to add {np.mean(gains):.2%} of hypervolume, below {self._stop_gain:.2%}"

    def should_cut(self, study: Study, trial: Trial, partial: Any) -> bool:
        """Whether the images so far, with what the model knew before, leave less than a 1 % chance of being useful.

        Useful is a drop below the limit of interest and below every measured design that costs no more.
        """
        if not self._racing or partial.images < LEAST_IMAGES:
            return False
        past = read_history(study, self._problem, without=trial.number)
        if not len(past):
            return False
        if self._latest is None or self._latest[0] != len(past.taken):
            self._latest = (len(past.taken), self.posterior(past))
        posterior = self._latest[1]
        levels = self._problem.space.levels(trial.params)[None]
        mean, sd = posterior.predict(levels)
        own = float(stderr_floor(np.array([partial.drop_stderr]), np.array([float(partial.images)]))[0])
        weight = sd[0] ** 2 / (sd[0] ** 2 + own**2)
        expected, spread = mean[0] + weight * (partial.drop - mean[0]), sd[0] * np.sqrt(1 - weight)
        cheaper = (past.costs <= self._expected_costs(past)(levels)).all(axis=1) & past.complete
        bar = self._drop_limit
        if cheaper.any():
            bar = min(bar, float(posterior.predict(past.levels[cheaper])[0].min()))
        return bool(norm.cdf((bar - expected) / max(float(spread), 1e-9)) < 0.01)

    def _local(self, past: History, rng: np.random.Generator) -> IntArray:
        """A small change of a design on the measured front."""
        front = past.levels[past.complete][pareto.is_nondominated(past.points())]
        return fresh(self._problem, past, rng, front[rng.integers(len(front))])

    def _candidates(self, model: Model, rng: np.random.Generator) -> IntArray:
        harm = np.where(frontier.valid(self._problem.space), model.tables[0], np.inf)
        each = zip(self._problem.each, self._costs, strict=True)
        found = [self._minimisers(harm_in(problem, harm), costs, rng) for problem, costs in each]
        return np.unique(np.vstack(found), axis=0)

    def _minimisers(self, table: FloatArray, costs: FloatArray, rng: np.random.Generator) -> IntArray:
        """Designs of one variant of the problem at random prices."""
        prices = frontier.draw_prices(rng, table, costs, self._count // len(self._problem.each))
        if self._problem.sides == FREE:
            return frontier.minimisers(table, costs, prices)
        return constraints.minimisers(self._problem.space, self._problem.sides, table, costs, prices, rng)

    def _expected_costs(self, past: History) -> Callable[[IntArray], FloatArray]:
        """Costs of designs that were not evaluated: with the activity of the evaluated ones, where that is known."""
        if self._problem.following is None or past.spikes is None:
            return self._problem.costs
        return self._problem.following.after(past.levels, past.spikes)

    def predicted_energy(self, study: Study, trial: Trial) -> float | None:
        """Energy of a proposal before it is measured, in joules; None where costs do not follow the activity."""
        past = read_history(study, self._problem, without=trial.number)
        if self._problem.following is None or past.spikes is None:
            return None
        levels = self._problem.space.levels(trial.params)[None]
        return float(self._problem.following.after(past.levels, past.spikes).columns(levels)["energy_j"][0])

    def _measured(self, model: Model, past: History) -> FloatArray:
        """Objectives of the measured designs: their drop as the model sees it, their costs as measured."""
        if not len(past):
            return np.zeros((0, 3))
        costs = self._problem.costs(past.levels) if self._problem.following is None else past.costs
        return np.column_stack([np.maximum(model.drop(past.levels)[0], 0.0), costs])

    def _objectives(self, model: Model, levels: IntArray, past: History) -> FloatArray:
        if not len(levels):
            return np.zeros((0, 3))
        return np.column_stack([np.maximum(model.drop(levels)[0], 0.0), self._expected_costs(past)(levels)])
