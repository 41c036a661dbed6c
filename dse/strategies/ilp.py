"""The exact front of the prior scores, verified and not refitted: sensitivity analysis with integer programming."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.optimize import integer_program
from dse.problem.constraints import Sides
from dse.problem.problem import Problem
from dse.strategies.base.history import History, key
from dse.strategies.base.options import Option, read
from dse.strategies.base.sampler import Proposer, fresh
from dse.surrogate import prior_of

OPTIONS = {
    "programs": Option(6, "integer programs solved at most per proposal, before a neighbour is tried", low=1),
}


class Sampler(Proposer):
    """The least summed score under a memory or an energy budget, in turn, as in HAWQ-V3 (Yao et al. 2021).

    Budgets follow the van der Corput sequence, so that every prefix covers the front evenly. Solved programs are
    remembered: they depend on the problem alone.
    """

    reads_distances = True

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        super().__init__(problem, seed)
        self._programs: int = read("ilp", options, OPTIONS)["programs"]
        self._solved: dict[int, IntArray] = {}

    @cached_property
    def _harm(self) -> list[FloatArray]:
        """Scores and distances combined, (D, B), relative to the widest level, in every part of the space."""
        tables = [prior_of(self._problem, part.scores).median_harm for part in self._problem.parts]
        return [np.where(self._problem.space.exists, table, np.inf) for table in tables]

    def propose(self, past: History, rng: np.random.Generator) -> IntArray:
        """The best design of the first rung whose design is new."""
        seen, solved, rung = past.seen(), 0, 0
        while solved < self._programs and rung < 8 * (len(past.taken) + 1):
            if rung not in self._solved:
                self._solved[rung] = self._solve(rung)
                solved += 1
            if key(self._solved[rung]) not in seen:
                return self._solved[rung]
            rung += 1
        return fresh(self._problem, past, rng, past.levels[rng.integers(len(past))] if len(past) else None)

    def _solve(self, rung: int) -> IntArray:
        quantity, parts = ("memory_bytes", "energy_j")[rung % 2], len(self._problem.parts)
        part, harm = self._problem.parts[rung // 2 % parts], self._harm[rung // 2 % parts]
        table, exists = part.tables[quantity], part.space.exists
        low = float(np.where(exists, table, np.inf).min(axis=1).sum())
        high = float(np.where(exists, table, -np.inf).max(axis=1).sum())
        budget = low + (high - low) * _van_der_corput(rung // (2 * parts) + 1)
        try:
            only = Sides(pinned=part.pinned)
            limits = {quantity: integer_program.Limit(table, budget)}
            return integer_program.best(part.space, harm, limits, only, gap=1e-3)
        except integer_program.InfeasibleError:  # a space with a single value of this cost
            return part.moved_in(np.zeros(len(table), dtype=np.int64))


def _van_der_corput(number: int) -> float:
    """The number's binary digits mirrored at the point: 1/2, 1/4, 3/4, 1/8, ..."""
    return float(sum(((number >> i) & 1) / 2 ** (i + 1) for i in range(number.bit_length())))
