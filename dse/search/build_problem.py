"""The search problem of a workbench: costs, prior scores, budgets and the designs that every search measures first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from dse.arrays import FloatArray
from dse.evaluation.costs import objective_columns
from dse.evaluation.experiment import Workbench
from dse.evaluation.mixed import AnyCosting
from dse.problem.constraints import sides_of
from dse.problem.problem import Baseline, Problem
from dse.problem.shared_error import Luck
from dse.strategies.guided import guided_design


def build_problem(
    bench: Workbench,
    costing: AnyCosting,
    fisher: pd.DataFrame,
    distances: FloatArray | None = None,
    luck: Luck | None = None,
) -> Problem:
    """The search problem of a workbench, with its baselines; in a search over forms those of the first, and two more.

    The widest and the guided design of every other form are baselines as well.
    """
    space, config = bench.space, bench.config
    objectives = objective_columns(config.search.objectives)
    tables, offsets = costing.tables(space)
    scores = bench.scores(fisher)
    problem = Problem(
        space=space,
        tables=tables,
        offsets=offsets,
        costs=costing.objective_costs(space, objectives),
        scores=scores,
        distances=distances,
        objectives=objectives,
        budgets=config.column_budgets(),
        sides=sides_of(config.constraints, space),
        following=costing.following(space, objectives, scores),
        luck=luck,
    )
    uniform = [Baseline(f"uniform-{b}", space.nearest_levels(b)) for b in sorted(config.search.widths, reverse=True)]
    uniform += [
        Baseline(f"uniform-{max(config.search.widths)}-T{t}", space.with_steps(uniform[0].levels, t))
        for t in space.step_choices[-2::-1]
    ]
    if not bench.forms:
        steps = space.step_choices if len(space.step_choices) > 1 else ()
        variants = tuple(part_of(problem, costing, scores, t) for t in steps)
        return replace(problem, variants=variants, baselines=(*uniform, Baseline("guided", guided_design(problem))))
    found = bench.scores_of_forms(fisher)
    guided = []
    for place, (form, scores) in enumerate(found.items()):
        ending = f"-{form}" if place else ""
        if place:
            uniform.append(Baseline(f"{uniform[0].origin}{ending}", space.with_form(uniform[0].levels, form)))
        widest = part_of(problem, costing, scores, space.step_choices[-1], form)
        guided.append(Baseline(f"guided{ending}", guided_design(widest)))
    each = [(scores, t, form) for form, scores in found.items() for t in space.step_choices]
    variants = tuple(part_of(problem, costing, *part) for part in each)
    return replace(problem, variants=variants, baselines=(*uniform, *guided))


def part_of(problem: Problem, costing: AnyCosting, scores: FloatArray, steps: int, form: str = "") -> Problem:
    """The problem with time steps and form, where one is searched, pinned; `scores` (D, B) are those of the form."""
    space = problem.space
    tables, offsets = costing.tables(space, steps, form)
    choice = {"time_steps": steps}
    if form:
        scores = np.where(np.arange(len(scores))[:, None] == space.names.index("form"), 0.0, scores)
        choice["form"] = list(space.variants).index(form)
    pinned = tuple((d.name, choice[d.kind]) for d in space.dimensions if d.kind in choice)
    sides = replace(problem.sides, pinned=(*problem.sides.pinned, *pinned))
    return replace(problem, tables=tables, offsets=offsets, scores=scores, sides=sides)
