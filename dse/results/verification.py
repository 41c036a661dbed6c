"""What a search ends with: the exact pick among the measured designs, and the verification of the candidates."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from optuna import Study

from dse.evaluation.costs import Costing
from dse.evaluation.evaluator import Evaluator
from dse.evaluation.measurement import Evaluation
from dse.optimize.integer_program import InfeasibleError
from dse.problem.constraints import FREE, obeyed
from dse.problem.problem import Problem
from dse.results import tables
from dse.results.candidates import candidates
from dse.results.origin import EXACT
from dse.search.best_design import best_under_budgets
from dse.search.expected_drop import model_of
from dse.search.loop import Loop
from dse.search.study import evaluated, finished

LEAST_FOR_MODEL = 5  # measurements
Say = Callable[[str], None]


def add_exact_pick(loop: Loop, study: Study, costing: Costing, evaluations: int, say: Say) -> None:
    """Measure the best design under the budgets as the model of all measurements sees it, unless that was done.

    It is the last evaluation of a search, so that verification can choose it like any other design.
    """
    problem = loop.problem
    trials = study.get_trials(deepcopy=False)
    if len(evaluated(study)) < LEAST_FOR_MODEL or finished(study) >= evaluations:
        return
    if trials and trials[-1].user_attrs.get("origin") == EXACT and trials[-1].state.is_finished():
        return
    try:
        found = best_under_budgets(costing, problem, model_of(study, problem))
    except InfeasibleError as error:
        say(f"no design is predicted to keep the budgets: {error}")
        return
    say(
        f"exact pick: the least memory within the budgets, predicted to lose {found.drop:+.2f} +- {found.drop_sd:.2f} "
        f"pp, P(drop within budget) = {found.probability:.2f}"
    )
    loop.measure(study, found.levels, EXACT, evaluations)


def verify(
    verifier: Evaluator, problem: Problem, table: pd.DataFrame, expected: pd.DataFrame, say: Say
) -> dict[str, Evaluation]:
    """Measure the candidate designs on images that the search has not seen; evaluations by id."""
    rows = table.set_index("id")
    out: dict[str, Evaluation] = {}
    chosen = candidates(_eligible(problem, table), problem.budgets, problem.objectives[2], expected)
    started = time.perf_counter()
    for done, design_id in enumerate(chosen, start=1):
        out[design_id] = found = verifier(tables.design_of(rows.loc[design_id]))
        left = (time.perf_counter() - started) / done * (len(chosen) - done)
        measured = f"{design_id} loses {found.drop:+.2f} pp ({found.drop_low:+.2f} to {found.drop_high:+.2f})"
        say(f"verified {done}/{len(chosen)}, ETA {left:.0f} s: {measured}")
    return out


def _eligible(problem: Problem, table: pd.DataFrame) -> pd.DataFrame:
    """The rows that keep the side constraints."""
    if problem.sides == FREE:
        return table
    space = problem.space
    levels = [space.levels_of(tables.design_of(row)) for _, row in table.iterrows()]
    return table[obeyed(space, problem.sides, np.array(levels))]
