"""Uniformly random designs: the floor that every search has to beat."""

from __future__ import annotations

from typing import Any

from optuna.samplers import BaseSampler, RandomSampler

from dse.problem.problem import Problem
from dse.strategies.base.options import Option, read
from dse.strategies.base.seeding import PerTrial

OPTIONS: dict[str, Option] = {}


def sampler(problem: Problem, seed: int, **options: Any) -> BaseSampler:
    """Optuna's RandomSampler. ConfigError for an unknown option."""
    read("random", options, OPTIONS)
    return PerTrial(lambda s: RandomSampler(seed=s), seed, problem.space.distributions())
