"""A search that is not finished, as a run directory for the report: what its study holds, and nothing verified."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from costmodels.whole_files import replacing
from dse.config.file import parse_config
from dse.errors import ConfigError
from dse.evaluation.measurement import from_record
from dse.exploration.expected_drop import expectation
from dse.exploration.study import evaluated, finished
from dse.ledger import JOURNAL
from dse.ledger.address import shown_command
from dse.ledger.owner import check_links
from dse.results import history, tables, trust
from dse.results.contents import SO_FAR, START, UNFINISHED, Contents
from dse.results.files import read_json
from dse.results.manifest import Manifest, manifest
from dse.results.picks_file import Picks
from dse.results.places import placed
from dse.results.run import Run, write_run
from dse.strategies import label
from dse.workflows.posing import measured_so_far, posed
from dse.workflows.search import float_record, inputs
from dse.workflows.search_steps import precision_study, prepare
from dse.workflows.search_values import SILENT, Listener, Precision, Prepared, StudyStorage


def so_far(run: Path, hear: Listener = SILENT, trusted: bool = False) -> Run:
    """The run directory `UNFINISHED` inside of `run`: the designs that an unfinished search has measured.

    Network, images and chip are prepared again, as going on would; the study is read from a copy, so that a search that
    still runs is not disturbed.  `trusted`: code that the configuration names may be executed.  Raises ConfigError
    where nothing is measured yet, where the study lies in a database, where parts of the search were given in Python,
    and where the configuration names code that this user has not run; and what `prepare` raises.
    """
    check_links(run)
    start = read_json(run / START)
    if start.get("own"):
        own = " and ".join(start["own"])
        raise ConfigError(
            f"{run}: this search is not finished, and its {own} were given in Python; run that program again to go on "
            f"to its report; {SO_FAR} has the front of a search that was interrupted"
        )
    config = placed(parse_config(start.get("configuration", {}), str(run / START)), run, start.get("paths_from"))
    if trusted:
        trust.keep(config)
    trust.check(config, run)
    if not (run / JOURNAL).is_file():
        raise ConfigError(
            f"{run / JOURNAL}: no such file, so the study lies in a database; run the same search to go on"
        )
    with TemporaryDirectory() as folder:
        with replacing(Path(folder) / JOURNAL) as part:
            shutil.copyfile(run / JOURNAL, part)
        prepared = prepare(config, StudyStorage(Path(folder)), hear)
        if not evaluated(prepared.study):
            raise ConfigError(f"{run}: no evaluation is finished yet; run the same search command to go on")
        found = _contents(prepared, precision_study(prepared, hear), start.get("command", []))
    return write_run(run / UNFINISHED, found)


def _contents(prepared: Prepared, precision: Precision, command: Sequence[str]) -> Contents:
    """The tables of the designs measured so far, without picks."""
    experiment, study = prepared.experiment, prepared.study
    problem, costing = posed(prepared, precision)
    expected, _ = expectation(study, problem)
    table = measured_so_far(prepared, problem, costing, expected)
    measured = [prepared.evaluator.float, *(from_record(t.user_attrs["evaluation"]) for t in evaluated(study))]
    spikes = tables.spikes_table(table, measured, experiment.network.lif_layers)
    strategy = label(prepared.config.search.strategy)
    nothing: Picks = {
        "budgets": dict(problem.budgets),
        "verified_candidates": 0,
        "needed_images": prepared.needed_images,
        "picks": [],
        "savings": None,
    }
    return Contents(
        config=prepared.config,
        manifest=_manifest(prepared, precision, command),
        results=table,
        hardware=pd.DataFrame(costing.hardware.constants()),
        breakdown=tables.breakdown_table(costing, table, spikes, strategy, []),
        layers={form: network.table for form, network in experiment.networks.items()},
        spikes=spikes,
        sensitivity=tables.score_rows(problem.space, problem.whole.scores, experiment.network.table),
        history=history.history_table(study, strategy, expected),
        predictions=history.predictions_table(study),
        expected=expected.rename_axis("id").reset_index(),
        picks=nothing,
    )


def _manifest(prepared: Prepared, precision: Precision, command: Sequence[str]) -> Manifest:
    """As that of a finished search, with how much of it there is."""
    study, search = prepared.study, prepared.config.search
    known = inputs(prepared.config, prepared.experiment)
    parts: Manifest = {
        "checkpoint": known["checkpoint"],
        "data": known["data"],
        "hardware": known["hardware"],
        "configuration": prepared.config.model_dump(mode="json"),
        "float": float_record(prepared.evaluator.float),
        "chaos": asdict(prepared.chaos) | {"needed_images": prepared.needed_images},
        "stop_reason": "not finished",
        "unfinished": {"evaluations": finished(study), "of": prepared.evaluations},
        "failures": [t.user_attrs["error"] for t in study.get_trials(deepcopy=False) if "error" in t.user_attrs],
        "mixed": study.user_attrs.get("mixed", []),
    }
    return manifest(shown_command(command), search.seed, [prepared.phase, precision.phase], parts)
