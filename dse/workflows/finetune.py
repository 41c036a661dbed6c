"""Fine-tuning a design of a finished run, and keeping what comes of it beside the run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import sviT_models
from dse.evaluation.activation_widths import engine_options
from dse.evaluation.evaluator import Evaluation
from dse.evaluation.experiment import Workbench
from dse.evaluation.loading import load_at_most
from dse.problem.design import Design
from dse.progress import Advance, quiet
from dse.results import files, tables
from dse.results.tuned_weights import PARTS, TABLE, save_weights, with_weights
from dse.workflows.evaluate import of_run
from dse.workflows.recost import read_run
from sviT_models.measure import accuracy

MOST_IMAGES = 5000


@dataclass(frozen=True)
class Finetuned:
    """A fine-tuned design: its id, where it lies, and what was measured."""

    id: str
    directory: Path
    record: dict[str, Any]


def finetuned(
    run: Path,
    design: str,
    schedule: Any,
    count: int | None,
    progress: Callable[[int, float], None] | None = None,
    advance: Advance = quiet,
) -> Finetuned:
    """Fine-tune a design of a run on its training images; writes `finetuned/<id>/` and a row of `finetuned.csv`.

    Before and after are measured with integers on the verification images, paired.  Raises ConfigError and ModelError
    for a design that the run does not have and for one without integer weights.
    """
    bench, chosen = of_run(run, design, advance)
    images = load_at_most(bench.config, "train", count or MOST_IMAGES)
    weights = sviT_models.finetune_design(
        bench.model,
        bench.bank,
        chosen.weight_bits,
        images.images,
        schedule,
        time_steps=chosen.time_steps,
        progress=progress,
    )
    return keep(run, bench, chosen, weights, "finetuned", images, {"schedule": asdict(schedule)})


def keep(
    run: Path, bench: Workbench, chosen: Design, weights: dict[str, Any], origin: str, images: Any, how: dict[str, Any]
) -> Finetuned:
    """Measure a design with other integers than the bank's, and write `finetuned/<id>/` and a row of `finetuned.csv`.

    `images` are those the integers were learned from, `how` is kept in `design.json`.
    """
    tuned = with_weights(bench, weights)
    name = weights_id(chosen, weights)
    logits, labels = _verified(bench, tuned, chosen)
    exact, before, after = (accuracy.correct(each, labels) for each in logits)
    record = {
        "id": name,
        "origin": origin,
        "parent": chosen.id,
        "checkpoint_sha256": bench.checkpoint.sha256,
        "data_sha256": images.sha256,
        "training_images": len(images),
        **how,
        "images": len(labels),
        "before": _drop(accuracy.paired_drop(exact, before)),
        "after": _drop(accuracy.paired_drop(exact, after)),
        "gain": _drop(accuracy.paired_drop(after, before)),
    }
    directory = run / "finetuned" / name
    directory.mkdir(parents=True, exist_ok=True)
    save_weights(directory, weights)
    files.write_json(directory / "design.json", {**record, "weight_bits": list(chosen.weight_bits)})
    _add_row(run, bench, name, chosen, tuned.evaluator(bench.images)(chosen), record)
    return Finetuned(name, directory, record)


def weights_id(design: Design, weights: dict[str, Any]) -> str:
    """Short content hash of a design with other integers; `ft` in front tells it from a design of the search."""
    content = hashlib.sha256(design.id.encode())
    for weight in weights.values():
        for part in PARTS:
            content.update(getattr(weight, part).contiguous().numpy().tobytes())
    return f"ft{content.hexdigest()[:8]}"


def _drop(found: accuracy.PairedDrop) -> dict[str, float]:
    return {"drop": found.drop, "low": found.low, "high": found.high}


def _verified(bench: Workbench, tuned: Workbench, design: Design) -> tuple[list[Any], Any]:
    """Logits of the float network, the design and the fine-tuned design on the verification images, and the labels."""
    images = bench.load("verify", bench.config.data.verify_images)
    states = {lif: bits for stage, bits in design.state_bits.items() for lif in bench.lif_by_stage[stage]}
    options: dict[str, Any] = {"batch_size": bench.config.data.batch_size, "time_steps": design.time_steps}
    if states:
        options |= {"state_bits": states} | engine_options(bench.activation_bits)
    pixels = torch.as_tensor(images.images)
    exact = bench.engine.run(pixels, bench.float_design.weight_bits, batch_size=options["batch_size"])
    outputs = [exact]
    for each in (bench, tuned):
        bench.advance("measuring float, before and after", len(outputs), 3)
        outputs.append(each.engine.run(pixels, design.weight_bits, **options))
    bench.advance("measuring float, before and after", 3, 3)
    return [out.logits for out in outputs], np.asarray(images.labels)


def _add_row(
    run: Path, bench: Workbench, name: str, design: Design, evaluation: Evaluation, record: dict[str, Any]
) -> None:
    """Add the design to finetuned.csv: the columns of results.csv, measured on the search images, and the parent's."""
    _, table, _, _ = read_run(run)
    row = table[table["id"] == design.id].iloc[0].to_dict()
    measured = asdict(evaluation)
    row |= {column: measured[column] for column in row if column in measured}
    costs = bench.costing().columns([design], np.array([evaluation.spikes]))
    row |= {column: values[0] for column, values in costs.items() if column in row}
    budgets = bench.config.column_budgets()
    feasible = bool(row.get("fits", True)) and all(row[column] <= limit for column, limit in budgets.items())
    row |= {"id": name, "origin": record["origin"], "on_front": False, "feasible": feasible, "parent": design.id}
    for when in ("before", "after", "gain"):
        row |= {f"verify_{when}_{key}": value for key, value in record[when].items()}
    path = run / TABLE
    new = pd.DataFrame([row])
    if path.exists():
        old = pd.read_csv(path)
        new = pd.concat([old[old["id"] != name], new], ignore_index=True)
    files.write_csv(path, new)
    assert tables.design_of(new.iloc[-1]).weight_bits == design.weight_bits
