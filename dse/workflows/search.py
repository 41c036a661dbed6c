"""The whole job, in the four steps of QSViT's methodology: precision study, base setting, search, final network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import sviT_models
from dse.config.schema import Config
from dse.evaluation.evaluator import Evaluation, from_record
from dse.evaluation.experiment import Workbench, prepare
from dse.evaluation.health import class_table, health_table
from dse.evaluation.mixed import AnyEvaluator, FormEvaluator
from dse.evaluation.one_at_a_time import READERS, second_opinion
from dse.evaluation.sample_size import needed_images
from dse.problem.shared_error import Luck
from dse.progress import Advance, quiet
from dse.results import files, picks, robustness, tables
from dse.results.manifest import manifest
from dse.results.phases import Clock, Say
from dse.results.verification import add_exact_pick, verify
from dse.search.best_design import check_budgets
from dse.search.build_problem import build_problem
from dse.search.expected_drop import expectation
from dse.search.loop import Loop, Step, evaluated, finished, open_study, reclaim_stale
from dse.strategies import load as load_strategy
from dse.surrogate.blas import on_one_thread

Watch = Callable[[], AbstractContextManager[Callable[[Step], None] | None]]


@dataclass(frozen=True)
class Run:
    """A finished search: where it lies and what it recommends."""

    directory: Path
    table: pd.DataFrame
    picks: dict[str, Any]
    stop_reason: str


@on_one_thread
def search(
    config: Config,
    out: Path,
    *,
    command: Sequence[str] = (),
    storage: str | None = None,
    allow_mixed: bool = False,
    say: Say = lambda line: None,
    watch: Watch = lambda: nullcontext(None),
    advance: Advance = quiet,
) -> Run:
    """Carry out a search and write its run directory; joins and resumes what the directory or the storage holds."""
    clock = Clock(say)
    clock.begin("prepare")
    bench = prepare(config, advance)
    strategy = load_strategy(config.search.strategy)
    out.mkdir(parents=True, exist_ok=True)
    study = open_study(out, bench.fingerprint(), url=storage, allow_mixed=allow_mixed)
    if storage is None:
        reclaim_stale(study)
    if finished(study):
        say(f"{out}: resuming a study with {finished(study)} finished evaluations")
    evaluator = bench.evaluator(bench.images)
    chaos = bench.chaos_floor()
    budget = config.budgets.get("drop")
    needed = needed_images(chaos.changed, budget, images=chaos.images) if budget else None
    clock.end(1, evaluator.images_run + chaos.images * (chaos.copies + 1))
    share, stderr = evaluator.float.top1, evaluator.float.top1_stderr
    say(f"float network: top-1 {share:.2%} +- {stderr:.2%} on {evaluator.images} images")

    say(chaos_advice(chaos, budget, needed))
    clock.begin("1 precision study")
    fisher = bench.fisher(bench.config.search.widths)
    opinion = None
    if config.search.prior == "both" and config.search.strategy in READERS:
        opinion = second_opinion(bench, config.search.prior_images)
        say(f"one-at-a-time distances beside the gradient scores: {opinion.images:,} images evaluated for them")
    for note in bench.notes:
        say(note)
    clock.end(0, config.data.fisher_images + (opinion.images if opinion else 0))

    clock.begin("2 base setting")
    costing = bench.costing()
    luck = Luck.of(chaos, evaluator.images)
    problem = build_problem(bench, costing, fisher, opinion.distances if opinion else None, luck)
    check_budgets(costing, problem)
    sampler = strategy(problem, config.search.seed, **config.search.options)
    loop = Loop(problem, evaluator, costing, config.search.strategy, sampler)
    before = evaluator.images_run
    with watch() as on_step:
        base = min(len(problem.baselines), config.search.evaluations)
        loop.run(study, base, on_step)
        clock.end(base, evaluator.images_run - before)
        files.write_json(out / "base_setting.json", files.base_setting(problem, study))
        clock.begin("3 guided search")
        before, started = evaluator.images_run, finished(study)
        reason = loop.run(study, max(base, config.search.evaluations - 1), on_step)
        add_exact_pick(loop, study, costing, config.search.evaluations, say)
        clock.end(finished(study) - started, evaluator.images_run - before)
    say(f"stopped: {reason}")
    expected, diagnosis = expectation(study, problem)
    for line in diagnosis.lines:
        say(line)

    trials = evaluated(study)
    reference = (bench.float_design, evaluator.float)
    table = tables.results_table(problem, costing, trials, reference, lambda design: bench.of(design).weights)
    clock.begin("4 final network")
    unseen = bench.load("verify", config.data.verify_images)
    verifier = bench.evaluator(unseen)
    verified = verify(verifier, problem, table, expected, say)
    clock.end(len(verified) + 1, verifier.images_run)
    files.write_csv(out / "verified.csv", picks.verified_table(verified))
    chosen = picks.choose(table, problem.budgets, verified, problem.objectives[2], needed, expected)
    files.write_csv(out / "expected.csv", expected.rename_axis("id").reset_index())
    files.write_csv(out / "predictions.csv", files.predictions_table(study))
    evaluations = [evaluator.float, *(from_record(t.user_attrs["evaluation"]) for t in trials)]
    files.write_tables(out, bench, problem, costing, table, evaluations)
    files.write_csv(out / "history.csv", files.history_table(study, problem))
    files.write_json(out / "picks.json", chosen)
    _write_health(out, bench, table, chosen, {**verified, str(table["id"].iloc[0]): verifier.float}, unseen)
    robustness.write(out, costing, table, problem.objectives[2], chosen)
    failures = [t.user_attrs.get("error", "") for t in study.get_trials(deepcopy=False) if "error" in t.user_attrs]
    record = manifest(
        command,
        config.search.seed,
        clock.phases,
        **inputs(bench),
        float=_float_record(evaluator, verifier),
        chaos=asdict(chaos) | {"needed_images": needed},
        stop_reason=reason,
        model=diagnosis.record,
        failures=failures,
        **_float_by_form(bench, evaluator, verifier),
        mixed=study.user_attrs.get("mixed", []),
    )
    files.write_json(out / "manifest.json", record)
    return Run(out, table, chosen, reason)


def chaos_advice(chaos: sviT_models.ChaosFloor, budget: float | None, needed: int | None) -> str:
    """What the chaos floor means for a promise, in one line."""
    line = (
        f"chaos floor: noise of {chaos.noise:g} on the weights changes the class of {chaos.changed:.1%} of the images "
        f"(drop {chaos.drop:+.2f} pp)"
    )
    if needed is None:
        return line
    return f"{line}; a promise of at most {budget:g} pp takes {needed:,} unseen images on this network"


def _write_health(
    out: Path,
    bench: Workbench,
    table: pd.DataFrame,
    chosen: dict[str, Any],
    verified: dict[str, Evaluation],
    unseen: Any,
) -> None:
    """Write health.csv and classes.csv: the float network and the picks."""
    rows = table.set_index("id")
    ids = [str(rows.index[0]), *(p["id"] for p in chosen["picks"])]
    files.write_csv(out / "health.csv", health_table(bench, {i: tables.design_of(rows.loc[i]) for i in ids}))
    files.write_csv(out / "classes.csv", class_table(unseen, {i: verified[i] for i in ids if i in verified}))


def inputs(bench: Workbench) -> dict[str, Any]:
    """Manifest entries that identify network, data and chip."""
    images = bench.images
    return {
        "checkpoint": {
            "name": bench.config.checkpoint,
            "network": bench.model.config.name,
            "path": str(bench.config.checkpoint),
            "sha256": bench.checkpoint.sha256,
        },
        "data": {
            "name": images.name,
            "split": images.split,
            "images": len(images),
            "sha256": images.sha256,
            "ids": list(images.ids),
            "corrupt": list(images.corrupt),
        },
        "hardware": {
            "name": bench.hardware.name,
            "sha256": bench.hardware.sha256,
            "path": bench.config.hardware,
        },
    }


def _float_by_form(bench: Workbench, evaluator: AnyEvaluator, verifier: AnyEvaluator) -> dict[str, Any]:
    """`forms`: the float network as every form that occurred computes it; nothing where no form is searched.

    The function is the same; in float32 a neuron near its threshold may fire differently.
    """
    if not (isinstance(evaluator, FormEvaluator) and isinstance(verifier, FormEvaluator)):
        return {}
    met = {g: p.layers for g, p in bench.forms.items() if p.layers in evaluator.parts and p.layers in verifier.parts}
    return {"forms": {g: _float_record(evaluator.of(layers), verifier.of(layers)) for g, layers in met.items()}}


def _float_record(evaluator: AnyEvaluator, verifier: AnyEvaluator) -> dict[str, Any]:
    first, second = evaluator.float, verifier.float
    return {
        "top1": first.top1,
        "top1_stderr": first.top1_stderr,
        "images": first.images,
        "verify": {"top1": second.top1, "top1_stderr": second.top1_stderr, "images": second.images},
    }
