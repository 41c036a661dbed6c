"""QSViT's four steps: precision study, base setting, guided reduction, final network (Putra et al. 2025)."""

from __future__ import annotations

from typing import Any

import numpy as np

from dse.arrays import IntArray
from dse.problem.problem import Problem
from dse.strategies.base.options import Option, read
from dse.strategies.base.scripted import Script, Scripted, allowed_drop, narrowed, parts

OPTIONS = {
    "drop": Option(0.0, "points that may be lost; 0 takes the drop budget (the paper reports 2.1)", low=0.0),
    "study": Option("stage", "what the precision study narrows together", choices=("stage", "block")),
}


class Sampler(Scripted):
    """The four steps in order; each decision is made on the measured drop alone, as a designer would."""

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        super().__init__(problem, seed)
        chosen = read("qsvit", options, OPTIONS)
        self._limit = allowed_drop(problem, chosen["drop"])
        self._parts = parts(problem, chosen["study"])

    def script(self) -> Script:
        """The four steps of the paper."""
        base = yield from self._base((yield from self._study()))
        return (yield from self._reduce(base))

    def _study(self) -> Script:
        """Step 1: narrow one part at a time, all others at their widest, until it alone breaks the constraint.

        Returns the narrowest tolerable level of every part.
        """
        widest = self._problem.space.sizes - 1
        tolerable = widest.copy()
        for part in self._parts:
            levels = narrowed(widest, part)
            while levels is not None:
                if (yield levels) > self._limit:
                    break
                tolerable[part] = levels[part]
                levels = narrowed(levels, part)
        return tolerable

    def _base(self, tolerable: IntArray) -> Script:
        """Step 2: all parts at what they tolerate alone, widened together until the constraint holds."""
        widest = self._problem.space.sizes - 1
        base = tolerable
        while (base < widest).any() and (yield base) > self._limit:
            base = np.minimum(base + 1, widest)
        return base

    def _reduce(self, base: IntArray) -> Script:
        """Step 3: narrow part by part from the base setting, largest memory first, as long as the constraint holds."""
        levels, moving = base, True
        while moving:
            moving = False
            for part in self._parts:
                trial = narrowed(levels, part)
                if trial is not None and (yield trial) <= self._limit:
                    levels, moving = trial, True
        return levels
