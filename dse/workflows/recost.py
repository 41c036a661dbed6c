"""An old run on another chip: every cost is computed again, nothing is measured again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from costmodels import Hardware, Workload, load_hardware
from dse.config.file import dump_config, load_config
from dse.config.schema import Config
from dse.errors import ConfigError
from dse.evaluation.costs import Costing, objective_columns
from dse.evaluation.mixed import AnyCosting, FormCosting
from dse.results import files, picks, robustness
from dse.results import tables as results

COPIED = (
    *("layers.csv", "spikes.csv", "sensitivity.csv", "verified.csv", "history.csv"),
    *("health.csv", "classes.csv", "expected.csv", "predictions.csv"),
)


def read_run(run: Path) -> tuple[Config, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Configuration, results, layer table and spikes of a run directory."""
    for name in ("config.yaml", "results.csv", "layers.csv", "spikes.csv", "manifest.json"):
        if not (run / name).is_file():
            raise ConfigError(f"{run / name}: no such file; is {run} the --out of a finished `svit-dse search`?")
    tables = [pd.read_csv(run / name) for name in ("results.csv", "layers.csv", "spikes.csv")]
    return load_config(run / "config.yaml"), tables[0], tables[1], tables[2]


def costing_of_run(
    run: Path, config: Config, layers: pd.DataFrame, chip: Hardware, lif_order: tuple[str, ...] = ()
) -> AnyCosting:
    """The costs of a run's designs on a chip, by its layer tables: `layers.csv`, and `layers-<form>.csv` of others.

    Raises ConfigError where a table is missing.
    """
    rate, (first, *others) = config.frame_rate, config.forms
    parts = {str(first): Costing(Workload.from_table(layers, str(run / "layers.csv")), chip, rate, lif_order)}
    for form in others:
        path = run / f"layers-{form}.csv"
        if not path.is_file():
            raise ConfigError(f"{path}: no such file, and search.forms has {form}; search again")
        parts[form] = Costing(Workload.from_csv(path), chip, rate, lif_order)
    return FormCosting(parts) if others else parts[first]


def recost(run: Path, hardware: str, out: Path) -> None:
    """Write a run directory `out` with the measurements of `run` and the costs of another chip.

    Raises ConfigError when `run` is not a finished run or `out` is `run` itself.
    """
    config, table, layers, spikes = read_run(run)
    if out.resolve() == run.resolve():
        raise ConfigError(f"{out}: is the run itself; give the new costs another --out")
    chip = load_hardware(hardware)
    order = tuple(str(c).removeprefix("s:") for c in spikes.columns if c != "id")
    costing = costing_of_run(run, config, layers, chip, order)
    designs = [results.design_of(row) for _, row in table.iterrows()]
    counted = spikes.drop(columns="id").to_numpy(dtype=np.float64)
    budgets = config.column_budgets()
    objectives = objective_columns(config.search.objectives)
    new = results.judged(table.assign(**costing.columns(designs, counted)), budgets, objectives)
    out.mkdir(parents=True, exist_ok=True)
    for name in (*COPIED, *(f"layers-{form}.csv" for form in config.forms[1:])):
        if (run / name).is_file():
            shutil.copyfile(run / name, out / name)
    changed = config.model_copy(update={"hardware": hardware})
    files.write_text(out / "config.yaml", dump_config(changed))
    files.write_csv(out / "results.csv", new)
    files.write_csv(out / "front.csv", results.front_of(new))
    files.write_csv(out / "hardware.csv", pd.DataFrame(chip.constants()))
    files.write_csv(out / "breakdown.csv", files.breakdown_table(costing, new, counted, config.search.strategy))
    if (run / "verified.csv").is_file():
        verified = picks.read_verified(pd.read_csv(run / "verified.csv"))
        chaos = json.loads((run / "manifest.json").read_text(encoding="utf-8")).get("chaos") or {}
        known = run / "expected.csv"
        expected = pd.read_csv(known).set_index("id") if known.is_file() else None
        chosen = picks.choose(new, budgets, verified, objectives[2], chaos.get("needed_images"), expected)
        files.write_json(out / "picks.json", chosen)
        robustness.write(out, costing, new, objectives[2], chosen)
    _write_manifest(run, out, chip, hardware)


def _write_manifest(run: Path, out: Path, chip: Any, hardware: str) -> None:
    record = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    record["recosted_from"] = {"run": str(run), "hardware": record.get("hardware")}
    record["hardware"] = {"name": chip.name, "sha256": chip.sha256, "path": hardware}
    files.write_json(out / "manifest.json", record)
