"""Optuna's multi-objective TPE (Ozaki et al. 2022), one dimension at a time, which is Optuna 5's default."""

from __future__ import annotations

from typing import Any

from optuna.samplers import TPESampler

from dse.problem.problem import Problem
from dse.strategies.base.options import Option, read
from dse.strategies.base.seeding import PerTrial

OPTIONS = {
    "startup": Option(10, "random designs before the first model (baselines count)", low=0),
    "candidates": Option(24, "draws per dimension from which the best is taken", low=1),
}


class Sampler(PerTrial):
    """Optuna's TPESampler, independent."""

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        chosen = read("tpe", options, OPTIONS)
        # an empty relative space: independent TPE samples every dimension through sample_independent
        super().__init__(
            problem,
            seed,
            lambda s: TPESampler(n_startup_trials=chosen["startup"], n_ei_candidates=chosen["candidates"], seed=s),
            {},
        )
