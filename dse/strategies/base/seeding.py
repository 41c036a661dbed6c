"""Trials with given parameters, and samplers whose random numbers depend on nothing but seed and trial number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from dse.ledger.proposals import turn_of
from dse.problem.problem import Problem
from dse.strategies.base.sampler import Strategy


def seed_trial(
    study: optuna.Study,
    params: Mapping[str, int],
    distributions: Mapping[str, BaseDistribution],
    said: Mapping[str, Any] | None = None,
) -> optuna.Trial:
    """A running trial with given parameters, which the study's sampler counts as its own.

    `said` are user attributes that the proposal carries from its first moment on (design, origin).  A proposal that a
    killed process left waiting is taken up before; the trial returned says by its own attributes which one it is.

    Optuna's NSGA-II numbers generations inside `sample_relative`, which a trial whose parameters are all fixed never
    reaches; such a trial would never become a parent (Optuna 4.6 to 5.0). So it is called here before the first
    suggest.
    """
    study.enqueue_trial(dict(params), user_attrs=dict(said or {}))
    trial = study.ask()
    _ = trial.relative_params
    for name, distribution in distributions.items():
        if not isinstance(distribution, IntDistribution):
            raise TypeError(f"{name}: designs are made of integer levels, not of {distribution}")
        trial.suggest_int(name, distribution.low, distribution.high)
    return trial


def trial_seed(seed: int, number: int) -> int:
    """Seed of one trial's random numbers, the same in every process."""
    return int(np.random.default_rng([seed, number]).integers(2**31))


class PerTrial(Strategy):
    """One of Optuna's samplers with fresh random numbers for each trial, drawn from the seed and the trial's number.

    Optuna's samplers go on with one stream, so a resumed study would repeat its first proposals and parallel workers
    would all make the same ones.
    """

    def __init__(
        self, problem: Problem, seed: int, make: Callable[[int], BaseSampler], space: Mapping[str, BaseDistribution]
    ) -> None:
        super().__init__(problem, seed)
        self._make = make
        self._space = dict(space)
        self._current: tuple[int, BaseSampler] | None = None

    def _inner(self, trial: FrozenTrial) -> BaseSampler:
        if self._current is None or self._current[0] != trial.number:
            self._current = (trial.number, self._make(trial_seed(self._seed, turn_of(trial))))
        return self._current[1]

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The whole space: what earlier trials had in common is no information here."""
        return dict(self._space)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Parameters that the sampler proposes together."""
        return self._inner(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A parameter that the sampler proposes on its own."""
        return self._inner(trial).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Passed on."""
        self._inner(trial).before_trial(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Passed on."""
        self._inner(trial).after_trial(study, trial, state, values)
