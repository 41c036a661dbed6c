"""AQ4SViT's beam search: the greedy search with several designs kept at every step."""

from __future__ import annotations

from typing import Any

from optuna import Study
from optuna.trial import Trial

from dse.arrays import IntArray
from dse.optimize.lagrangian import gather
from dse.problem.problem import Problem
from dse.strategies.aq4svit_greedy import hopeless
from dse.strategies.base.history import key
from dse.strategies.base.options import Option, read
from dse.strategies.base.sampler import Measured
from dse.strategies.base.scripted import Script, Scripted, allowed_drop, narrowed, parts
from dse.surrogate.prior import prior_harm

OPTIONS = {
    "drop": Option(0.0, "points that may be lost; 0 takes the drop budget (the paper reports 1.5)", low=0.0),
    "width": Option(3, "designs kept at every step", low=1),
    "branches": Option(4, "narrowings of each kept design that are measured, least summed score per byte first", low=1),
    "gate_images": Option(100, "images after which a hopeless candidate is given up", low=1),
}


class Sampler(Scripted):
    """The beam variant of AQ4SViT (Putra et al. 2026).

    At each level (network, stage, block) it narrows one part of every kept design until no candidate is feasible.
    """

    cuts = True

    def __init__(self, problem: Problem, seed: int, **options: Any) -> None:
        super().__init__(problem, seed)
        chosen = read("aq4svit_beam", options, OPTIONS)
        self._limit, self._images = allowed_drop(problem, chosen["drop"]), chosen["gate_images"]
        self._width, self._branches = chosen["width"], chosen["branches"]
        self._harm = prior_harm(problem.space, problem.whole.scores)
        self._memory = problem.whole.tables["memory_bytes"]

    def script(self) -> Script:
        """Beams of feasible designs, least memory first."""
        beam = [self._problem.space.sizes - 1]
        for by in ("network", "stage", "block"):
            groups = parts(self._problem, by)
            rejected: set[bytes] = set()
            best = beam
            while beam:
                feasible: dict[bytes, IntArray] = {}
                for levels in beam:
                    for trial in self._candidates(levels, groups, rejected):
                        if (yield trial) <= self._limit:
                            feasible[key(trial)] = trial
                        else:
                            rejected.add(key(trial))
                ordered = sorted(feasible.values(), key=lambda x: float(gather(self._memory, x)))
                beam = ordered[: self._width]
                best = beam or best
            beam = best
        return beam[0]

    def _candidates(self, levels: IntArray, groups: list[IntArray], rejected: set[bytes]) -> list[IntArray]:
        """The candidates with the least added score per byte saved."""
        trials = [t for g in groups if (t := narrowed(levels, g)) is not None and key(t) not in rejected]
        harm, memory = gather(self._harm, levels), gather(self._memory, levels)

        def price(trial: IntArray) -> float:
            saved = float(memory - gather(self._memory, trial))
            return float(gather(self._harm, trial) - harm) / max(saved, 1e-300)

        return sorted(trials, key=price)[: self._branches]

    def should_cut(self, study: Study, trial: Trial, partial: Measured) -> bool:
        """Give up a candidate whose first images break the constraint clearly."""
        return hopeless(partial, self._limit, self._images)
