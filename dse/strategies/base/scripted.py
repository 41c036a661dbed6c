"""Published search procedures as scripts: yield a design, receive its measured drop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator

import numpy as np

from dse.arrays import IntArray
from dse.problem.problem import Problem
from dse.strategies.base.history import History, key
from dse.strategies.base.sampler import Proposer, fresh

Script = Generator[IntArray, float, IntArray]


class Scripted(Proposer):
    """Runs a script from its beginning at every ask, answering from the study until it wants something new.

    So a script needs no memory of its own, a resumed study continues where it stopped, and designs that are measured
    already (baselines) cost nothing. When the script has ended, neighbours of its final design follow.
    """

    @abstractmethod
    def script(self) -> Script:
        """Yields designs, levels (D,), and is sent their drops in points; returns its final design."""

    def propose(self, past: History, rng: np.random.Generator) -> IntArray:
        """The first design that the script asks for and the study does not hold."""
        drops = {key(row): float(drop) for row, drop in zip(past.levels, past.drop, strict=True)}
        seen = past.seen()
        script = self.script()
        try:
            levels = next(script)
            while key(levels) in seen:
                # a design that failed or is still being measured elsewhere is not one to build upon
                levels = script.send(drops.get(key(levels), np.inf))
        except StopIteration as end:
            last: IntArray = end.value
            return fresh(self._problem, past, rng, last)
        return levels


def allowed_drop(problem: Problem, option: float) -> float:
    """The accuracy constraint of a script: its option, or where that is 0 the drop budget, or 1 point."""
    return option if option > 0 else float(problem.budgets.get("drop", 1.0))


def parts(problem: Problem, by: str) -> list[IntArray]:
    """Dimensions that a script narrows together, largest memory first: all (`network`), per `stage`, per `block`."""
    names = [d.block or d.name for d in problem.space.dimensions]
    depth = {"network": 0, "stage": 1, "block": None}[by]
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, name in enumerate(names):
        groups.setdefault(tuple(name.split(".")[:depth]), []).append(i)
    memory = problem.whole.tables["memory_bytes"]
    last = problem.space.sizes - 1
    found = [np.array(g, dtype=np.int64) for g in groups.values()]
    return sorted(found, key=lambda g: -float(memory[g, last[g]].sum()))


def narrowed(levels: IntArray, part: IntArray, steps: int = 1) -> IntArray | None:
    """The design with one part narrower by some levels; None when nothing changes."""
    out = levels.copy()
    out[part] = np.maximum(out[part] - steps, 0)
    return None if np.array_equal(out, levels) else out
