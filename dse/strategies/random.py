"""Uniformly random designs: the floor that every search has to beat."""

from __future__ import annotations

from typing import Any

import optuna
from optuna._transform import _SearchSpaceTransform
from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial

from dse.problem.problem import Problem
from dse.strategies.base.options import Option, read
from dse.strategies.base.seeding import PerTrial

OPTIONS: dict[str, Option] = {}


class Sampler(PerTrial):
    """The designs of Optuna's RandomSampler, all dimensions drawn at once instead of one after the other."""

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        read("random", options, OPTIONS)
        super().__init__(problem, seed, lambda s: RandomSampler(seed=s), problem.space.distributions())
        self._whole = _SearchSpaceTransform(problem.space.distributions())

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A level of every dimension, from the random numbers that drawing one by one would use."""
        inner = self._inner(trial)
        assert isinstance(inner, RandomSampler)
        low, high = self._whole.bounds.T
        return self._whole.untransform(inner._rng.rng.uniform(low, high))
