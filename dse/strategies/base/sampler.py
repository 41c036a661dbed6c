"""The common part of our own samplers: Optuna's protocol outside, `propose` inside."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from dse.arrays import FloatArray, IntArray
from dse.optimize.integer_program import FREE
from dse.optimize.lagrangian import valid
from dse.problem import constraints
from dse.problem.problem import Problem
from dse.strategies.base import history
from dse.strategies.base.history import History
from dse.surrogate.blas import on_one_thread


class Proposer(BaseSampler):
    """A sampler whose whole state is the study: same trials, same seed, same number, same proposal."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        self._seed = seed

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
        rng = np.random.default_rng([self._seed, trial.number])
        past = history.read(study, self._problem, without=trial.number)
        return self._problem.space.params(self.propose(past, rng))

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random level, for parameters outside the problem's space."""
        if not isinstance(param_distribution, IntDistribution):
            raise TypeError(f"{param_name}: designs are made of integer levels, not of {param_distribution}")
        rng = np.random.default_rng([self._seed, trial.number, zlib.crc32(param_name.encode())])
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


def prior_harm(problem: Problem) -> FloatArray:
    """The prior scores as a complete table (D, B): relative to the widest level, never rising with width.

    +inf beyond a dimension's choices. A dimension without scores is taken to be like the median of the others; time
    steps without scores like the most harmful one. Without any score, harm falls fourfold per bit (the squared
    rounding step of a uniform quantizer).
    """
    exists = valid(problem.space)
    scores = np.where(exists, problem.scores, np.nan)
    known = ~np.isnan(np.where(exists, scores, 0.0)).any(axis=1)
    if known.any():
        rows = np.where(exists, scores, 0.0)[known]
        typical, worst = np.median(rows, axis=0), rows.max(axis=0)
    else:
        typical = worst = 4.0 ** -np.arange(scores.shape[1], dtype=float)
    for d in np.flatnonzero(~known):
        size = int(problem.space.sizes[d])
        pattern = worst if problem.space.dimensions[d].kind == "time_steps" else typical
        scores[d, :size] = np.where(np.isnan(scores[d, :size]), pattern[:size], scores[d, :size])
    last = scores[np.arange(len(scores)), problem.space.sizes - 1]
    rising = np.where(exists, scores - last[:, None], 0.0)
    monotone = np.maximum.accumulate(np.maximum(rising, 0.0)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.where(exists, monotone, np.inf))


def cost_tables(problem: Problem) -> FloatArray:
    """Separable memory and energy, (2, D, B); zero beyond a dimension's choices."""
    exists = valid(problem.space)
    return np.stack([np.where(exists, problem.tables[name], 0.0) for name in ("memory_bytes", "energy_j")])


def reference_point(problem: Problem, drop_limit: float) -> FloatArray:
    """Corner of the hypervolume (3,): the largest drop of interest and the costs of the widest design in any form."""
    widest = problem.costs(np.stack([pinned(v, problem.space.sizes - 1) for v in problem.each])).max(axis=0)
    return np.concatenate([[drop_limit], widest * (1 + 1e-9)])


def pinned(problem: Problem, levels: IntArray) -> IntArray:
    """Levels (..., D) with the pinned dimensions of the problem at their choices."""
    out = np.array(levels)
    for name, choice in problem.sides.pinned:
        d = problem.space.names.index(name)
        out[..., d] = problem.space.dimensions[d].choices.index(choice)
    return out


def harm_in(problem: Problem, table: FloatArray) -> FloatArray:
    """A table (D, B) of harm with +inf where the problem pins another choice, so that no minimum lies there."""
    out = table.copy()
    for name, choice in problem.sides.pinned:
        d = problem.space.names.index(name)
        out[d, np.array([c != choice for c in problem.space.dimensions[d].choices]).nonzero()[0]] = np.inf
    return out
