"""Whether the neurons of chosen designs still work, and which classes they lose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

import sviT_models
from dse.evaluation.evaluator import Evaluation
from dse.evaluation.experiment import Workbench
from dse.problem.design import Design

IMAGES = 256  # dead and saturated neurons are a matter of a sample


def health_table(bench: Workbench, designs: Mapping[str, Design]) -> pd.DataFrame:
    """Firing per LIF layer of designs by id: `id, name, neurons, rate, dead, saturated, rate_1, ...`.

    Columns as in `sviT_models.spike_health`; measured on the first images of the search split, with float membranes.
    """
    images = bench.images.images[slice(0, IMAGES)]
    parts = []
    for design_id, design in designs.items():
        own = bench.of(design)
        model = sviT_models.with_time_steps(own.model, design.time_steps)
        with sviT_models.quantized(model, own.bank.design(design.weight_bits)):
            part = sviT_models.spike_health(model, images)
        part.insert(0, "id", design_id)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def class_table(images: Any, evaluations: Mapping[str, Evaluation]) -> pd.DataFrame:
    """Images of every class and how many each design classifies right: `class, images`, then `right:<id>`."""
    counts = pd.Series([images.classes[i] for i in images.labels.tolist()]).value_counts()
    table = pd.DataFrame({"class": images.classes, "images": [int(counts.get(c, 0)) for c in images.classes]})
    for design_id, evaluation in evaluations.items():
        table[f"right:{design_id}"] = evaluation.right
    return table
