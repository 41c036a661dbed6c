"""Whether the neurons of chosen designs still work, and which classes they lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

import sviT_models
from dse.evaluation.experiment import Experiment
from dse.evaluation.network import Network
from dse.problem.design import Design

IMAGES = 256  # dead and saturated neurons are a matter of a sample


def health_table(experiment: Experiment, designs: Mapping[str, Design]) -> pd.DataFrame:
    """Firing per LIF layer of designs by id: `id, name, neurons, rate, dead, saturated, membrane, rate_1, ...`.

    Columns as in `sviT_models.spike_health`, on the first images of the search split. `membrane` is `fixed` for a
    design with widths of its membrane potentials, whose integer network is measured, and `float` for one without.
    """
    images = experiment.images.images[slice(0, IMAGES)]
    parts = []
    for design_id, design in designs.items():
        own = experiment.networks.with_layers(design.layers)
        part = _integer_firing(own, design, images) if design.state_bits else _float_firing(own, design, images)
        part.insert(0, "id", design_id)
        part.insert(part.columns.get_loc("saturated") + 1, "membrane", "fixed" if design.state_bits else "float")
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _float_firing(own: Network, design: Design, images: Any) -> pd.DataFrame:
    model = sviT_models.with_time_steps(own.model, design.time_steps)
    with sviT_models.quantized(model, own.bank.design(design.weight_bits)):
        return sviT_models.spike_health(model, images)


def _integer_firing(own: Network, design: Design, images: Any) -> pd.DataFrame:
    """The firing of the network that the evaluator runs: integer weights, fixed-point potentials."""
    states, between = design.lif_bits(own.lif_by_stage), own.activations.of(design) or None
    firing = sviT_models.FiringCount()

    def spikes_of(batch: Any) -> Any:
        return own.engine.spikes(batch, design.weight_bits, states, between, design.time_steps)

    program = own.engine.program(images, design.time_steps)
    for spikes in own.engine.each(program, images, spikes_of):
        for name, fired in spikes:
            firing.add(name, fired)
    return firing.table(own.lif_layers)


def class_table(images: Any, right: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    """Images of every class and how many each design gets right: `class, images`, then `right:<id>`.

    `right` has, by id, the number of every class.
    """
    counts = pd.Series([images.classes[i] for i in images.labels.tolist()]).value_counts()
    table = pd.DataFrame({"class": images.classes, "images": [int(counts.get(c, 0)) for c in images.classes]})
    for design_id, counts_of in right.items():
        table[f"right:{design_id}"] = list(counts_of)
    return table
