"""Optuna's multi-objective TPE (Ozaki et al. 2022), one dimension at a time, which is Optuna 5's default."""

from __future__ import annotations

from typing import Any

from optuna.samplers import BaseSampler, TPESampler

from dse.problem.problem import Problem
from dse.strategies.base.options import Option, read
from dse.strategies.base.seeding import PerTrial

OPTIONS = {
    "startup": Option(10, "random designs before the first model (baselines count)", low=0),
    "candidates": Option(24, "draws per dimension from which the best is taken", low=1),
}


def sampler(problem: Problem, seed: int, **options: Any) -> BaseSampler:
    """Optuna's TPESampler, independent. ConfigError for an unknown option."""
    chosen = read("tpe", options, OPTIONS)
    # an empty relative space: independent TPE samples every dimension through sample_independent
    return PerTrial(
        lambda s: TPESampler(n_startup_trials=chosen["startup"], n_ei_candidates=chosen["candidates"], seed=s),
        seed,
        {},
    )
