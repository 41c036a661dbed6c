"""The problem of an experiment: costs, prior scores, budgets and the designs that every search measures first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dse.arrays import FloatArray
from dse.evaluation.costs import Costing
from dse.evaluation.experiment import Experiment
from dse.evaluation.separable import additive_tables
from dse.problem.goals import Goals
from dse.problem.problem import Baseline, Part, Problem
from dse.problem.shared_error import SharedError
from dse.problem.space import Space
from dse.strategies.guided import guided_design


def build_problem(
    experiment: Experiment,
    costing: Costing,
    fisher: pd.DataFrame,
    goals: Goals,
    distances: FloatArray | None = None,
    shared_error: SharedError | None = None,
) -> Problem:
    """The search problem of an experiment, with its baselines; in a search over forms those of the first, and two more.

    The widest and the guided design of every other form are baselines as well.  `fisher` are gradient scores of layers,
    `distances` one-at-a-time distances (D, B) [nat], `shared_error` that of all measurements.
    """
    space, objectives, scores = experiment.space, goals.objectives, experiment.scores(fisher)
    whole = Part(space, *additive_tables(costing, space), scores)
    parts = parts_of(space, costing, experiment.scores_by_form(fisher))
    widths = sorted(experiment.widths, reverse=True)
    return Problem(
        whole=whole,
        costs=costing.objective_costs(space, objectives),
        objectives=objectives,
        budgets=goals.budgets,
        parts=parts,
        baselines=(*_uniform(space, widths), *_guided(whole, parts)),
        distances=distances,
        sides=goals.sides,
        following=costing.following(space, objectives, scores),
        shared_error=shared_error,
    )


def cost_problem(experiment: Experiment, costing: Costing, goals: Goals) -> Problem:
    """The search problem as far as costs tell it: no scores, no baselines; what budgets can be kept follows from it."""
    space = experiment.space
    unknown = {form: np.full(space.exists.shape, np.nan) for form in space.forms}
    return Problem(
        whole=Part(space, *additive_tables(costing, space), np.full(space.exists.shape, np.nan)),
        costs=costing.objective_costs(space, goals.objectives),
        objectives=goals.objectives,
        budgets=goals.budgets,
        parts=parts_of(space, costing, unknown),
        sides=goals.sides,
    )


def parts_of(space: Space, costing: Costing, scores: Mapping[str, FloatArray]) -> tuple[Part, ...]:
    """Every form at every number of time steps; `scores` are the predicted harms (D, B) by form."""
    form_row = np.array([[d.kind == "form"] for d in space.dimensions])
    parts = []
    for place, form in enumerate(space.forms):
        for steps in space.step_choices:
            tables, offsets = additive_tables(costing, space, steps, form)
            choice = {"time_steps": steps, "form": place}
            pinned = tuple((d.name, choice[d.kind]) for d in space.dimensions if d.kind in choice)
            parts.append(Part(space, tables, offsets, np.where(form_row, 0.0, scores[form]), pinned))
    return tuple(parts)


def _uniform(space: Space, widths: Sequence[int]) -> list[Baseline]:
    """Every width everywhere, widest first; the widest also at fewer time steps and in the other forms."""
    uniform = [Baseline(f"uniform-{bits}", space.nearest_levels(bits)) for bits in widths]
    widest = uniform[0]
    uniform += [
        Baseline(f"{widest.origin}-T{steps}", space.with_steps(widest.levels, steps))
        for steps in space.step_choices[-2::-1]
    ]
    uniform += [
        Baseline(f"{widest.origin}-{form}", space.with_form(widest.levels, form)) for form in list(space.forms)[1:]
    ]
    return uniform


def _guided(whole: Part, parts: Sequence[Part]) -> list[Baseline]:
    """The guided setting; where forms are searched, that of each at the most time steps."""
    forms = list(whole.space.forms)
    if len(forms) == 1:
        return [Baseline("guided", guided_design(whole))]
    most = parts[len(whole.space.step_choices) - 1 :: len(whole.space.step_choices)]
    names = ["guided", *(f"guided-{form}" for form in forms[1:])]
    return [Baseline(name, guided_design(part)) for name, part in zip(names, most, strict=True)]
