"""From the spikes that LIF layers emit to the inputs and operations of the rows that read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.errors import CostError
from costmodels.workload.activity import Activity
from costmodels.workload.workload import Workload

FloatArray = NDArray[np.float64]


def sources(work: Workload) -> NDArray[np.intp]:
    """For each row the position, in `work.lif_layers`, of the LIF layer whose spikes it reads; -1 for none. (R,).

    A row reads its own first LIF layer. A spiking row without one shares the input of the nearest row before it that
    has an equally large input and the same measured spikes (Q, K and V read the same neurons).
    """
    inputs, spikes = work.geometry.in_elements, work.columns["spikes"]
    found = np.full(work.rows, -1)
    position = 0
    for row, joined in enumerate(work.texts["lif"]):
        own = [name for name in joined.split(";") if name]
        if work.texts["input"][row] == "spike":
            if own:
                found[row] = position
            else:
                same = (found[:row] >= 0) & (inputs[:row] == inputs[row]) & (spikes[:row] == spikes[row])
                found[row] = found[np.flatnonzero(same)[-1]] if same.any() else -1
        position += len(own)
    return found


def _vector(work: Workload, lif_spikes: ArrayLike | Mapping[str, float], base: FloatArray) -> FloatArray:
    names = work.lif_layers
    if not isinstance(lif_spikes, Mapping):
        values = np.asarray(lif_spikes, dtype=np.float64)
        if values.ndim < 1 or values.shape[-1] != len(names):
            raise CostError(f"spikes has shape {values.shape}; expected (..., {len(names)}), one per LIF layer")
        return values
    unknown = [name for name in lif_spikes if name not in names]
    if unknown:
        raise CostError(
            f"spikes: unknown LIF layer {unknown[0]!r}; they are named in the column lif of the layer table"
        )
    return np.array([lif_spikes.get(name, b) for name, b in zip(names, base, strict=True)], dtype=np.float64)


def _measured(work: Workload) -> tuple[FloatArray, NDArray[np.intp], FloatArray]:
    """Per LIF layer (F,): measured spikes, the row it is charged to, and neurons (shared equally in a row)."""
    base, rows, neurons = [], [], []
    for row, joined in enumerate(work.texts["lif"]):
        own = [name for name in joined.split(";") if name]
        total, first = work.columns["lif_spikes"][row], work.columns["spikes"][row]
        for place in range(len(own)):
            share = total if len(own) == 1 else first if place == 0 else (total - first) / (len(own) - 1)
            base.append(share)
            rows.append(row)
            neurons.append(work.columns["neurons"][row] / len(own))
    return np.array(base), np.array(rows, dtype=np.intp), np.array(neurons)


def activity_of(work: Workload, lif_spikes: ArrayLike | Mapping[str, float]) -> Activity:
    """The activity when the LIF layers emit other spikes than the measured ones.

    work        the layer table with the measured activity
    lif_spikes  spikes per image, summed over time steps: (..., F) for the F names in work.lif_layers, or by name; a
                mapping may leave LIF layers out, which keep their measured spikes

    Operations follow the spikes of their inputs at the measured fan-out per spike (at the mean fan-out where
    nothing was measured); K^T V follows the product of the rates of K and V. Rows without spiking input keep
    their measured counts. Raises CostError for unknown names, wrong lengths, negative or impossible counts.
    """
    base, rows, neurons = _measured(work)
    emitted = _vector(work, lif_spikes, base)
    _check(work, emitted, neurons)
    source = sources(work)
    fed = source >= 0
    shape = (*emitted.shape[:-1], work.rows)
    spikes = np.broadcast_to(work.columns["spikes"], shape).copy()
    spikes[..., fed] = emitted[..., source[fed]]
    lif = np.zeros(shape)
    for place, row in enumerate(rows):
        lif[..., row] += emitted[..., place]
    measured = work.columns["spikes"]
    per_spike = np.where(
        measured > 0, work.columns["synops"] / np.where(measured > 0, measured, 1.0), work.geometry.fan_out
    )
    synops = np.where(fed, spikes * per_spike, work.columns["synops"])
    for row, joined in enumerate(work.texts["lif"]):
        own = [name for name in joined.split(";") if name]
        if len(own) == 2 and work.texts["kind"][row] == "attention":  # pairs of K and V: also in proportion to V
            place = int(source[row]) + 1
            if base[place] > 0:
                synops[..., row] *= emitted[..., place] / base[place]
    limit = work.columns["macs"] * work.time_steps
    return Activity(spikes, lif, np.minimum(synops, limit))


def with_spikes(work: Workload, lif_spikes: ArrayLike | Mapping[str, float]) -> Workload:
    """The workload with the spikes of one design in the place of the measured ones; arguments as `activity_of`."""
    activity = activity_of(work, lif_spikes)
    if activity.shape:
        raise CostError(f"with_spikes takes the spikes of one design, not of shape {activity.shape}")
    moved = {"spikes": activity.spikes, "lif_spikes": activity.lif_spikes, "synops": activity.synops}
    return replace(work, columns={**work.columns, **moved})


def _check(work: Workload, emitted: FloatArray, neurons: FloatArray) -> None:
    """Raise CostError where a LIF layer emits less than nothing or more than every neuron in every step."""
    bad = ~(emitted >= 0) | (emitted > neurons * work.time_steps * (1 + 1e-9))
    if bad.any():
        layer = int(np.argwhere(bad)[0][-1])
        value = emitted[..., layer][bad[..., layer]].flat[0]
        limit = neurons[layer] * work.time_steps
        raise CostError(
            f"spikes of {work.lif_layers[layer]} is {value:g}; "
            f"expected 0 to {limit:g} (neurons x time steps, per image)"
        )
