"""A search from a configuration to a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from dse.config.schema import Config
from dse.evaluation.evaluator import Evaluator
from dse.evaluation.experiment import Experiment
from dse.evaluation.measurement import Evaluation
from dse.evaluation.own_parts import NONE, OwnParts
from dse.exploration.expected_drop import expectation
from dse.exploration.study import evaluated
from dse.ledger.address import shown_command
from dse.ledger.leases import LEASE
from dse.ledger.storage import kept
from dse.results import history, tables, trust
from dse.results.contents import SO_FAR, Contents
from dse.results.files import write_csv
from dse.results.manifest import DataRecord, Inputs, Manifest, manifest
from dse.results.robustness import robustness
from dse.results.run import Run, write_run
from dse.results.start import keep_start
from dse.results.verified import verified_table
from dse.strategies import label
from dse.workflows.posing import measured_so_far, posed
from dse.workflows.search_steps import (
    base_setting,
    final_network,
    guided_search,
    precision_study,
    prepare,
    verification,
)
from dse.workflows.search_values import (
    SILENT,
    BaseSetting,
    Final,
    Listener,
    Precision,
    Prepared,
    Searched,
    StudyStorage,
)


def search(
    config: Config,
    out: Path,
    *,
    command: Sequence[str] = (),
    storage: StudyStorage | None = None,
    hear: Listener = SILENT,
    own: OwnParts = NONE,
) -> Run:
    """Carry out a search and write its run directory; joins and resumes what the directory or the storage holds.

    `out` is the run directory, `command` the words of the command line for the manifest, `storage` where the study is
    stored (by default the journal in `out`), `hear` how progress is shown, `own` what a caller in Python puts in the
    place of parts of the tool.  Raises ConfigError, ModelError or CostError
    for a mistake in the configuration, InfeasibleError for budgets that no design can keep, EvaluationError where
    evaluations keep failing, and LostStorageError where the database no longer answers.
    """
    storage = storage or StudyStorage(out)
    with kept(storage.url):
        prepared = prepare(config, storage, hear, own)
        keep_start(config.model_dump(mode="json", exclude_unset=True), out, command, own.record())
        return carried_out(prepared, out, command, hear)


def carried_out(prepared: Prepared, out: Path, command: Sequence[str] = (), hear: Listener = SILENT) -> Run:
    """The steps of a search after `prepare`, and its run directory.  Raises as `search` does.

    Interrupted, it leaves the front of what was measured in front-so-far.csv.
    """
    precision = precision_study(prepared, hear)
    try:
        base = base_setting(prepared, precision, hear)
        searched = guided_search(prepared, base, hear)
        final = final_network(prepared, base, searched, hear)
    except KeyboardInterrupt:
        keep_front(prepared, precision, out, hear)
        raise
    record = search_manifest(command, prepared, precision, base, searched, final)
    trust.keep(prepared.config)
    return write_run(out, contents(prepared, base, searched, final, record))


def keep_front(prepared: Prepared, precision: Precision, out: Path, hear: Listener) -> None:
    """Write the front of what workers have measured so far beside a search that is not finished."""
    if evaluated(prepared.study):
        problem, costing = posed(prepared, precision)
        table = measured_so_far(prepared, problem, costing, expectation(prepared.study, problem)[0])
        write_csv(out / SO_FAR, tables.front_of(table))
        hear.say(f"{out / SO_FAR}: the front of the {len(table) - 1} designs measured so far")


def join(config: Config, storage: StudyStorage, hear: Listener = SILENT) -> str:
    """Measure designs for a search that other workers share until its budget is used, then candidates on unseen images.

    `config` is the search's, `storage` where its study lies, `hear` who is told how far it is.  Returns why it stopped.
    Raises as `search` does.
    """
    with kept(storage.url):
        prepared = prepare(config, storage, hear)
        base = base_setting(prepared, precision_study(prepared, hear), hear)
        searched = guided_search(prepared, base, hear)
        verification(prepared, base, searched, hear)
        return searched.stop_reason


def contents(prepared: Prepared, base: BaseSetting, searched: Searched, final: Final, record: Manifest) -> Contents:
    """The run directory of a search: its steps as tables, with `record` as its manifest."""
    config, experiment = prepared.config, prepared.experiment
    problem, costing, table = base.problem, base.costing, searched.table
    spikes = tables.spikes_table(table, searched.evaluations, experiment.network.lif_layers)
    asked = robustness(costing, table, spikes, problem.objectives[2], final.picks, list(final.verified))
    return Contents(
        config=config,
        manifest=record,
        results=table,
        hardware=pd.DataFrame(costing.hardware.constants()),
        breakdown=tables.breakdown_table(costing, table, spikes, label(config.search.strategy), list(final.verified)),
        layers={
            form: network.with_zero_shares(problem.space.forms[form].weight_widths).table
            for form, network in experiment.networks.items()
        },
        spikes=spikes,
        sensitivity=tables.score_rows(problem.space, problem.whole.scores, experiment.network.table),
        history=history.history_table(prepared.study, label(config.search.strategy), searched.expected),
        predictions=history.predictions_table(prepared.study),
        expected=searched.expected.rename_axis("id").reset_index(),
        verified=verified_table(final.verified),
        health=final.health,
        classes=final.classes,
        decomposition=final.decomposition,
        picks=final.picks,
        base_setting=history.base_setting(problem, prepared.study),
        **(vars(asked) if asked else {}),
    )


def search_manifest(
    command: Sequence[str],
    prepared: Prepared,
    precision: Precision,
    base: BaseSetting,
    searched: Searched,
    final: Final,
) -> Manifest:
    """The manifest of a search; `command` is the command line word by word."""
    experiment, study, evaluator = prepared.experiment, prepared.study, prepared.evaluator
    trials = study.get_trials(deepcopy=False)
    parts: Manifest = {
        **inputs(prepared.config, experiment),
        "configuration": prepared.config.model_dump(mode="json"),
        "request": prepared.request,
        "workers": sorted({t.user_attrs[LEASE]["worker"] for t in trials if LEASE in t.user_attrs}),
        "float": float_record(evaluator.float) | {"verify": float_record(final.verifier.float)},
        "chaos": asdict(prepared.chaos) | {"needed_images": prepared.needed_images},
        "stop_reason": searched.stop_reason,
        "model": searched.quality.record,
        "failures": [t.user_attrs["error"] for t in trials if "error" in t.user_attrs],
        **_float_by_form(experiment, evaluator, final.verifier),
        "mixed": study.user_attrs.get("mixed", []),
        **({"own": experiment.own.record()} if experiment.own else {}),
    }
    phases = [step.phase for step in (prepared, precision, base, searched, final)]
    return manifest(shown_command(command), prepared.config.search.seed, phases, parts)


def inputs(config: Config, experiment: Experiment) -> Inputs:
    """Manifest entries that identify network, data and chip."""
    source = experiment.source
    return {
        "checkpoint": {
            "name": config.weights or "none",
            "network": experiment.network.model.config.name,
            "path": config.weights or "none",
            "sha256": experiment.checkpoint.sha256,
            "assumed": experiment.checkpoint.assumed,
        },
        "data": _data(experiment.images),
        "unseen": _data(source.for_verification()),
        "calibration": _data(source.for_calibration()),
        "hardware": {
            "name": experiment.hardware.name,
            "sha256": experiment.hardware.sha256,
            "path": config.hardware,
        },
    }


def _data(images: Any) -> DataRecord:
    return {
        "name": images.name,
        "split": images.split,
        "images": len(images),
        "sha256": images.sha256,
        "ids": list(images.ids),
        "corrupt": list(images.corrupt),
    }


def _float_by_form(experiment: Experiment, evaluator: Evaluator, verifier: Evaluator) -> Manifest:
    """`forms`: the float network as every form that occurred computes it; nothing where no form is searched.

    The function is the same; in float32 a neuron near its threshold may fire differently.
    """
    if len(experiment.networks) == 1:
        return {}
    first, second = evaluator.floats, verifier.floats
    met = [form for form in experiment.networks if form in first and form in second]
    return {"forms": {form: float_record(first[form]) | {"verify": float_record(second[form])} for form in met}}


def float_record(found: Evaluation) -> dict[str, Any]:
    """What a manifest says of the float network on some images."""
    return {"top1": found.top1, "top1_stderr": found.top1_stderr, "images": found.images}
