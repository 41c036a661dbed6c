"""What a search is measured against on simulated networks: a ridge on the scores, Gaussian processes, an oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial
from simulated_network import CAP, Simulation

from dse.arrays import FloatArray, IntArray
from dse.optimize import lagrangian, pareto
from dse.problem.problem import Problem
from dse.strategies.base.history import History, key
from dse.strategies.base.sampler import Proposer, fresh, reference_point
from dse.surrogate.prior import prior_harm

FACTOR_ERROR = 1.0  # relative error of a layer's score, the ridge's prior
LEAST_FACTOR = 0.05  # of the mean factor: no layer's harm is negative
MODEL_ERROR = 0.1  # share of a measurement that the ridge does not try to explain
DROP_LIMIT = 10.0  # points


class Ridge(Proposer):
    """z = sum of factor_d x score_d(level), one factor per layer by ridge regression; it knows the simulator's cap.

    Proposes the design of a price sweep that adds most hypervolume in its own mean model. Thirty lines that a search
    must not be behind.
    """

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        super().__init__(problem, seed)
        self._scores = prior_harm(problem.space, problem.whole.scores)

    def propose(self, past: History, rng: np.random.Generator) -> IntArray:
        """The next design, levels (D,)."""
        costs = self._problem.whole.cost_tables
        harm = self._factors(past)[:, None] * self._scores
        levels = np.unique(lagrangian.minimisers(harm, costs, lagrangian.draw_prices(rng, harm, costs, 300)), axis=0)
        seen = past.seen()
        levels = levels[[key(row) not in seen for row in levels]]
        if not len(levels):
            return fresh(self._problem, past, rng)
        gain = pareto.improvements(
            self._points(harm, levels), self._points(harm, past.levels), reference_point(self._problem, DROP_LIMIT)
        )
        return np.asarray(levels[int(gain.argmax())])

    def _points(self, harm: FloatArray, levels: IntArray) -> FloatArray:
        drop = CAP * -np.expm1(-lagrangian.gather(harm, levels) / CAP)
        return np.column_stack([drop, self._problem.costs(levels)])

    def _factors(self, past: History) -> FloatArray:
        x = self._scores[np.arange(len(self._scores)), past.levels]  # (N, D)
        share = np.clip(past.drop / CAP, -0.5, 0.98)
        z = -CAP * np.log1p(-share)
        sd = np.hypot(past.stderr, MODEL_ERROR * past.drop) / (1 - share)
        mean = float(((x.sum(1) * z) / sd**2).sum() / ((x.sum(1) / sd) ** 2).sum())
        mean = max(mean, 1e-12 / max(float(x.max()), 1e-300))
        scaled = mean * x / sd[:, None]
        left = z / sd - scaled.sum(1)
        change = np.linalg.solve(scaled.T @ scaled + FACTOR_ERROR**-2 * np.eye(x.shape[1]), scaled.T @ left)
        return np.asarray(mean * np.maximum(1 + change, LEAST_FACTOR))


def gaussian_process(problem: Problem, seed: int, **options: Any) -> optuna.samplers.BaseSampler:
    """Optuna's sampler of Gaussian processes: all three objectives, and the limit of interest as a constraint.

    It does not know that two objectives are computed, nor any score; an ask takes seconds.
    """
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=len(problem.baselines), constraints_func=_beyond)


def _beyond(trial: FrozenTrial) -> tuple[float]:
    return (float(trial.user_attrs["drop"]) - DROP_LIMIT,)


RIVALS = {"ridge": Ridge, "gp": gaussian_process}  # by the name that benchmarks/search.py takes


def oracle(simulation: Simulation, seed: int, counts: list[int], draws: int = 5) -> list[float]:
    """Shares of the best hypervolume of the baselines and random designs of the true front, `counts` together."""
    rng = np.random.default_rng([seed, 11])
    first = np.array([b.levels for b in simulation.problem.baselines])
    front = simulation.best_known
    front = front[simulation.drop(front) <= DROP_LIMIT]
    shares = np.zeros((draws, len(counts)))
    for row in shares:
        order = rng.permutation(len(front))
        for i, count in enumerate(counts):
            row[i] = simulation.share(np.vstack([first, front[order[: max(count - len(first), 0)]]]))
    return [float(x) for x in shares.mean(axis=0)]
