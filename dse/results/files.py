"""Writing a run directory; docs/design.md says what each file holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd

from dse.arrays import FloatArray
from dse.config.file import dump_config
from dse.evaluation.evaluator import Evaluation
from dse.evaluation.experiment import Workbench
from dse.evaluation.mixed import AnyCosting
from dse.optimize.pareto import hypervolume
from dse.problem.problem import Problem
from dse.results import tables
from dse.search.loop import evaluated


def write_tables(
    out: Path,
    bench: Workbench,
    problem: Problem,
    costing: AnyCosting,
    table: pd.DataFrame,
    evaluations: Sequence[Evaluation],
) -> None:
    """Write the tables of a run directory; each file appears complete or not at all."""
    write_text(out / "config.yaml", dump_config(bench.config))
    write_csv(out / "layers.csv", bench.table)
    for form, part in list(bench.forms.items())[1:]:
        write_csv(out / f"layers-{form}.csv", part.table)
    write_csv(out / "results.csv", table)
    write_csv(out / "front.csv", tables.front_of(table))
    write_csv(out / "spikes.csv", tables.spikes_table(table, evaluations, bench.lif_layers))
    write_csv(out / "sensitivity.csv", tables.score_rows(problem.space, problem.scores, bench.table))
    write_csv(out / "hardware.csv", pd.DataFrame(costing.hardware.constants()))
    spikes = np.array([e.spikes for e in evaluations], dtype=np.float64)
    write_csv(out / "breakdown.csv", breakdown_table(costing, table, spikes, bench.config.search.strategy))


def breakdown_table(costing: AnyCosting, table: pd.DataFrame, spikes: FloatArray, strategy: str) -> pd.DataFrame:
    """Energy and memory per layer and component of the front and of every baseline; spikes are (N, LIF layers)."""
    # a strategy may carry the name of a baseline; the first design of that origin is the baseline
    detailed = table["on_front"] | (table["origin"] != strategy) | ~table["origin"].duplicated()
    parts = []
    for i in np.flatnonzero(detailed):
        part = costing.breakdown(tables.design_of(table.iloc[i]), spikes[i])
        part.insert(0, "id", table["id"].iloc[i])
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def history_table(study: optuna.Study, problem: Problem) -> pd.DataFrame:
    """The designs in the order of evaluation with their phase, cost and the hypervolume reached."""
    trials = evaluated(study)
    baselines = {b.origin for b in problem.baselines}
    origins = [str(t.user_attrs["origin"]) for t in trials]
    return pd.DataFrame(
        {
            "trial": [t.number for t in trials],
            "id": [t.user_attrs["design"] for t in trials],
            "phase": ["2 base setting" if o in baselines else "3 guided search" for o in origins],
            "origin": origins,
            "images": [t.user_attrs["images_run"] for t in trials],
            "seconds": [round(t.user_attrs["seconds"], 4) for t in trials],
            "hypervolume": hypervolume_curve([t.values for t in trials]),
        }
    )


def base_setting(problem: Problem, study: optuna.Study) -> dict[str, Any]:
    """The base setting of the methodology as an artefact: the guided design and the evidence it rests on.

    `groups` lists width and predicted harm (diagonal Fisher score) of every group; `measured` the drops of all
    baselines, in percentage points.
    """
    baselines = {b.origin: b.levels for b in problem.baselines}
    levels = baselines["guided"]
    design = problem.space.design(levels)
    kept = zip(problem.space.dimensions, problem.space.values(levels), problem.scores, levels, strict=True)
    return {
        "design": design.id,
        **({"form": problem.space.form_of(design)} if problem.space.variants else {}),
        "time_steps": design.time_steps,
        "state_bits": dict(design.state_bits),
        "groups": [
            {"group": d.name.removeprefix("w:"), "block": d.block, "bits": int(bits), "score": _finite(row[level])}
            for d, bits, row, level in kept
            if d.kind == "weight"
        ],
        "measured": [
            {"origin": t.user_attrs["origin"], "design": t.user_attrs["design"], "drop": t.user_attrs["drop"]}
            for t in evaluated(study)
            if t.user_attrs["origin"] in baselines
        ],
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def predictions_table(study: optuna.Study) -> pd.DataFrame:
    """What the strategy expected of each design before it was measured: `id, predicted, sd, measured` drop [points].

    `predicted_energy_j, measured_energy_j` are the energy by the activity of the designs before it and by its own;
    empty where the strategy does not predict it.
    """
    trials = [t for t in evaluated(study) if "predicted" in t.user_attrs]
    return pd.DataFrame(
        {
            "id": [t.user_attrs["design"] for t in trials],
            "predicted": [t.user_attrs["predicted"] for t in trials],
            "sd": [t.user_attrs["predicted_sd"] for t in trials],
            "measured": [t.user_attrs["drop"] for t in trials],
            "predicted_energy_j": [t.user_attrs.get("predicted_energy_j", np.nan) for t in trials],
            "measured_energy_j": [t.user_attrs.get("measured_energy_j", np.nan) for t in trials],
        }
    )


def hypervolume_curve(values: Sequence[Sequence[float]]) -> list[float]:
    """Hypervolume of the first n designs for n = 1..N, objectives scaled to the worst baseline values seen.

    The reference is 10 points of drop and the largest second and third objective among all designs, so the curve is
    in [0, 1] up to negative drops.
    """
    frame = pd.DataFrame(values, dtype=float)
    worst = [10.0, float(frame[1].max()), float(frame[2].max())]
    scaled = frame.clip(lower=0).div(worst).to_numpy()
    return [hypervolume(scaled[: n + 1], [1.0, 1.0, 1.0]) for n in range(len(scaled))]


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A path beside the target that takes its place when the block ends well."""
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, complete or not at all."""
    with _replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, tree: Any) -> None:
    """Write a JSON file, complete or not at all; NaN is refused."""
    write_text(path, json.dumps(tree, indent=2, allow_nan=False) + "\n")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV file, complete or not at all."""
    with _replacing(path) as part:
        table.to_csv(part, index=False, lineterminator="\n")
