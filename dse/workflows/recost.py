"""An old run on another chip: every cost is computed again, nothing is measured again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from costmodels import load_hardware
from costmodels.whole_files import replacing
from dse.config.quantities import objective_columns
from dse.errors import ConfigError
from dse.ledger.owner import check_links
from dse.results import tables
from dse.results.contents import Contents
from dse.results.manifest import Manifest
from dse.results.picks import choose
from dse.results.robustness import robustness
from dse.results.run import Run, open_run, write_run
from dse.strategies import label

MEASURED = (
    *("layers.csv", "spikes.csv", "sensitivity.csv", "verified.csv", "history.csv"),
    *("health.csv", "classes.csv", "expected.csv", "predictions.csv"),
)


def recost(path: Path, hardware: str, out: Path) -> Run:
    """Write a run directory `out` with the measurements of the run in `path` and the costs of another chip.

    `hardware` is a shipped chip's name or a file.  Raises ConfigError when `path` is not a finished run or `out` is
    `path` itself, and CostError for a chip that cannot be read.
    """
    run = open_run(path)
    if out.resolve() == path.resolve():
        raise ConfigError(f"{out}: is the run itself; give the new costs another --out")
    check_links(out)
    contents = recosted(run, hardware)
    out.mkdir(parents=True, exist_ok=True)
    for name in (*MEASURED, *(f"layers-{form}.csv" for form in run.config.forms[1:])):
        if (path / name).is_file():
            with replacing(out / name) as part:
                shutil.copyfile(path / name, part)
    return write_run(out, contents)


def recosted(run: Run, hardware: str) -> Contents:
    """The run's designs as they are costed, judged and picked on another chip; measured files are not among them."""
    chip = load_hardware(hardware)
    costing = run.costing(chip)
    designs = [tables.design_of(row) for _, row in run.table.iterrows()]
    search, budgets = run.config.search, run.config.column_budgets()
    objectives = objective_columns(search.objectives)
    table = tables.judged(tables.costed(run.table, costing, designs, run.spike_counts), budgets, objectives)
    record: Manifest = {
        **run.manifest,
        "recosted_from": {"run": str(run.path), "hardware": run.manifest.get("hardware")},
        "hardware": {"name": chip.name, "sha256": chip.sha256, "path": hardware},
    }
    if own := run.manifest.get("own"):
        record["own"] = {key: value for key, value in own.items() if key == "evaluator"}  # costs are the chip's now
    picks = asked = None
    if run.verified is not None:
        picks = choose(table, budgets, run.verified, objectives[2], run.expected)
        asked = robustness(costing, table, run.spikes, objectives[2], picks, list(run.verified))
    return Contents(
        config=run.config.model_copy(update={"hardware": hardware}),
        manifest=record,
        results=table,
        hardware=pd.DataFrame(chip.constants()),
        breakdown=tables.breakdown_table(costing, table, run.spikes, label(search.strategy), list(run.verified or ())),
        picks=picks,
        **(vars(asked) if asked else {}),
    )
