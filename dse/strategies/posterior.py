"""Designs from the exact fronts of a Bayesian additive model that learns from every measurement (the default)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, Trial
from scipy.stats import norm

from dse.arrays import FloatArray, IntArray
from dse.ledger.proposals import levels_of, turn_of
from dse.optimize import lagrangian, pareto
from dse.problem.constraints import FREE
from dse.problem.problem import Part, Problem
from dse.strategies.base.history import History, key, measurements, stderr_floor
from dse.strategies.base.history import read as read_history
from dse.strategies.base.options import Option, read
from dse.strategies.base.sampler import Measured, Proposer, fresh, reference_point
from dse.strategies.base.shared import Shared, shared_of
from dse.surrogate import Learner, Model, Posterior, diagnose, information, prior_of

OPTIONS = {
    "drop_limit": Option(10.0, "percentage points of drop beyond which a design is of no interest", low=0.01),
    "focus": Option(0.3, "share of proposals that serve the pick under the drop budget only", low=0.0, high=1.0),
    "explore": Option(
        0.3, "share of proposals chosen for their information gain about single layers", low=0.0, high=1.0
    ),
    "stop_gain": Option(0.001, "stop when ten more designs are expected to add less than this share", low=0.0),
    "racing": Option(True, "cut an evaluation short when the design is clearly dominated or of no interest"),
    "candidates": Option(300, "designs from which each proposal is chosen", low=10),
}

TRUST_AFTER = 30  # measurements before the model is judged, and before a search may stop by itself
# Choices of ours for the proposals with most information; docs/search-model.md says how proposals are made.
INFORMATIVE_LIMIT = 2.5  # times the drop of interest: larger drops say more about layers per image, until they saturate
SCATTER = 2.0  # of the parameters whose fronts are the candidates, in posterior standard deviations
SCATTERED_FRONTS = 4  # such fronts
TARGETS = 20  # designs of the expected front whose layers are asked about
LEAST_IMAGES = 50  # before an evaluation may be cut


class Sampler(Proposer):
    """Refits from all measurements at every ask; what is kept between asks can be recomputed from the study."""

    reads_distances = True
    cuts = True

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        super().__init__(problem, seed)
        chosen = read("posterior", options, OPTIONS)
        self._drop_limit: float = chosen["drop_limit"]
        self._focus: float = chosen["focus"]
        self._explore: float = chosen["explore"]
        self._stop_gain: float = chosen["stop_gain"]
        self._racing: bool = chosen["racing"]
        self._count: int = chosen["candidates"]
        self._latest: tuple[int, Posterior] | None = None
        self._shared: Shared | None = None

    @cached_property
    def _learner(self) -> Learner:
        return Learner(prior_of(self._problem))

    def _posterior(self, past: History) -> Posterior:
        """The belief after all measurements; the last one is kept."""
        if self._latest is None or self._latest[0] != len(past):
            self._latest = len(past), self._learner(measurements(past), self._shared)
        return self._latest[1]

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The proposal; among several workers, with what another has found for the same measurements."""
        self._shared = shared_of(study)
        return super().sample_relative(study, trial, search_space)

    def predicted(self, study: Study, trial: Trial) -> tuple[float, float]:
        """Mean and standard deviation, in points, of the drop that a proposal will show on the search images."""
        past = read_history(study, self._problem, without=trial.number)
        posterior = self._posterior(past)
        mean, sd = posterior.predict(levels_of(trial, self._problem.space)[None])
        return float(mean[0]) + posterior.search_bias, float(sd[0])

    def propose(self, past: History, rng: np.random.Generator) -> IntArray:
        """The candidate that adds most hypervolume, as the mean model sees it; or the one with most information."""
        posterior = self._posterior(past)
        explores = rng.random() < self._explore * posterior.doubt  # the first draw, which `should_cut` repeats
        if len(past) >= TRUST_AFTER and rng.random() < 0.5 and diagnose(posterior, self._drop_limit).warning:
            return self._local(past, rng)
        seen = past.seen()
        front = self._candidates(posterior.centre, rng)
        informative = self._informative(posterior, front, seen, rng) if explores and len(past) else None
        if informative is not None:
            return informative
        candidates = _not_seen(front, seen)
        if not len(candidates):
            return fresh(self._problem, past, rng, past.levels[rng.integers(len(past))] if len(past) else None)
        limit = self._drop_limit
        if "drop" in self._problem.budgets and rng.random() < self._focus * posterior.doubt:
            limit = min(limit, 1.5 * self._problem.budgets["drop"])
        reference, model = reference_point(self._problem, limit), posterior.centre
        known = np.vstack([self._measured(model, past), self._objectives(model, past.under_way, past)])
        gain = pareto.improvements(self._objectives(model, candidates, past), known, reference)
        if gain.max() <= 0:
            return np.asarray(candidates[rng.integers(len(candidates))])
        return np.asarray(candidates[int(gain.argmax())])

    def _informative(
        self, posterior: Posterior, front: IntArray, seen: set[bytes], rng: np.random.Generator
    ) -> IntArray | None:
        """The design, of fronts of widely scattered models, with most information on the layers of the expected front.

        Designs of one front differ in all layers at once, from cheap to dear; those of other models' fronts have some
        layers wider and others narrower, which tells the layers apart.
        """
        model = posterior.centre
        drop = model.drop(front)[0]
        wanted = front[(drop > 0) & (drop < self._drop_limit)]
        pool = np.vstack([self._candidates(posterior.draw(rng, 1, SCATTER), rng) for _ in range(SCATTERED_FRONTS)])
        pool = _not_seen(np.unique(pool, axis=0), seen)
        if not len(wanted) or not len(pool):
            return None
        pool = pool[model.drop(pool)[0] < INFORMATIVE_LIMIT * self._drop_limit]
        if not len(pool):
            return None
        wanted = wanted[rng.integers(len(wanted), size=TARGETS)]
        return np.asarray(pool[int(information(posterior, pool, wanted).argmax())])

    def stop_reason(self, study: Study) -> str | None:
        """Why to stop: ten more designs would add next to nothing. Asked after every evaluation, answers every tenth.

        The expectation is over four samples of the model, each with its own best ten designs.
        """
        past = read_history(study, self._problem)
        if self._stop_gain <= 0 or len(past) < TRUST_AFTER + len(self._problem.baselines) or len(past) % 10:
            return None
        rng = np.random.default_rng([self._seed, len(past), 1])
        reference = reference_point(self._problem, self._drop_limit)
        posterior, gains = self._posterior(past), []
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

    def should_cut(self, study: Study, trial: Trial, partial: Measured) -> bool:
        """Whether the images so far, with what the model knew before, leave less than a 1 % chance of being useful.

        Useful is a drop below the limit of interest and below every measured design that costs no more; designs that
        are measured for their information are never cut.
        """
        if not self._racing or partial.images < LEAST_IMAGES:
            return False
        past = read_history(study, self._problem, without=trial.number)
        if not len(past):
            return False
        posterior = self._posterior(past)
        if self._explores(turn_of(trial), posterior.doubt):
            return False
        levels = levels_of(trial, self._problem.space)[None]
        mean, sd = posterior.predict(levels)
        own = float(stderr_floor(np.array([partial.drop_stderr]), np.array([float(partial.images)]))[0])
        weight = sd[0] ** 2 / (sd[0] ** 2 + own**2)
        expected, spread = (
            mean[0] + weight * (partial.drop - posterior.search_bias - mean[0]),
            sd[0] * np.sqrt(1 - weight),
        )
        cheaper = (past.costs <= self._expected_costs(past)(levels)).all(axis=1) & past.complete
        bar = self._drop_limit
        if cheaper.any():
            bar = min(bar, float(posterior.predict(past.levels[cheaper])[0].min()))
        return bool(norm.cdf((bar - expected) / max(float(spread), 1e-9)) < 0.01)

    def _explores(self, number: int, doubt: float) -> bool:
        """Whether the proposal with this trial number was chosen for its information."""
        return bool(np.random.default_rng([self._seed, number]).random() < self._explore * doubt)

    def _local(self, past: History, rng: np.random.Generator) -> IntArray:
        """A small change of a design on the measured front."""
        front = past.levels[past.complete][pareto.is_nondominated(past.points())]
        return fresh(self._problem, past, rng, front[rng.integers(len(front))])

    def _candidates(self, model: Model, rng: np.random.Generator) -> IntArray:
        harm = np.where(self._problem.space.exists, model.tables[0], np.inf)
        found = [self._minimisers(part, part.harm_inside(harm), rng) for part in self._problem.parts]
        return np.unique(np.vstack(found), axis=0)

    def _minimisers(self, part: Part, harm: FloatArray, rng: np.random.Generator) -> IntArray:
        """Designs of one part of the space at random prices."""
        space, sides, costs = part.space, self._problem.sides, part.cost_tables
        prices = lagrangian.draw_prices(rng, harm, costs, self._count // len(self._problem.parts))
        if sides == FREE:
            return lagrangian.minimisers(harm, costs, prices)
        return lagrangian.constrained_minimisers(space, sides, harm, costs, prices, rng)

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
        levels = levels_of(trial, self._problem.space)[None]
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


def _not_seen(levels: IntArray, seen: set[bytes]) -> IntArray:
    return levels[np.array([key(row) not in seen for row in levels], dtype=np.bool_)]
