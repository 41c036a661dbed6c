"""The steps of a search in the words of QSViT's methodology, each from values to values.

    prepared = prepare(config)
    precision = precision_study(prepared)
    base = base_setting(prepared, precision)
    searched = guided_search(prepared, base)
    final = final_network(prepared, base, searched)

Measurements go into the Optuna study as they are made, so that a search that was killed goes on from there.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial

import pandas as pd

import sviT_models
from costmodels import load_hardware
from dse.config.schema import Config
from dse.evaluation.distances import distances_for, distances_of, written
from dse.evaluation.health import class_table, health_table
from dse.evaluation.measurement import from_record, share_text
from dse.evaluation.own_parts import NONE, OwnParts
from dse.evaluation.prepare import chip_widths, fingerprint, identity, resolved
from dse.evaluation.prepare import prepare as load_experiment
from dse.evaluation.sample_size import needed_images
from dse.evaluation.shared_preparation import as_json, chaos_of, shared
from dse.evaluation.subsets import Share
from dse.exploration.best_design import best_under_budgets
from dse.exploration.expected_drop import expectation, model_of
from dse.exploration.loop import Loop, used
from dse.exploration.study import DIMENSIONS, beside, evaluated, finished, quiet_optuna
from dse.ledger.shared_work import SharedWork
from dse.ledger.storage import reach
from dse.results import tables
from dse.results.manifest import begin
from dse.results.picks import choose
from dse.results.verification import (
    SharedRows,
    add_exact_picks,
    judged,
    last_designs,
    measured_row,
    race_of,
    right_of,
    verify,
)
from dse.strategies import label
from dse.strategies import load as load_strategy
from dse.surrogate.blas import on_one_thread
from dse.workflows.again import request
from dse.workflows.decomposed import decomposed
from dse.workflows.door import check_search
from dse.workflows.posing import measured_so_far, posed
from dse.workflows.search_images import images_text, with_images
from dse.workflows.search_values import (
    IN_MEMORY,
    SILENT,
    BaseSetting,
    Final,
    Listener,
    Precision,
    Prepared,
    Searched,
    StudyStorage,
    Verification,
)


def prepare(
    config: Config, storage: StudyStorage = IN_MEMORY, hear: Listener = SILENT, own: OwnParts = NONE
) -> Prepared:
    """Load what a configuration names, open the study, and measure the float network and its chaos floor.

    config   the configuration
    storage  where the study is stored; default: in memory
    hear     how progress is shown; default: not at all
    own      parts that a caller in Python puts in the place of the tool's; default: none

    Raises what `door.check_search` raises, before any image is evaluated.
    """
    with quiet_optuna():
        reach(storage.url, storage.directory)
    chip_widths(config.search, load_hardware(config.hardware))  # a mistake there is told before anything is shown
    end = begin("prepare", hear.say)
    experiment = load_experiment(config, hear.advance, storage.shares, own)
    given, config = config, resolved(config, experiment)
    if experiment.checkpoint.assumed:
        hear.say(experiment.checkpoint.assumed)
    check_search(config, experiment)
    inputs = fingerprint(config, experiment)
    timed = config.search.hours is not None  # then other workers need the images that this one makes of the hours
    study = storage.open(inputs, hear.say, announced=not timed)
    if DIMENSIONS not in study.user_attrs:
        study.set_user_attr(DIMENSIONS, {d.name: list(d.choices) for d in experiment.space.dimensions})
    if finished(study):
        hear.say(f"{storage.directory}: resuming a study with {finished(study)} finished evaluations")
    evaluator = experiment.evaluator(experiment.images)
    depends = (inputs, config.search.seed) if storage.shares else None
    chaos = shared(depends and ("chaos", *depends), experiment.chaos_floor, asdict, chaos_of)
    budget = config.budgets.get("drop")
    needed = needed_images(chaos.changed, budget, images=chaos.images) if budget else None
    config = with_images(config, experiment, evaluator, chaos.changed, study)
    if timed:
        storage.opened()
    phase = end(1, evaluator.images_run + chaos.images * (chaos.copies + 1))
    top1 = share_text(evaluator.float.top1, evaluator.images)
    hear.say(f"float network: top-1 {top1} on {evaluator.images} images, 95 % interval")
    share = Share(config.search.evaluations or 0, evaluator.each)
    hear.say(f"images: {images_text(share, evaluator.images)}")
    hear.say(chaos_advice(chaos, budget, needed))
    asked = request(given, experiment.source, own)
    return Prepared(config, experiment, study, evaluator, chaos, needed, asked, phase, depends)


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
    hear      how progress is shown; default: not at all
    """
    end = begin("1 precision study", hear.say)
    experiment, search = prepared.experiment, prepared.config.search
    images = experiment.source.fisher_images
    depends, distances = prepared.shared, None
    depends = depends and (*depends, experiment.source.for_gradients().sha256)
    fisher = shared(
        depends and ("fisher", *depends), partial(experiment.fisher, experiment.widths), as_json, pd.DataFrame
    )
    if search.prior != "fisher" and load_strategy(search.strategy).reads_distances:
        depends = depends and ("distances", search.prior, search.prior_images, *depends)
        make = partial(distances_for, experiment, search.prior, search.prior_images)
        found = shared(depends, make, written, distances_of)
        if found.images:
            hear.say(found.advice)
        distances, images = found.distances, images + found.images
    for note in experiment.notes:
        hear.say(note)
    return Precision(fisher, distances, end(0, images))


@on_one_thread
def base_setting(prepared: Prepared, precision: Precision, hear: Listener = SILENT) -> BaseSetting:
    """Step 2: pose the search problem and measure its baselines, the guided setting among them.

    prepared   what `prepare` gave
    precision  what `precision_study` gave
    hear       how progress is shown; default: not at all
    """
    end = begin("2 base setting", hear.say)
    evaluator, search = prepared.evaluator, prepared.config.search
    before = evaluator.images_run
    problem, costing = posed(prepared, precision)
    sampler = load_strategy(search.strategy)(problem, search.seed, **search.options)
    loop = Loop(problem, evaluator, costing.quantities, label(search.strategy), sampler)
    count = min(len(problem.baselines), prepared.evaluations)
    with hear.steps(prepared.study, prepared.evaluations) as on_step:
        loop.run(prepared.study, count, on_step)
    return BaseSetting(problem, costing, loop, end(count, evaluator.images_run - before))


@on_one_thread
def guided_search(prepared: Prepared, base: BaseSetting, hear: Listener = SILENT) -> Searched:
    """Step 3: measure what the strategy proposes until the budget of evaluations is used, then the exact optimum.

    prepared  what `prepare` gave
    base      what `base_setting` gave; its loop goes on
    hear      how progress is shown; default: not at all
    """
    end = begin("3 guided search", hear.say)
    evaluator, study = prepared.evaluator, prepared.study
    problem, count = base.problem, prepared.evaluations
    images, done = evaluator.images_run, finished(study)
    proposals = max(base.phase.evaluations, count - last_designs(problem, count))
    with hear.steps(study, count) as on_step:
        reason = base.loop.run(study, proposals, on_step)
        add_exact_picks(base.loop, study, partial(best_under_budgets, base.costing), count, hear.say)
    if reason == used(proposals) and finished(study) >= count:
        reason = used(count)
    phase = end(finished(study) - done, evaluator.images_run - images)
    hear.say(f"stopped: {reason}")
    model = model_of(study, problem)
    expected, quality = expectation(study, problem, model)
    for line in quality.lines:
        hear.say(line)
    table = measured_so_far(prepared, problem, base.costing, expected)
    evaluations = [evaluator.float, *(from_record(t.user_attrs["evaluation"]) for t in evaluated(study))]
    return Searched(table, evaluations, expected, quality, model, reason, phase)


def verification(prepared: Prepared, base: BaseSetting, searched: Searched, hear: Listener = SILENT) -> Verification:
    """Measure candidates on images that the search never saw; workers of one study share them.

    prepared  what `prepare` gave
    base      what `base_setting` gave
    searched  what `guided_search` gave
    hear      how progress is shown; default: not at all
    """
    experiment, study = prepared.experiment, prepared.study
    unseen = experiment.source.for_verification()
    verifier = experiment.evaluator(unseen)
    race = race_of(base.problem, searched.table, searched.expected, searched.quality.found.scatter, verifier)
    inputs = json.dumps([study.user_attrs.get("fingerprint"), identity(unseen)], sort_keys=True)
    kept_rows = SharedRows(SharedWork(beside(study, "verification")), inputs)
    measure = partial(measured_row, verifier, race, searched.table, experiment.copy_logits)
    with quiet_optuna():
        rows = verify(race, measure, kept_rows, hear.say, hear.advance)
    return Verification(unseen, verifier, race, rows)


def final_network(prepared: Prepared, base: BaseSetting, searched: Searched, hear: Listener = SILENT) -> Final:
    """Step 4: measure candidates on images that the search never saw, and pick among them.

    prepared  what `prepare` gave
    base      what `base_setting` gave
    searched  what `guided_search` gave
    hear      how progress is shown; default: not at all
    """
    end = begin("4 final network", hear.say)
    experiment, problem, table = prepared.experiment, base.problem, searched.table
    done = verification(prepared, base, searched, hear)
    race, measured, verifier = done.race, done.rows, done.verifier
    verified = judged(race, measured)
    picks = choose(table, problem.budgets, verified, problem.objectives[2], searched.expected)
    parts = decomposed(prepared, base, searched, picks)
    if parts.said:
        hear.say(parts.said)
    phase = end(len(verified) + 1 + parts.designs, verifier.images_run + parts.images)
    rows = table.set_index("id")
    ids = [str(rows.index[0]), *(pick["id"] for pick in picks["picks"])]
    health = health_table(experiment, {i: tables.design_of(rows.loc[i]) for i in ids})
    picked = {i: right_of(race, measured, verifier, i) for i in ids[1:]}
    classes = class_table(done.unseen, {ids[0]: verifier.float.right, **picked})
    return Final(verifier, verified, picks, health, classes, parts.table, phase)
