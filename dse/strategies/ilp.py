"""The exact front of the prior scores, verified and not refitted: sensitivity analysis with integer programming."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from optuna.samplers import BaseSampler

from dse.arrays import FloatArray, IntArray
from dse.optimize import integer_program, lagrangian
from dse.optimize.integer_program import Sides
from dse.problem.problem import Problem
from dse.strategies.base.history import History, key
from dse.strategies.base.options import Option, read
from dse.strategies.base.sampler import Proposer, fresh, pinned, prior_harm
from dse.surrogate import prior_of

OPTIONS = {
    "programmes": Option(6, "integer programmes solved at most per proposal, before a neighbour is tried", low=1),
}


def sampler(problem: Problem, seed: int, **options: Any) -> BaseSampler:
    """One integer programme per budget, as HAWQ-V3 (Yao et al. 2021) does. ConfigError for an unknown option."""
    return Ladder(problem, seed, **read("ilp", options, OPTIONS))


class Ladder(Proposer):
    """The least summed score under a memory or an energy budget, in turn.

    Budgets follow the van der Corput sequence, so that every prefix covers the front evenly. Solved programmes are
    remembered: they depend on the problem alone.
    """

    def __init__(self, problem: Problem, seed: int, programmes: int) -> None:
        super().__init__(problem, seed)
        self._programmes = programmes
        self._solved: dict[int, IntArray] = {}

    @cached_property
    def _harm(self) -> list[FloatArray]:
        """Scores and distances combined, (D, B), relative to the widest level; in every form that is searched."""
        tables = [prior_of(problem, prior_harm(problem)).median_harm for problem in self._problem.each]
        return [np.where(lagrangian.valid(self._problem.space), table, np.inf) for table in tables]

    def propose(self, past: History, rng: np.random.Generator) -> IntArray:
        """The best design of the first rung whose design is new."""
        seen, solved, rung = past.seen(), 0, 0
        while solved < self._programmes and rung < 8 * (len(past.taken) + 1):
            if rung not in self._solved:
                self._solved[rung] = self._solve(rung)
                solved += 1
            if key(self._solved[rung]) not in seen:
                return self._solved[rung]
            rung += 1
        return fresh(self._problem, past, rng, past.levels[rng.integers(len(past))] if len(past) else None)

    def _solve(self, rung: int) -> IntArray:
        quantity, parts = ("memory_bytes", "energy_j")[rung % 2], len(self._problem.each)
        problem, harm = self._problem.each[rung // 2 % parts], self._harm[rung // 2 % parts]
        table = problem.tables[quantity]
        exists = lagrangian.valid(self._problem.space)
        low = float(np.where(exists, table, np.inf).min(axis=1).sum())
        high = float(np.where(exists, table, -np.inf).max(axis=1).sum())
        budget = low + (high - low) * _van_der_corput(rung // (2 * parts) + 1)
        try:
            only = Sides(pinned=problem.sides.pinned)
            return integer_program.best(
                problem.space, harm, {quantity: table}, {quantity: budget}, sides=only, gap=1e-3
            )
        except integer_program.InfeasibleError:  # a space with a single value of this cost
            return pinned(problem, np.zeros(len(table), dtype=np.int64))


def _van_der_corput(number: int) -> float:
    """The number's binary digits mirrored at the point: 1/2, 1/4, 3/4, 1/8, ..."""
    return float(sum(((number >> i) & 1) / 2 ** (i + 1) for i in range(number.bit_length())))
