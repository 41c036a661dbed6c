"""Other integers for one design of a finished run: learned from training images, or its batch norms estimated again.

What comes of it is measured and kept beside the run, in its folder `finetuned`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import sviT_models
from dse.evaluation.experiment import Experiment
from dse.evaluation.measurement import Evaluation
from dse.ledger.owner import check_links
from dse.problem.design import Design
from dse.progress import Advance, quiet, within
from dse.results.experiment import experiment_of
from dse.results.origin import FINETUNED, REESTIMATED
from dse.results.own_parts import check_own
from dse.results.run import Run, open_run
from dse.results.tuned_weights import PARTS, Weights, with_weights
from sviT_models.measure import accuracy

MOST_IMAGES = 5000


@dataclass(frozen=True)
class Finetuned:
    """A design with other integers: its id, where it lies, and what was measured."""

    id: str
    directory: Path
    record: dict[str, Any]


@dataclass(frozen=True)
class Source:
    """Where integers come from: `origin` of the new design, the images they were made from, and further facts."""

    origin: str
    images: sviT_models.ImageSet
    facts: Mapping[str, Any]


def finetuned(
    run: Path,
    design: str,
    schedule: sviT_models.Schedule,
    count: int | None,
    progress: Callable[[int, float], None] | None = None,
    advance: Advance = quiet,
) -> Finetuned:
    """Fine-tune a design of a run on its training images; writes `finetuned/<id>/` and a row of `finetuned.csv`.

    `design` is an id or an origin; `count` training images are used, by default at most 5000.  `progress` hears the
    epoch and its loss [nat], `advance` how far the other steps are.  Before and after are measured with integers on the
    verification images, paired.  Raises ConfigError and ModelError for a design that the run does not have and for one
    without integer weights.
    """
    opened = open_run(run)
    check_own(opened, "other integers for a design")
    check_links(run)
    chosen, experiment = opened.design(design), experiment_of(opened, design, advance)
    images = experiment.source.at_most("train", count or MOST_IMAGES)
    weights = sviT_models.finetune_design(
        experiment.network.model,
        experiment.network.bank,
        chosen.weight_bits,
        images.images,
        schedule,
        time_steps=chosen.time_steps,
        progress=progress,
        step=within(advance, "training steps"),
    )
    return keep(opened, experiment, chosen, weights, Source(FINETUNED, images, {"schedule": asdict(schedule)}))


def reestimated(run: Path, design: str, count: int | None = None, advance: Advance = quiet) -> Finetuned:
    """A design whose norms have the statistics of its own sums on unlabelled validation images.

    `design` is an id or an origin; `count` images are used, by default as many as the run calibrated with.  Before and
    after are measured with integers on the verification images, paired.  Raises ConfigError and ModelError for a design
    that the run does not have and for one without integer weights.
    """
    opened = open_run(run)
    check_own(opened, "other integers for a design")
    check_links(run)
    chosen, experiment = opened.design(design), experiment_of(opened, design, advance)
    source, network = experiment.source, experiment.network
    images = source.at_most("validation", count or source.calibration_images)
    found = sviT_models.reestimate(
        network.model, network.bank, chosen.weight_bits, images.images, time_steps=chosen.time_steps
    )
    return keep(opened, experiment, chosen, found.weights, Source(REESTIMATED, images, {"dead_channels": found.dead}))


def keep(run: Run, experiment: Experiment, design: Design, weights: Weights, source: Source) -> Finetuned:
    """Measure a design with other integers than the bank's, and keep it beside the run."""
    tuned = with_weights(experiment, weights)
    name = weights_id(design, weights)
    logits, labels = _verified(experiment, tuned, design)
    exact, before, after = (accuracy.correct(each, labels) for each in logits)
    record = {
        "id": name,
        "origin": source.origin,
        "parent": design.id,
        "checkpoint_sha256": experiment.checkpoint.sha256,
        "data_sha256": source.images.sha256,
        "training_images": len(source.images),
        **source.facts,
        "images": len(labels),
        "before": _drop(accuracy.paired_drop(exact, before)),
        "after": _drop(accuracy.paired_drop(exact, after)),
        "gain": _drop(accuracy.paired_drop(after, before)),
    }
    row = _row(run, experiment, design, tuned.evaluator(experiment.images)(design), record)
    directory = run.add_tuned(row, {**record, "weight_bits": list(design.weight_bits)}, weights)
    return Finetuned(name, directory, record)


def weights_id(design: Design, weights: Weights) -> str:
    """Short content hash of a design with other integers; `ft` in front tells it from a design of the search."""
    content = hashlib.sha256(design.id.encode())
    for weight in weights.values():
        for part in PARTS:
            content.update(getattr(weight, part).contiguous().numpy().tobytes())
    return f"ft{content.hexdigest()[:8]}"


def _drop(found: accuracy.PairedDrop) -> dict[str, float]:
    return {"drop": found.drop, "low": found.low, "high": found.high}


def _verified(
    experiment: Experiment, tuned: Experiment, design: Design
) -> tuple[list[NDArray[np.float32]], NDArray[np.int64]]:
    """Logits of the float network, the design and the tuned design on the verification images, and the labels."""
    images, network = experiment.source.for_verification(), experiment.network
    states = design.lif_bits(network.lif_by_stage)
    options: dict[str, Any] = {"batch_size": experiment.source.batch_size, "time_steps": design.time_steps}
    if states:
        options |= {"state_bits": states} | network.activations.options(design)
    pixels = torch.as_tensor(images.images)
    exact = network.engine.run(pixels, network.float_design.weight_bits, batch_size=options["batch_size"])
    outputs = [exact]
    for each in (experiment, tuned):
        experiment.advance("measuring float, before and after", len(outputs), 3)
        outputs.append(each.network.engine.run(pixels, design.weight_bits, **options))
    experiment.advance("measuring float, before and after", 3, 3)
    return [out.logits for out in outputs], np.asarray(images.labels)


def _row(
    run: Run, experiment: Experiment, design: Design, evaluation: Evaluation, record: Mapping[str, Any]
) -> dict[str, Any]:
    """A row of finetuned.csv: the columns of results.csv, measured on the search images, and what was verified."""
    row: dict[str, Any] = run.table[run.table["id"] == design.id].iloc[0].to_dict()
    measured = asdict(evaluation)
    row |= {column: measured[column] for column in row if column in measured}
    costs = experiment.costing().columns([design], np.array([evaluation.spikes]))
    row |= {column: values[0] for column, values in costs.items() if column in row}
    budgets = run.config.column_budgets()
    feasible = bool(row.get("fits", True)) and all(row[column] <= limit for column, limit in budgets.items())
    if not row.get("reaches", True):
        row["power_w"] = math.nan  # as in results.csv
    row |= {"id": record["id"], "origin": record["origin"], "on_front": False, "feasible": feasible}
    row["parent"] = design.id
    for when in ("before", "after", "gain"):
        row |= {f"verify_{when}_{key}": value for key, value in record[when].items()}
    return row
