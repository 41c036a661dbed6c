"""AQ4SViT's greedy search: narrow the network, then stages, then blocks under an accuracy constraint."""

from __future__ import annotations

from typing import Any

import numpy as np
from optuna import Study
from optuna.trial import Trial

from dse.problem.problem import Problem
from dse.strategies.base.options import Option, read
from dse.strategies.base.sampler import Measured
from dse.strategies.base.scripted import Script, Scripted, allowed_drop, narrowed, parts

OPTIONS = {
    "drop": Option(0.0, "points that may be lost; 0 takes the drop budget (the paper reports 1.5)", low=0.0),
    "gate_images": Option(100, "images after which a hopeless candidate is given up", low=1),
}


def hopeless(partial: Measured, limit: float, images: int) -> bool:
    """Whether a mini-batch says that a candidate breaks the constraint, by two standard errors."""
    return bool(partial.images >= images and partial.drop - 2 * partial.drop_stderr > limit)


class Sampler(Scripted):
    """The greedy variant of AQ4SViT (Putra et al. 2026), coarse to fine.

    A part that breaks the constraint keeps its width and is not tried again at that level. The gate works
    on a mini-batch of images. The paper gates by the drift of membrane potentials, which the evaluator does not record.
    """

    cuts = True

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        super().__init__(problem, seed)
        chosen = read("aq4svit_greedy", options, OPTIONS)
        self._limit, self._images = allowed_drop(problem, chosen["drop"]), chosen["gate_images"]

    def script(self) -> Script:
        """Network, stage and block level in turn."""
        levels = self._problem.space.sizes - 1
        for by in ("network", "stage", "block"):
            for part in parts(self._problem, by):
                trial = narrowed(levels, part)
                while trial is not None and (yield trial) <= self._limit:
                    levels = trial
                    trial = narrowed(levels, part)
        return np.asarray(levels)

    def should_cut(self, study: Study, trial: Trial, partial: Measured) -> bool:
        """Give up a candidate whose first images break the constraint clearly."""
        return hopeless(partial, self._limit, self._images)
