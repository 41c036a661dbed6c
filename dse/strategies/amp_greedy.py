"""Automatic mixed precision as in AIMET: one-at-a-time sensitivity, then greedy flips along the sorted list."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.problem.problem import Problem
from dse.strategies.base.options import Option, read
from dse.strategies.base.scripted import Script, Scripted
from dse.surrogate import prior_of

OPTIONS = {
    "sensitivity": Option(
        "scores",
        "what orders the flips: known scores and distances, or the top-1 drop of each, measured and charged",
        choices=("scores", "measured"),
    ),
}


class Sampler(Scripted):
    """Greedy mixed precision (Pandey et al. 2023).

    Phase 1 lists the sensitivities, phase 2 walks the list and measures the network after every flip. The
    walk is measured coarse to fine: every prefix of the search covers the whole curve, and the last acceptable flip is
    found no later than in order.
    """

    reads_distances = True

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        super().__init__(problem, seed)
        self._measured = read("amp_greedy", options, OPTIONS)["sensitivity"] == "measured"

    def script(self) -> Script:
        """Both phases."""
        harm = (yield from self._list()) if self._measured else self._known()
        walk = self._walk(harm)
        stride = 1 << max(len(walk).bit_length() - 1, 0)
        while stride:
            for levels in walk[stride - 1 :: 2 * stride]:  # odd multiples of the stride
                _ = yield levels  # a list cannot be sent the answers that `yield from` would pass on
            stride //= 2
        return walk[0]

    def _known(self) -> FloatArray:
        return prior_of(self._problem).median_harm

    def _list(self) -> Generator[IntArray, float, FloatArray]:
        """Phase 1: the drop of every dimension at every level with all others at their widest, (D, B)."""
        widest = self._problem.space.sizes - 1
        harm = np.zeros((len(widest), int(widest.max()) + 1))
        for d, top in enumerate(widest):
            for level in range(int(top) - 1, -1, -1):
                trial = widest.copy()
                trial[d] = level
                harm[d, level] = yield trial
        return harm

    def _walk(self, harm: FloatArray) -> list[IntArray]:
        """Phase 2: designs after each flip, the entry with the least sensitivity first, from the widest design."""
        levels = self._problem.space.sizes - 1
        order = sorted((float(harm[d, b]), -b, d) for d, top in enumerate(levels) for b in range(int(top)))
        walk = [levels]
        for _, minus_level, d in order:
            if -minus_level < walk[-1][d]:
                flipped = walk[-1].copy()
                flipped[d] = -minus_level
                walk.append(flipped)
        return walk
