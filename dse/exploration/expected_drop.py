"""The drop of each measured design by all measurements together: noise and winner's curse are taken out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import optuna
import pandas as pd

from dse.exploration.best_design import within
from dse.exploration.study import evaluated
from dse.ledger.proposals import DESIGN, levels_of
from dse.problem.goals import CONFIDENCE
from dse.problem.problem import Problem
from dse.strategies.base import history
from dse.surrogate import Diagnostics, Learned, Learner, Posterior, belief, diagnose, learned
from dse.surrogate.blas import on_one_thread


@dataclass(frozen=True)
class Quality:
    """How far the additive model can be trusted on this network: leave-one-out figures, see `Diagnostics`.

    `search_bias`: by how much drops on the search images lie above those expected on unseen images, points
    (`dse.problem.shared_error`).  `learned`: what the evidence of the measurements chose.
    """

    found: Diagnostics
    search_bias: float = 0.0
    learned: Learned | None = None

    @property
    def lines(self) -> list[str]:
        """What a reader of the search is told."""
        f = self.found
        if np.isnan(f.r2):
            return [f"model: too few designs of interest ({f.count}) to judge it"]
        told = (
            f"model: predicts each of {f.count} designs from the others with R2 = {f.r2:.2f}; {f.coverage:.0%} of the "
            f"measurements lie in its 95 % intervals; {f.additivity:.0%} of the harm adds up over layers"
        )
        lines = [told, *(self.learned.lines if self.learned else [])]
        if self.learned is None or self.learned.offset_explained:
            side = "worse" if self.search_bias > 0 else "better"
            lines.append(
                f"the search images make every design look {abs(self.search_bias):.2f} pp {side} than unseen images "
                "are expected to; expected drops are for unseen images"
            )
        warnings = [f.warning] if f.warning is not None else []
        return lines + [f"warning: {line}" for line in [*warnings, *(self.learned.warnings if self.learned else [])]]

    @property
    def record(self) -> dict[str, Any]:
        """The figures for the manifest, null where unknown."""
        found: dict[str, Any] = asdict(self.found) | {"search_bias": self.search_bias, "says": self.lines}
        found |= {"learned": self.learned.record if self.learned else None}
        return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in found.items()}


LEAST_TO_TRUST = 5  # measurements before any design is called trusted


@dataclass(frozen=True)
class Trusted:
    """A measured design that is trusted to keep every budget: drop on unseen images with sd [points], memory [B]."""

    id: str
    drop: float
    sd: float
    memory: float


@on_one_thread
def cheapest_trusted(study: optuna.Study, problem: Problem, learner: Learner) -> Trusted | None:
    """The measured design with the least memory that the model of all measurements trusts to keep every budget.

    study    the search so far
    problem  what is searched, with its budgets
    learner  makes the model, and keeps what it learned between calls

    The drop is kept with a probability of 0.95 at least; None where no design is.
    """
    trials = [
        t for t in evaluated(study) if all(v <= 0 for k, v in t.constraints.items() if not k.startswith("drop<="))
    ]
    if not trials or len(past := history.read(study, problem)) < LEAST_TO_TRUST:
        return None
    levels = np.array([levels_of(t, problem.space) for t in trials])
    mean, sd = learner(history.measurements(past)).predict(levels)
    chance = within(mean, sd, problem.budgets.get("drop", np.inf))
    kept = [i for i in range(len(trials)) if chance[i] >= CONFIDENCE]
    best = min(kept, key=lambda i: trials[i].values[1], default=None)
    if best is None:
        return None
    return Trusted(trials[best].user_attrs[DESIGN], float(mean[best]), float(sd[best]), float(trials[best].values[1]))


def model_of(study: optuna.Study, problem: Problem) -> Posterior:
    """The additive model of all measurements of a study, whatever strategy proposed the designs."""
    return belief(problem, history.measurements(history.read(study, problem)))


def expectation(
    study: optuna.Study, problem: Problem, posterior: Posterior | None = None
) -> tuple[pd.DataFrame, Quality]:
    """The drop of every evaluated design by the model of all measurements, and how far that model can be trusted.

    The table has posterior mean and standard deviation of the drop on unseen images, `expected, sd` by id [points], one
    row per design.  It is the additive model of the posterior strategy, whatever strategy proposed the designs, joined
    with the design's own measurement, which has already moved the model.  A design that was picked because its
    measurement came out well is judged by what its neighbours say as well (the winner's curse).  `posterior` is what
    `model_of` gave, made here where it is not given.
    """
    posterior = posterior or model_of(study, problem)
    trials = evaluated(study)
    mean, sd = posterior.predict(np.array([levels_of(t, problem.space) for t in trials]))
    table = pd.DataFrame({"expected": mean, "sd": sd}, index=[t.user_attrs["design"] for t in trials])
    return table[~table.index.duplicated()], Quality(diagnose(posterior), posterior.search_bias, learned(posterior))
