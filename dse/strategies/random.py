"""Uniformly random designs: the floor that every search has to beat."""

from __future__ import annotations

from typing import Any

from optuna.samplers import RandomSampler

from dse.problem.problem import Problem
from dse.strategies.base.options import Option, read
from dse.strategies.base.seeding import PerTrial

OPTIONS: dict[str, Option] = {}


class Sampler(PerTrial):
    """Optuna's RandomSampler."""

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        read("random", options, OPTIONS)
        super().__init__(problem, seed, lambda s: RandomSampler(seed=s), problem.space.distributions())
