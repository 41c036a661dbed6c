"""The float network with one thing changed at a time: probes and their measurement.

A probe changes one group of layers to one width, all layers of one type to one width, the membrane potentials,
the residual stream or the sums between layers of one stage to one width, or the number of time steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

import sviT_models
from dse.arrays import FloatArray
from dse.errors import ConfigError
from dse.evaluation.experiment import Experiment
from dse.evaluation.layer_types import layer_types, types_of
from dse.evaluation.measurement import Evaluation, measure
from dse.problem.design import FLOAT, PREFIXES, Design
from dse.problem.space import Space
from dse.progress import within


@dataclass(frozen=True)
class Probe:
    """The float network with one change; `kind` is type or that of a dimension; `bits` is its width."""

    kind: str
    group: str
    type: str
    stage: str
    bits: int
    design: Design


def group_labels(space: Space, table: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Type (`layer_types`) and stage of every searched group; the stages of a group that spans several are joined."""
    stage, types = dict(zip(table["name"], table["stage"], strict=True)), layer_types(table)
    return {
        d.group: (types_of(d.layers, types), " + ".join(dict.fromkeys(stage[name] for name in d.layers)))
        for d in space.dimensions
        if d.kind == "weight"
    }


def with_width(reference: Design, layers: Sequence[str], bits: int) -> Design:
    """A design with some of its layers at another width [bit]."""
    chosen = set(layers)
    widths = (
        bits if name in chosen else old for name, old in zip(reference.layers, reference.weight_bits, strict=True)
    )
    return replace(reference, weight_bits=tuple(widths))


def group_probes(space: Space, reference: Design, table: pd.DataFrame) -> list[Probe]:
    """One searched group at one width at a time; float widths are left out, as they change nothing."""
    labels = group_labels(space, table)
    return [
        Probe("weight", group, *labels[group], bits, with_width(reference, d.layers, bits))
        for d in space.dimensions
        if d.kind == "weight"
        for group in [d.group]
        for bits in d.choices
        if bits != FLOAT
    ]


def type_probes(space: Space, reference: Design, table: pd.DataFrame) -> list[Probe]:
    """All searched layers of one type at one width at a time."""
    types = layer_types(table)
    members: dict[str, list[str]] = {}
    widths: dict[str, set[int]] = {}
    for d in space.dimensions:
        if d.kind == "weight":
            kind = types_of(d.layers, types)
            members.setdefault(kind, []).extend(d.layers)
            widths.setdefault(kind, set()).update(b for b in d.choices if b != FLOAT)
    return [
        Probe("type", kind, kind, "", bits, with_width(reference, layers, bits))
        for kind, layers in members.items()
        for bits in sorted(widths[kind])
    ]


def other_probes(space: Space, reference: Design) -> list[Probe]:
    """One searched width of potentials, streams or sums at a time, by stage, and every other number of time steps.

    The other stages and kinds have their widest choice: a network is in fixed point altogether or not at all.
    """
    widest: dict[str, Any] = {
        f"{kind}_bits": {d.group: d.choices[-1] for d in space.dimensions if d.kind == kind and d.layers}
        for kind in PREFIXES
    }
    states = [
        Probe(d.kind, d.name, d.kind, d.group, bits, replace(reference, **widest | {field: widest[field] | change}))
        for d in space.dimensions
        if d.kind in PREFIXES and d.layers
        for field in [f"{d.kind}_bits"]
        for bits in d.choices
        for change in [{d.group: bits}]
    ]
    steps = [
        Probe("time_steps", "T", "time steps", "", FLOAT, replace(reference, time_steps=t))
        for t in space.step_choices
        if t != reference.time_steps
    ]
    return states + steps


def measured(experiment: Experiment, probes: Sequence[Probe], images: Any) -> list[Evaluation]:
    """Every probe on `images`, in order; what weight probes have in common is computed once (`sviT_models.sweep`).

    Raises ConfigError for images that stay on disk: take fewer, so that they fit into memory.
    """
    if hasattr(images.images, "part"):
        raise ConfigError("data.search_images: these images do not fit into memory; name a number that does")
    labels = np.asarray(images.labels, dtype=np.int64)
    found: dict[int, Evaluation] = {}
    swept = [i for i, probe in enumerate(probes) if probe.kind in ("weight", "type")]
    designs = [experiment.network.float_design.weight_bits, *(probes[i].design.weight_bits for i in swept)]
    experiment.round(probes[i].design for i in swept)
    progress = within(experiment.advance, "designs x images, one change each")
    base, *outputs = sviT_models.sweep(experiment.network.engine, images.images, designs, progress=progress)
    reference = base.logits.astype(np.float64)
    for i, output in zip(swept, outputs, strict=True):
        found[i] = measure(output.logits.astype(np.float64), reference, labels, output.spikes, len(labels))
    found |= _measured_states(experiment, probes, images, reference)
    rest = [i for i in range(len(probes)) if i not in found]
    if rest:
        evaluator = experiment.evaluator(images)
        for done, i in enumerate(rest, start=1):
            found[i] = evaluator(probes[i].design)
            experiment.advance("changes of time steps, streams and sums", done, len(rest))
    return [found[i] for i in range(len(probes))]


def _measured_states(
    experiment: Experiment, probes: Sequence[Probe], images: Any, reference: FloatArray
) -> dict[int, Evaluation]:
    """The probes of membrane potentials: they share all that stands before the first narrower stage."""
    which = [i for i, probe in enumerate(probes) if probe.kind == "state"]
    if not which:
        return {}
    found = [probes[i].design for i in which]
    widest = {stage: max(design.state_bits[stage] for design in found) for stage in found[0].state_bits}
    network = experiment.network
    designs = [replace(found[0], state_bits=widest), *found]
    states = [design.lif_bits(network.lif_by_stage) for design in designs]
    outputs = sviT_models.sweep(
        network.engine,
        images.images,
        [network.float_design.weight_bits] * len(states),
        state_bits=states,
        activation_bits=network.activations.of(designs[0]) or None,
        progress=within(experiment.advance, "designs x images, one width of potentials each"),
    )
    labels = np.asarray(images.labels, dtype=np.int64)
    next(outputs)
    return {
        i: measure(output.logits.astype(np.float64), reference, labels, output.spikes, len(labels))
        for i, output in zip(which, outputs, strict=True)
    }
