"""The steps of a search in the words of QSViT's methodology, each from values to values.

    prepared = prepare(config)
    precision = precision_study(prepared)
    base = base_setting(prepared, precision)
    searched = guided_search(prepared, base)
    final = final_network(prepared, base, searched)

Measurements go into the Optuna study as they are made, so that a search that was killed goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray

import sviT_models
from dse.config.schema import Config
from dse.evaluation.costs import Costing
from dse.evaluation.evaluator import Evaluation, Evaluator, from_record
from dse.evaluation.experiment import Experiment
from dse.evaluation.experiment import prepare as load_experiment
from dse.evaluation.health import class_table, health_table
from dse.evaluation.one_at_a_time import measure_distances
from dse.evaluation.sample_size import needed_images
from dse.problem.problem import Problem
from dse.problem.shared_error import SharedError
from dse.progress import Advance, quiet
from dse.results import tables
from dse.results.manifest import Phase, begin
from dse.results.picks import Picks, choose
from dse.results.verification import add_exact_pick, verify
from dse.search.best_design import check_budgets
from dse.search.build_problem import build_problem
from dse.search.expected_drop import Quality, expectation
from dse.search.loop import Loop, Step
from dse.search.study import evaluated, finished, open_study, quiet_optuna, reclaim_stale
from dse.strategies import load as load_strategy
from dse.surrogate.blas import on_one_thread

Watch = Callable[[], AbstractContextManager[Callable[[Step], None] | None]]


@dataclass(frozen=True)
class Listener:
    """Who hears how a search goes: lines in `say`, trials in `watch`, parts of long steps in `advance`."""

    say: Callable[[str], None] = lambda line: None
    watch: Watch = lambda: nullcontext(None)
    advance: Advance = quiet


@dataclass(frozen=True)
class Ledger:
    """Where the Optuna study lies: the journal of a run directory, a storage `url` of several workers, or memory.

    `allow_mixed` resumes a study although its inputs differ, and records that.
    """

    directory: Path | None = None
    url: str | None = None
    allow_mixed: bool = False

    def open(self, experiment: Experiment) -> optuna.Study:
        """The study with what it already holds.  Raises ConfigError where its inputs were others."""
        if self.directory is None:
            with quiet_optuna():
                return optuna.create_study(directions=["minimize"] * 3)
        self.directory.mkdir(parents=True, exist_ok=True)
        found = experiment.fingerprint()
        study = open_study(self.directory, found, url=self.url, allow_mixed=self.allow_mixed)
        if self.url is None:
            reclaim_stale(study)
        return study


@dataclass(frozen=True, eq=False)
class Prepared:
    """Network, images and chip, the study, the float network measured on the search images, and its chaos floor.

    `needed_images` is how many unseen images a guarantee of the drop budget takes; None without such a budget.
    """

    experiment: Experiment
    study: optuna.Study
    evaluator: Evaluator
    chaos: sviT_models.ChaosFloor
    needed_images: int | None
    phase: Phase


@dataclass(frozen=True, eq=False)
class Precision:
    """How much every layer suffers from every width.

    `fisher` has `layer, bits, score`; `distances` (D, B) are one-at-a-time distances [nat], NaN where not measured.
    """

    fisher: pd.DataFrame
    distances: NDArray[np.float64] | None
    phase: Phase


@dataclass(frozen=True, eq=False)
class BaseSetting:
    """The search problem, the costs of its designs, and the loop that has measured the baselines."""

    problem: Problem
    costing: Costing
    loop: Loop
    phase: Phase


@dataclass(frozen=True, eq=False)
class Searched:
    """What the search measured: `table` is results.csv, `evaluations` its rows as measured.

    `expected` (`expected, sd` [points] by id) and `quality` are the model of all measurements.
    """

    table: pd.DataFrame
    evaluations: list[Evaluation]
    expected: pd.DataFrame
    quality: Quality
    stop_reason: str
    phase: Phase


@dataclass(frozen=True, eq=False)
class Final:
    """The candidates on images that the search never saw (`verifier`), the picks among them, and how they fire."""

    verifier: Evaluator
    verified: Mapping[str, Evaluation]
    picks: Picks
    health: pd.DataFrame
    classes: pd.DataFrame
    phase: Phase


SILENT = Listener()


def prepare(config: Config, ledger: Ledger = Ledger(), hear: Listener = SILENT) -> Prepared:
    """Load what a configuration names, open the study, and measure the float network and its chaos floor.

    config  the configuration
    ledger  where the study lies; default: in memory
    hear    who hears how it goes; default: nobody
    """
    end = begin("prepare", hear.say)
    experiment = load_experiment(config, hear.advance)
    load_strategy(config.search.strategy)  # an unknown name stops here, before anything is measured
    study = ledger.open(experiment)
    if finished(study):
        hear.say(f"{ledger.directory}: resuming a study with {finished(study)} finished evaluations")
    evaluator = experiment.evaluator(experiment.images)
    chaos, budget = experiment.chaos_floor(), config.budgets.get("drop")
    needed = needed_images(chaos.changed, budget, images=chaos.images) if budget else None
    phase = end(1, evaluator.images_run + chaos.images * (chaos.copies + 1))
    share, stderr = evaluator.float.top1, evaluator.float.top1_stderr
    hear.say(f"float network: top-1 {share:.2%} +- {stderr:.2%} on {evaluator.images} images")
    hear.say(chaos_advice(chaos, budget, needed))
    return Prepared(experiment, study, evaluator, chaos, needed, phase)


def chaos_advice(chaos: sviT_models.ChaosFloor, budget: float | None, needed: int | None) -> str:
    """What the chaos floor means for a guarantee of the drop `budget` [points] on `needed` images, in one line.

    chaos  the chaos floor of the network
    """
    line = (
        f"chaos floor: noise of {chaos.noise:g} on the weights changes the class of {chaos.changed:.1%} of the images "
        f"(drop {chaos.drop:+.2f} pp)"
    )
    if needed is None:
        return line
    return f"{line}; a guarantee of at most {budget:g} pp takes {needed:,} unseen images on this network"


def precision_study(prepared: Prepared, hear: Listener = SILENT) -> Precision:
    """Step 1: gradient scores of every layer at every width, and one-at-a-time distances where they are asked for.

    prepared  what `prepare` gave
    hear      who hears how it goes; default: nobody
    """
    end = begin("1 precision study", hear.say)
    experiment = prepared.experiment
    search, images = experiment.config.search, experiment.config.data.fisher_images
    fisher, distances = experiment.fisher(search.widths), None
    if search.prior == "both" and load_strategy(search.strategy).reads_distances:
        found = measure_distances(experiment, search.prior_images)
        hear.say(f"one-at-a-time distances beside the gradient scores: {found.images:,} images evaluated for them")
        distances, images = found.distances, images + found.images
    for note in experiment.notes:
        hear.say(note)
    return Precision(fisher, distances, end(0, images))


@on_one_thread
def base_setting(prepared: Prepared, precision: Precision, hear: Listener = SILENT) -> BaseSetting:
    """Step 2: pose the search problem and measure its baselines, the guided setting among them.

    prepared   what `prepare` gave
    precision  what `precision_study` gave
    hear       who hears how it goes; default: nobody

    Raises InfeasibleError where no design can keep a budget.
    """
    end = begin("2 base setting", hear.say)
    experiment, evaluator = prepared.experiment, prepared.evaluator
    search, before = experiment.config.search, evaluator.images_run
    costing = experiment.costing()
    shared = SharedError.of(prepared.chaos, evaluator.images)
    problem = build_problem(experiment, costing, precision.fisher, precision.distances, shared)
    check_budgets(costing, problem)
    sampler = load_strategy(search.strategy)(problem, search.seed, **search.options)
    loop = Loop(problem, evaluator, costing.quantities, search.strategy, sampler)
    count = min(len(problem.baselines), search.evaluations)
    with hear.watch() as on_step:
        loop.run(prepared.study, count, on_step)
    return BaseSetting(problem, costing, loop, end(count, evaluator.images_run - before))


@on_one_thread
def guided_search(prepared: Prepared, base: BaseSetting, hear: Listener = SILENT) -> Searched:
    """Step 3: measure what the strategy proposes until the budget of evaluations is used, then the exact optimum.

    prepared  what `prepare` gave
    base      what `base_setting` gave; its loop goes on
    hear      who hears how it goes; default: nobody
    """
    end = begin("3 guided search", hear.say)
    experiment, evaluator, study = prepared.experiment, prepared.evaluator, prepared.study
    problem, count = base.problem, experiment.config.search.evaluations
    images, done = evaluator.images_run, finished(study)
    with hear.watch() as on_step:
        reason = base.loop.run(study, max(base.phase.evaluations, count - 1), on_step)
        add_exact_pick(base.loop, study, base.costing, count, hear.say)
    phase = end(finished(study) - done, evaluator.images_run - images)
    hear.say(f"stopped: {reason}")
    expected, quality = expectation(study, problem)
    for line in quality.lines:
        hear.say(line)
    trials, reference = evaluated(study), (experiment.float_design, evaluator.float)
    weights = {part.layers: part.weights for part in experiment.forms.values()}
    table = tables.results_table(problem, base.costing, trials, reference, lambda design: weights[design.layers])
    evaluations = [evaluator.float, *(from_record(t.user_attrs["evaluation"]) for t in trials)]
    return Searched(table, evaluations, expected, quality, reason, phase)


def final_network(prepared: Prepared, base: BaseSetting, searched: Searched, hear: Listener = SILENT) -> Final:
    """Step 4: measure candidates on images that the search never saw, and pick among them.

    prepared  what `prepare` gave
    base      what `base_setting` gave
    searched  what `guided_search` gave
    hear      who hears how it goes; default: nobody
    """
    end = begin("4 final network", hear.say)
    experiment, problem, table = prepared.experiment, base.problem, searched.table
    unseen = experiment.load("verify", experiment.config.data.verify_images)
    verifier = experiment.evaluator(unseen)
    verified = verify(verifier, problem, table, searched.expected, hear.say)
    phase = end(len(verified) + 1, verifier.images_run)
    third, needed = problem.objectives[2], prepared.needed_images
    picks = choose(table, problem.budgets, verified, third, needed, searched.expected)
    rows = table.set_index("id")
    ids = [str(rows.index[0]), *(pick["id"] for pick in picks["picks"])]
    known = {**verified, ids[0]: verifier.float}
    health = health_table(experiment, {i: tables.design_of(rows.loc[i]) for i in ids})
    classes = class_table(unseen, {i: known[i] for i in ids if i in known})
    return Final(verifier, verified, picks, health, classes, phase)
