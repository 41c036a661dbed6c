"""Optuna's Gaussian processes, one per objective and budget; an ask takes seconds."""

from __future__ import annotations

from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler
from optuna.trial import FrozenTrial

from dse.problem.problem import Problem
from dse.strategies.base.options import Option, read
from dse.strategies.base.seeding import PerTrial
from dse.surrogate.blas import on_one_thread

OPTIONS = {
    "startup": Option(10, "random designs before the first model (baselines count)", low=1),
}


class Sampler(PerTrial):
    """Optuna's GPSampler, constrained by the budgets of the search, which every trial states.

    It does not know that two objectives are computed exactly, nor any score of a layer.
    """

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        startup = read("gp", options, OPTIONS)["startup"]
        space = problem.space.distributions()
        super().__init__(problem, seed, lambda s: GPSampler(seed=s, n_startup_trials=startup), space)

    @on_one_thread
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The design with the largest expected gain of hypervolume."""
        return super().sample_relative(study, trial, search_space)
