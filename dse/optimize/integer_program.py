"""The exact best design under budgets and side constraints: an integer program over separable tables.

What a Lagrangian sweep (`dse.optimize.lagrangian`) cannot reach: the points between the corners of a front, and
designs whose layers must agree with each other.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from dse.arrays import FloatArray, IntArray
from dse.errors import ConfigError
from dse.optimize.lagrangian import gather
from dse.problem.constraints import FREE, Sides
from dse.problem.space import Space

CONTRADICTION = "the side constraints contradict each other: no design of the space satisfies them"


class InfeasibleError(ConfigError):
    """No design of the space keeps the budgets; the message says which budget and by how much."""


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing that HiGHS prints reaches standard output: some of its lines obey no option."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        ctypes.CDLL(None).fflush(None)  # into a file or a pipe, C keeps its lines until the process ends
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


class Limit(NamedTuple):
    """A budget of an additive quantity: the offset and the table's (D, B) entries of a design sum to at most `most`."""

    table: FloatArray
    most: float
    offset: float = 0.0


def best(
    space: Space, objective: FloatArray, limits: Mapping[str, Limit], sides: Sides = FREE, gap: float = 1e-6
) -> IntArray:
    """The design with the least objective within all limits and side constraints, (D,).

    `objective` is (D, B), additive over dimensions; `limits` are named for the messages.  Exact to the relative `gap`
    (integer program, HiGHS).  Raises InfeasibleError naming the limits that cannot be kept and what the space can reach
    at least; ConfigError for names that do not exist.
    """
    program = _Program(space, sides)
    found = program.solve(objective, limits, gap)
    if found is None:
        raise InfeasibleError(_why(program, limits))
    return found


def _why(program: _Program, limits: Mapping[str, Limit]) -> str:
    """The limits that no design keeps, one by one or together."""
    parts = []
    for name, (table, most, offset) in limits.items():
        reach = program.least(table) + offset
        if reach > most:
            parts.append(f"{name} <= {most:.6g} is impossible: the least is {reach:.6g} ({reach - most:.3g} more)")
    if parts:
        return "; ".join(parts)
    if not limits:
        return CONTRADICTION
    kept = " and ".join(f"{name} <= {limit.most:.6g}" for name, limit in limits.items())
    return f"no design keeps {kept} at once{_excess(program, limits)}"


def _excess(program: _Program, limits: Mapping[str, Limit]) -> str:
    """How far each single limit has to give way when the others are kept."""
    words = []
    for name, (table, _, offset) in limits.items():
        levels = program.solve(table, {k: limit for k, limit in limits.items() if k != name}, 1e-4)
        if levels is not None:
            words.append(f"{name} would need {float(gather(table, levels)) + offset:.6g}")
    return "; with the other budgets kept, " + ", or ".join(words) if words else ""


class _Program:
    """One binary per choice of a dimension, one per width in use; solved by HiGHS."""

    def __init__(self, space: Space, sides: Sides) -> None:
        self._space = space
        self._mask = space.exists
        self._at = np.full(self._mask.shape, -1, dtype=np.int64)
        self._at[self._mask] = np.arange(int(self._mask.sum()))
        self._size = int(self._mask.sum())
        self._upper = np.ones(self._size)
        self._rows: list[tuple[list[int], list[float], float, float]] = [
            (self._at[d, : len(dim.choices)].tolist(), [1.0] * len(dim.choices), 1.0, 1.0)
            for d, dim in enumerate(space.dimensions)
        ]
        self._forbid(sides.allowed)
        for name, choice in sides.pinned:
            d = space.names.index(name)
            others = [b for b, value in enumerate(space.dimensions[d].choices) if value != choice]
            self._upper[self._at[d, others]] = 0.0
        for group in sides.equal:
            self._tie(group)
        if sides.max_widths is not None:
            self._limit_widths(sides.max_widths)

    def _forbid(self, allowed: Sequence[int] | None) -> None:
        for d, dim in enumerate(self._space.dimensions if allowed is not None else ()):
            if dim.kind != "weight":
                continue
            banned = [b for b, choice in enumerate(dim.choices) if choice not in (allowed or ())]
            if len(banned) == len(dim.choices):
                raise InfeasibleError(f"{dim.name}: none of its widths {list(dim.choices)} is allowed")
            self._upper[self._at[d, banned]] = 0.0

    def _tie(self, group: Sequence[str]) -> None:
        unknown = [name for name in group if name not in self._space.names]
        if unknown:
            raise ConfigError(f"equal: no dimension {unknown[0]!r}; there are {', '.join(self._space.names[:6])}, ...")
        first, *rest = (self._space.names.index(name) for name in group)
        for other in rest:
            widths = set(self._space.dimensions[first].choices) | set(self._space.dimensions[other].choices)
            for width in sorted(widths):
                columns, signs = [], []
                for d, sign in ((first, 1.0), (other, -1.0)):
                    if width in self._space.dimensions[d].choices:
                        columns.append(int(self._at[d, self._space.dimensions[d].choices.index(width)]))
                        signs.append(sign)
                self._rows.append((columns, signs, 0.0, 0.0))

    def _limit_widths(self, most: int) -> None:
        weights = [(d, dim) for d, dim in enumerate(self._space.dimensions) if dim.kind == "weight"]
        widths = sorted({choice for _, dim in weights for choice in dim.choices})
        used = {width: self._size + i for i, width in enumerate(widths)}
        self._size += len(widths)
        self._upper = np.concatenate([self._upper, np.ones(len(widths))])
        for d, dim in weights:
            for b, width in enumerate(dim.choices):
                self._rows.append(([int(self._at[d, b]), used[width]], [1.0, -1.0], -np.inf, 0.0))
        self._rows.append((list(used.values()), [1.0] * len(used), 0.0, float(most)))

    def least(self, table: FloatArray) -> float:
        """The smallest value of an additive table (D, B); raises InfeasibleError where there is no design at all."""
        levels = self.solve(table, {}, 1e-6)
        if levels is None:
            raise InfeasibleError(CONTRADICTION)
        return float(gather(table, levels))

    def solve(self, objective: FloatArray, limits: Mapping[str, Limit], gap: float) -> IntArray | None:
        """Levels (D,) with the least objective, None when there is none."""
        rows = list(self._rows)
        every = self._at[self._mask].tolist()
        for table, most, offset in limits.values():
            # scaled to 1 and shaved by HiGHS's absolute tolerance, so that the design found really is inside
            room = most - offset
            scale = max(abs(room), 1e-300)
            rows.append((every, (table[self._mask] / scale).tolist(), -np.inf, room / scale - 1e-6))
        values = np.zeros(self._size)
        values[: len(every)] = objective[self._mask]
        values /= max(float(np.abs(values).max()), 1e-300)
        indexes = [(i, column) for i, (columns, *_) in enumerate(rows) for column in columns]
        data = [v for _, row, *_ in rows for v in row]
        i, j = np.array(indexes).T
        with _silent():
            answer = milp(
                values,
                integrality=np.ones(self._size),
                bounds=Bounds(0.0, self._upper),
                constraints=LinearConstraint(
                    coo_array((data, (i, j)), shape=(len(rows), self._size)).tocsc(),
                    [low for *_, low, _ in rows],
                    [high for *_, high in rows],
                ),
                options={"mip_rel_gap": gap},
            )
        if answer.x is None:
            return None
        chosen = np.where(self._at >= 0, answer.x[np.maximum(self._at, 0)], -1.0)
        return np.asarray(chosen.argmax(1), dtype=np.int64)
