"""What a search ends with: the exact pick among the measured designs, and the verification of the candidates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from optuna import Study

from dse.arrays import FloatArray
from dse.evaluation.evaluator import Evaluator
from dse.exploration.best_design import Recommendation
from dse.exploration.expected_drop import model_of
from dse.exploration.loop import Loop
from dse.exploration.study import evaluated, finished
from dse.ledger.shared_work import Result, SharedWork
from dse.optimize.integer_program import InfeasibleError
from dse.problem.constraints import FREE, obeyed
from dse.problem.problem import Problem
from dse.progress import Advance, quiet
from dse.results import tables
from dse.results.candidates import candidates
from dse.results.origin import EXACT, SURER
from dse.results.verified import UNKNOWN, Verified
from dse.surrogate import Posterior
from dse.verification import COPIES, Candidate, Race, Row, Task, outcome, plan, strata_of
from dse.verification.rows import table as table_of_rows

LEAST_FOR_MODEL = 5  # measurements
# Shares of the drop budget that are optimised for as well: all designs may lose more on unseen images than the model
# expects, and a common error of a third or two thirds of the budget then has a design that was made for it.
SURER_SHARES = (1 / 3, 2 / 3)
LEAST_FOR_SURER = 40  # evaluations of a search; with fewer, the model needs them all
NOT_PREDICTED = 100.0  # points: the whole range, as a standard deviation
Say = Callable[[str], None]
CopyLogits = Callable[[int, Any], FloatArray]
Best = Callable[[Problem, Posterior], Recommendation]


def last_designs(problem: Problem, evaluations: int) -> int:
    """How many of a search's evaluations measure optima of its model, after all that the strategy proposes.

    problem      what is searched, with its budgets
    evaluations  of the whole search
    """
    hedged = "drop" in problem.budgets and evaluations >= LEAST_FOR_SURER
    return 1 + (len(SURER_SHARES) if hedged else 0)


def add_exact_picks(loop: Loop, study: Study, best: Best, evaluations: int, say: Say) -> None:
    """Measure the best design under the budgets as the model of all measurements sees it, unless that was done.

    It is the last evaluation of a search, so that verification can choose it like any other design.  What comes out on
    unseen images may be worse for all designs than any search image shows; so the optima for parts of the drop budget,
    `SURER_SHARES`, are measured before it.  Where one cannot be found, the strategy proposes in its place.

    loop         measures designs, and knows the problem
    study        the search so far
    best         the design of least memory within a problem's budgets, by the model; raises InfeasibleError
    evaluations  of the whole search
    say          takes a line for the reader
    """
    problem, trials = loop.problem, study.get_trials(deepcopy=False)
    if len(evaluated(study)) < LEAST_FOR_MODEL or finished(study) >= evaluations:
        return
    if trials and trials[-1].user_attrs.get("origin") == EXACT and trials[-1].state.is_finished():
        return
    hedges = last_designs(problem, evaluations) - 1
    done = sum(trial.user_attrs.get("origin") == SURER and trial.state.is_finished() for trial in trials)
    for left, share in list(zip(range(hedges, 0, -1), SURER_SHARES, strict=False))[done:]:
        limit = share * problem.budgets["drop"]
        stricter = replace(problem, budgets={**problem.budgets, "drop": limit})
        try:
            found = best(stricter, model_of(study, problem))
        except InfeasibleError:
            loop.run(study, evaluations - left)
            continue
        say(f"surer pick: the least memory for a drop of {limit:.2f} pp, predicted to lose {_told(found)}")
        loop.measure(study, found.levels, SURER, evaluations - left)
    try:
        found = best(problem, model_of(study, problem))
    except InfeasibleError as error:
        say(f"no design is predicted to keep the budgets: {error}")
        return
    say(
        f"exact pick: the least memory within the budgets, predicted to lose {_told(found)}, "
        f"P(drop within budget) = {found.probability:.2f}"
    )
    loop.measure(study, found.levels, EXACT, evaluations)


def _told(found: Recommendation) -> str:
    return f"{found.drop:+.2f} +- {found.drop_sd:.2f} pp"


def race_of(problem: Problem, table: pd.DataFrame, expected: pd.DataFrame, scatter: float, verifier: Evaluator) -> Race:
    """The verification of a search: its candidates with what the search predicts, and the strata of the unseen images.

    table: results.csv; expected: `expected, sd` [points] by id; scatter: of leave-one-out errors in units of their
    standard deviations; verifier: has run the float network on the unseen images.
    """
    rows = table.drop_duplicates("id").set_index("id")
    chosen = candidates(_eligible(problem, table), problem.budgets, problem.objectives[2], expected)
    wider = max(1.0, scatter) if np.isfinite(scatter) else 1.0
    found = []
    for design in chosen:
        row, told = rows.loc[design], design in expected.index
        mean = float(expected.loc[design, "expected"]) if told else float(row["drop"])
        sd = wider * float(expected.loc[design, "sd"]) if told else NOT_PREDICTED
        costs = tuple(float(row[column]) for column in problem.objectives[1:])
        found.append(Candidate(design, mean, sd, costs))
    shared = problem.shared_error
    common = NOT_PREDICTED if shared is None else float(np.sqrt(shared.cover[0, 0]))
    first = tables.design_of(rows.iloc[0])
    strata = strata_of(verifier.float_logits(first), verifier.labels)
    budget = problem.budgets.get("drop")
    copies = () if budget is None else tuple(f"float copy {number}" for number in range(1, COPIES + 1))
    return Race(tuple(found), common, strata, budget, copies)


def measured_row(verifier: Evaluator, race: Race, table: pd.DataFrame, copy_logits: CopyLogits, task: Task) -> Row:
    """The row of a task: its design, a row of results.csv, or a copy of the float network, on its images.

    copy_logits: logits of a copy by its number, from 0, and images.
    """
    if task.candidate in race.copies:
        return Row.of(task, *verifier.sides_of(partial(copy_logits, race.copies.index(task.candidate)), task.images))
    design = tables.design_of(table.drop_duplicates("id").set_index("id").loc[task.candidate])
    return Row.of(task, *verifier.sides(design, task.images))


def verify(
    race: Race, measure: Callable[[Task], Row], shared: SharedRows, say: Say, advance: Advance = quiet
) -> list[Row]:
    """Measure until the race is over; all rows, the same ones in the same order whoever measured them, and when.

    measure: makes the row of a task; shared: keeps rows for other workers and later processes, and has those that they
    measured; `say` takes a line per round, `advance` the rows of it that are there.
    """
    rows: list[Row] = []
    while tasks := plan(race, rows):
        rows += shared.rows(tasks, measure, _heard(race, tasks, say, advance))
    return rows


def _heard(race: Race, tasks: Sequence[Task], say: Say, advance: Advance) -> Callable[[int], None]:
    """Takes how many rows of a round are there, and shows it."""
    what, said = f"verification, round {tasks[0].batch + 1}", False
    copies = sum(task.candidate in race.copies for task in tasks)
    who = f"{len(tasks) - copies} candidates" + (f" and {copies} copies of the float network" if copies else "")

    def heard(done: int) -> None:
        nonlocal said
        if not said:
            before = f", {done} of them measured before" if done else ""
            say(f"{what}: {who} on {len(tasks[0].images):,} unseen images each{before}")
        said = True
        advance(what, done, len(tasks))

    return heard


@dataclass(frozen=True)
class SharedRows:
    """Rows of a verification in the storage of its search; `inputs` is a text of what they depend on besides the task:
    the search's fingerprint and the unseen images."""

    work: SharedWork
    inputs: str

    def rows(self, tasks: Sequence[Task], measure: Callable[[Task], Row], heard: Callable[[int], None]) -> list[Row]:
        """The rows of tasks, kept ones as they are, the others measured by this worker and others."""
        named = {self._name(task): task for task in tasks}

        def do(name: str) -> Result:
            row = measure(named[name])
            return Result(row.record(), 100 * (len(row.lost) - len(row.won)) / len(row.images))

        found = self.work.results(list(named), do, heard)
        return [Row.from_record(task, record) for task, record in zip(tasks, found, strict=True)]

    def _name(self, task: Task) -> str:
        """The task's name, which the same design, images and inputs have in every process."""
        said = json.dumps([self.inputs, task.candidate, task.images])
        return f"{task.candidate}/{task.batch + 1}/{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def judged(race: Race, rows: Sequence[Row]) -> dict[str, Verified]:
    """What the rows of a race show of every candidate, by id."""
    if not race.candidates:
        return {}
    out = outcome(race, rows)
    low, high = out.belief.interval
    found, mean = out.found, out.belief.mean
    budget = UNKNOWN if race.budget is None else race.budget
    return {
        name: Verified(
            drop=float(found.drop[k]),
            drop_low=float(found.low[k]),
            drop_high=float(found.high[k]),
            images=int(found.images[k]),
            discordance=float(found.discordance[k]),
            expected=float(mean[k]),
            expected_low=float(low[k]),
            expected_high=float(high[k]),
            budget=budget,
            p_within=UNKNOWN if out.within is None else float(out.within[k]),
            shown=False if out.shown is None else bool(out.shown[k]),
        )
        for k, name in enumerate(race.ids)
    }


def right_of(race: Race, rows: Sequence[Row], verifier: Evaluator, candidate: str) -> list[int]:
    """Unseen images of every class that a candidate gets right: the float network's, less lost and plus won ones.

    Where only some images were measured, every image stands for those of its stratum that were not.
    """
    seen, changed = table_of_rows(rows, [candidate], len(race.strata))
    share = np.bincount(race.strata[seen[0]], minlength=race.strata.max() + 1) / np.bincount(race.strata)
    lost = np.where(seen[0], changed[0] / np.maximum(share[race.strata], 1e-9), 0.0)
    classes = len(verifier.float.right)
    gone = np.bincount(verifier.labels, weights=lost, minlength=classes)
    return [max(0, round(right - less)) for right, less in zip(verifier.float.right, gone.tolist(), strict=True)]


def _eligible(problem: Problem, table: pd.DataFrame) -> pd.DataFrame:
    """The rows that keep the side constraints."""
    if problem.sides == FREE:
        return table
    space = problem.space
    levels = [space.levels_of(tables.design_of(row)) for _, row in table.iterrows()]
    return table[obeyed(space, problem.sides, np.array(levels))]
