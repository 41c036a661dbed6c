"""What each part of a design contributes: rounding, widths by scores alone, the search, steps, potentials, streams.

Every row compares two designs that differ in one part.  `alone`: the part is added to the least uniform width that
keeps the drop budget; `last`: it is taken out of the chosen design; `before verification`: both keep the budget by the
search alone, as no images were spent on verifying what the scores give.  Designs that were not measured have the drop
that the model of all measurements expects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dse.arrays import FloatArray, IntArray
from dse.evaluation.costs import Costing
from dse.exploration.best_design import chance_within, costs_of
from dse.optimize import lagrangian
from dse.problem.goals import CONFIDENCE
from dse.problem.problem import Problem
from dse.results.origin import is_plain_uniform
from dse.surrogate import Posterior
from dse.surrogate.prior import prior_harm

PARTS = {"time steps": ("time_steps",), "potentials": ("state",), "streams and sums": ("stream", "between")}
BEFORE = "before verification"
ENOUGH = 0.03  # share of memory saved below which the scores alone give as good a design


@dataclass(frozen=True)
class Change:
    """Two designs, levels (D,) each, that differ in one part."""

    part: str
    how: str
    before: IntArray
    after: IntArray


@dataclass(frozen=True)
class Anchors:
    """Designs (D,) that parts are added to or taken from; None where none keeps the drop budget.

    uniform: the least uniform width; scores: the least memory among designs that the scores alone order; searched: the
    least among the measured ones; chosen: the pick, which was verified.
    """

    uniform: IntArray | None
    scores: IntArray | None
    searched: IntArray | None
    chosen: IntArray


def anchors(problem: Problem, posterior: Posterior, measured: IntArray, chosen: IntArray) -> Anchors:
    """The designs of a decomposition.

    problem    with a drop budget
    posterior  the model of all measurements
    measured   levels (N, D) of all measured designs
    chosen     levels (D,) of the pick
    """
    uniform = [b.levels for b in problem.baselines if is_plain_uniform(b.origin)]
    front = [
        lagrangian.front(part.harm_inside(prior_harm(part.space, part.scores)), part.cost_tables)
        for part in problem.parts
    ]
    sets = np.array(uniform), np.vstack(front), measured
    least = [_least(problem, posterior, levels) for levels in sets]
    return Anchors(least[0], least[1], least[2], chosen)


def _least(problem: Problem, posterior: Posterior, levels: IntArray) -> IntArray | None:
    """Of designs (N, D), that of least memory which keeps the drop budget with CONFIDENCE."""
    if not len(levels):
        return None
    kept = levels[chance_within(posterior, levels, problem.budgets["drop"]) >= CONFIDENCE]
    return kept[int(problem.costs(kept)[:, 0].argmin())] if len(kept) else None


def changes(problem: Problem, found: Anchors) -> Iterator[Change]:
    """The comparisons that the model can make; parts that the chosen design leaves as they are have no row."""
    kinds = np.array([d.kind for d in problem.space.dimensions])
    chosen, uniform, scores = found.chosen, found.uniform, found.scores
    weights = kinds == "weight"
    if uniform is not None:
        if scores is not None:
            yield Change("widths from scores", "alone", uniform, scores)
        yield Change("all widths", "last", np.where(weights, uniform, chosen), chosen)
    if scores is not None and found.searched is not None:
        yield Change("search over scores", BEFORE, scores, found.searched)
    if found.searched is not None and (found.searched != chosen).any():
        yield Change("verification", "last", found.searched, chosen)
    widest = problem.space.sizes - 1
    for part, members in PARTS.items():
        own = np.isin(kinds, members)
        if (chosen[own] == widest[own]).all():
            continue
        if uniform is not None:
            yield Change(part, "alone", uniform, np.where(own, chosen, uniform))
        yield Change(part, "last", np.where(own, widest, chosen), chosen)


def decomposition(costing: Costing, problem: Problem, posterior: Posterior, found: Anchors) -> pd.DataFrame:
    """The rows of the decomposition that need no measurement.

    costing    costs of designs
    problem    what was searched
    posterior  the model of all measurements
    found      of `anchors`

    Columns: `part, how, memory_before, memory_after` [B], `energy_before, energy_after` [J], `drop_before, drop_after`
    on unseen images and `change_sd` of their difference [percentage points], `basis`: measured where a design was
    measured for the row, else predicted.
    """
    rows = []
    for change in changes(problem, found):
        both = np.stack([change.before, change.after])
        costs, (drop, _) = costs_of(costing, problem, both), posterior.predict(both)
        sampled = posterior.ensemble().drop(both)
        sd = float(np.hypot((sampled[:, 1] - sampled[:, 0]).std(), posterior.misfit * (drop[1] - drop[0])))
        rows.append(row(change.part, change.how, costs, drop, sd))
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS = [
    *("part", "how", "memory_before", "memory_after", "energy_before", "energy_after"),
    *("drop_before", "drop_after", "change_sd", "basis"),
]


def row(
    part: str, how: str, costs: Mapping[str, FloatArray], drop: FloatArray, sd: float, measured: bool = False
) -> list[object]:
    """One row of the table; `costs` and `drop` are of the design before and the one after."""
    values = (costs["memory_bytes"], costs["energy_j"], drop)
    return [
        part,
        how,
        *(float(value) for pair in values for value in pair),
        sd,
        "measured" if measured else "predicted",
    ]


def verdict(table: pd.DataFrame) -> str | None:
    """Whether the scores alone would have done, in a sentence; None where no design of theirs keeps the budget."""
    rows = table[table["part"] == "search over scores"]
    if rows.empty:
        return None
    saved = 1 - float(rows["memory_after"].iloc[0] / rows["memory_before"].iloc[0])
    scores = "the widths that the scores alone give at the same drop budget, before verification"
    told = f"the search's design takes {-saved:.1%} more memory than {scores}"
    if saved >= 0:
        told = f"the search saves {saved:.1%} of memory over {scores}"
    return told + ("; on this network, `search.strategy: guided` is enough" if saved < ENOUGH else "")
