"""The common part of our own samplers: Optuna's protocol outside, `propose` inside."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from typing import Any, ClassVar, Protocol

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial

from dse.arrays import FloatArray, IntArray
from dse.ledger.proposals import turn_of
from dse.problem import constraints
from dse.problem.constraints import FREE
from dse.problem.problem import Problem
from dse.strategies.base import history
from dse.strategies.base.history import History
from dse.surrogate.blas import on_one_thread


class Measured(Protocol):
    """What the first images of an evaluation say; see `dse.evaluation.evaluator.Partial`."""

    @property
    def images(self) -> int:
        """Images so far."""

    @property
    def drop(self) -> float:
        """Drop on them, percentage points."""

    @property
    def drop_stderr(self) -> float:
        """Its standard error, percentage points."""


class Strategy(BaseSampler):
    """An Optuna sampler with what the search loop asks beside proposals; the answers here are those of most strategies.

    `reads_distances`: it starts from one-at-a-time distances where they are measured; `cuts`: it may stop an evaluation
    early, so that images are evaluated in parts and `should_cut` is asked between them.
    """

    reads_distances: ClassVar[bool] = False
    cuts: ClassVar[bool] = False

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        self._problem = problem
        self._seed = seed

    def stop_reason(self, study: optuna.Study) -> str | None:
        """Why the search should end now; None: it should not. Asked after every evaluation."""
        return None

    def predicted(self, study: optuna.Study, trial: Trial) -> tuple[float, float] | None:
        """Mean and standard deviation, in points, of the drop that a proposal will show; None: no prediction."""
        return None

    def predicted_energy(self, study: optuna.Study, trial: Trial) -> float | None:
        """Energy [J] of a proposal before it is measured; None: no prediction."""
        return None

    def should_cut(self, study: optuna.Study, trial: Trial, partial: Measured) -> bool:
        """Whether an evaluation that is under way should stop here."""
        return False


class Proposer(Strategy):
    """A sampler whose whole state is the study: same trials, same seed, same number, same proposal."""

    @abstractmethod
    def propose(self, past: History, rng: np.random.Generator) -> IntArray:
        """The next design, levels (D,), given all measurements; should not be in `past.taken`."""

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The whole space, whatever earlier trials had in common."""
        return self._problem.space.distributions()

    @on_one_thread
    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The proposal as Optuna parameters; nothing for a trial whose parameters are given."""
        if "fixed_params" in trial.system_attrs:
            return {}
        rng = np.random.default_rng([self._seed, turn_of(trial)])
        past = history.read(study, self._problem, without=trial.number)
        return self._problem.space.params(self.propose(past, rng))

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random level, for parameters outside the problem's space."""
        if not isinstance(param_distribution, IntDistribution):
            raise TypeError(f"{param_name}: designs are made of integer levels, not of {param_distribution}")
        rng = np.random.default_rng([self._seed, turn_of(trial), zlib.crc32(param_name.encode())])
        return int(rng.integers(param_distribution.low, param_distribution.high + 1))


def fresh(problem: Problem, past: History, rng: np.random.Generator, near: IntArray | None = None) -> IntArray:
    """A random design that is not taken and keeps the side constraints: a few steps away from `near` (D,), or anywhere.

    In a space that is used up, any design.
    """
    seen = past.seen()
    space, sides, sizes = problem.space, problem.sides, problem.space.sizes
    for attempt in range(200):
        if near is None or attempt >= 100:
            levels = space.draw(rng, 1)[0]
        else:
            step = rng.integers(-1, 2, size=len(sizes)) * (rng.random(len(sizes)) < (1 + attempt / 10) / len(sizes))
            levels = np.clip(near + step, 0, sizes - 1)
        if sides != FREE:
            levels = constraints.projected(space, sides, levels)
        if history.key(levels) not in seen and (sides == FREE or constraints.obeyed(space, sides, levels)[0]):
            break
    return np.asarray(levels, dtype=np.int64)


def reference_point(problem: Problem, drop_limit: float) -> FloatArray:
    """Corner of the hypervolume (3,): the largest drop of interest and the costs of the widest design in any part."""
    widest = problem.costs(np.stack([part.moved_in(problem.space.sizes - 1) for part in problem.parts])).max(axis=0)
    return np.concatenate([[drop_limit], widest * (1 + 1e-9)])
