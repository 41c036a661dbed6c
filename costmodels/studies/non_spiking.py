"""The non-spiking network that is equivalent to a spiking one: the same weights, one pass, integers for spikes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from costmodels.errors import CostError
from costmodels.estimation.candidates import Candidates, Part
from costmodels.estimation.designs import Designs
from costmodels.workload.activity import Activity
from costmodels.workload.propagation import with_spikes
from costmodels.workload.workload import Workload


def activation_width(time_steps: int) -> int:
    """Width [bit] of an activation with as many levels as spike counts over T time steps: ceil(log2(T + 1)).

    time_steps  T

    Yan et al. (arXiv 2409.08290) compare spiking and quantized networks at this width.
    """
    return math.ceil(math.log2(time_steps + 1))


def non_spiking(work: Workload, dense: bool = False) -> Workload:
    """The equivalent quantized non-spiking network: the same shapes, one pass, activations of activation_width(T) bits.

    work   the spiking network with its measured activity
    dense  whether every input counts as non-zero; by default as many are as there are spikes, at most all (each spike
           in an element of its own: the upper bound), and the chip skips the zeros

    Neurons become activation functions without state. Attention products multiply integers, K^T V of full width.
    """
    column, shape = work.columns, work.geometry
    spiking, once = ~shape.multibit, _in_one_pass(work, work.activity, dense)
    width = float(activation_width(work.time_steps))
    none = np.zeros(work.rows)
    changed = {
        "input_bits": np.where(spiking, width, column["input_bits"]),
        "spikes": once.spikes,
        "synops": once.synops,
        "neurons": none,
        "lif_spikes": none,
        "level": none,
    }
    texts = {**work.texts, "input": ("multibit",) * work.rows, "lif": ("",) * work.rows}
    has_lif = np.array([bool(lif) for lif in work.texts["lif"]])
    own = np.where(shape.attention, column["neurons"], shape.in_elements)  # K^T V: both K and V
    written = np.where(spiking & ~has_lif, 0.0, own)  # rows without LIF layers read what another row writes
    return replace(
        work, texts=texts, columns={**column, **changed}, time_steps=1, written_inputs=tuple(written.tolist())
    )


def _in_one_pass(work: Workload, activity: Activity, dense: bool) -> Activity:
    """What of the inputs is not zero, and the operations with it, where all steps are one pass; (..., R)."""
    column, shape = work.columns, work.geometry
    elements, spikes = shape.in_elements, activity.spikes
    per_pass = spikes / work.time_steps  # multi-bit rows: the steps repeat
    active = np.where(shape.multibit, per_pass, np.minimum(spikes, elements))
    active = np.broadcast_to(elements, spikes.shape) if dense else active
    share = np.divide(active, spikes, out=np.zeros_like(spikes), where=spikes > 0)
    synops = column["macs"] * active / elements if dense else activity.synops * share
    for row in np.flatnonzero(shape.attention):
        other = activity.lif_spikes[..., row] - spikes[..., row]
        second = np.minimum(1.0, other / elements[row]) if shape.two_streams[row] and not dense else 1.0
        synops[..., row] = column["macs"][row] * active[..., row] / elements[row] * second
    return Activity(active, np.zeros_like(spikes), np.minimum(synops, column["macs"]))


def equivalents(candidates: Candidates, dense: bool = False) -> Candidates:
    """The equivalent non-spiking networks of N designs, with their weights, at their steps and spikes.

    candidates  the N designs
    dense       as for `non_spiking`
    """
    parts = []
    for work, designs, places in candidates.settled().parts:
        given = designs.spikes if isinstance(designs.spikes, Activity) else work.activity
        own = Designs(designs.weight_bits, spikes=_in_one_pass(work, given, dense))
        parts.append(Part(non_spiking(work, dense), own, places))
    return Candidates(tuple(parts))


def with_own_activity(workload: Workload, design: Designs) -> tuple[Workload, Designs]:
    """The layer table over the design's own steps with its own spikes, and the design without them."""
    if design.time_steps is not None:
        workload = workload.with_time_steps(int(np.asarray(design.time_steps).item()))
    if isinstance(design.spikes, Activity):
        raise CostError("comparisons take spikes per LIF layer, not an Activity")
    if design.spikes is not None:
        workload = with_spikes(workload, design.spikes)
    return workload, replace(design, time_steps=None, spikes=None)
