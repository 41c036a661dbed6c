"""What is asked of an estimate, checked at the door and in one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.errors import CostError
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Spikes, Workload

FloatArray = NDArray[np.float64]
WidthArray = NDArray[np.uint8]

WIDTHS = (*range(1, 17), 32)
"""Weight widths that have a cost: integers of 1 to 16 bit, and 32 for float."""
_KNOWN = np.zeros(256, dtype=bool)
_KNOWN[list(WIDTHS)] = True
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Request:
    """Designs in flat form: `shape` is the batch shape (...), N its size.

    weight_bits  (N, L) or (1, L)
    state_bits   (N, R), (1, R) or None for the chip's own
    activation_bits  (R,) or None for the layer table's
    activity     arrays (R,), or (N, R) where designs bring their own
    """

    workload: Workload
    hardware: Hardware
    shape: tuple[int, ...]
    weight_bits: WidthArray
    state_bits: WidthArray | None
    activation_bits: FloatArray | None
    activity: Spikes
    frame_rate: float

    @property
    def designs(self) -> int:
        """N."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def own_activity(self) -> bool:
        """Whether designs bring an activity each."""
        return self.activity.synops.ndim > 1


def request(
    workload: Workload,
    hardware: Hardware,
    weight_bits: ArrayLike,
    state_bits: ArrayLike | None,
    activation_bits: ArrayLike | None,
    time_steps: int | None,
    spikes: Spikes | ArrayLike | Mapping[str, float] | None,
    frame_rate: float | None,
) -> Request:
    """The arguments of `estimate` in one form.  Raises CostError for shapes, widths and rates that cannot be."""
    if time_steps is not None and time_steps != workload.time_steps:
        workload = workload.with_time_steps(time_steps)
    rate = hardware.frame_rate if frame_rate is None else float(frame_rate)
    if not 0 < rate < float("inf"):
        raise CostError(f"frame_rate is {rate:g}; expected inferences per second, above 0")
    activations = None if activation_bits is None else _activations(activation_bits, workload)
    weights = _widths(weight_bits, len(workload.weight_rows), "weight_bits", "layer with weights")
    _check_known(weights, workload)
    states = None if state_bits is None else _states(state_bits, workload, hardware)
    if states is not None and (states.min() < 1 or states.max() > 32):
        wrong = states.min() if states.min() < 1 else states.max()
        raise CostError(f"state_bits is {wrong}; expected 1 to 32")
    activity = workload.activity
    if spikes is not None:
        activity = spikes if isinstance(spikes, Spikes) else workload.with_spikes(spikes)
    try:
        shape = np.broadcast_shapes(
            weights.shape[:-1], () if states is None else states.shape[:-1], activity.synops.shape[:-1]
        )
    except ValueError:
        raise CostError(
            f"the batch axes of weight_bits {weights.shape[:-1]}, state_bits and spikes {activity.synops.shape[:-1]} "
            "do not broadcast; expected one entry per design"
        ) from None
    if 0 in shape:
        raise CostError("no designs; expected at least one")
    return Request(
        workload,
        hardware,
        shape,
        _flat(weights, shape),
        None if states is None else _flat(states, shape),
        activations,
        _flat_activity(activity, shape),
        rate,
    )


def _widths(given: ArrayLike, count: int, name: str, meaning: str) -> WidthArray:
    values = np.asarray(given)
    if values.dtype.kind not in "iuf":
        raise CostError(f"{name} has type {values.dtype}; expected whole numbers of bits")
    if values.ndim == 0:
        values = np.full(count, values)
    if values.shape[-1] != count:
        raise CostError(f"{name} has shape {values.shape}; expected (..., {count}), one width per {meaning}")
    if values.dtype == np.uint8 or not values.size:
        return values.astype(np.uint8, copy=False)
    if values.dtype.kind == "f" and not np.all(values % 1 == 0):
        raise CostError(f"{name} is {values[values % 1 != 0].flat[0]}; expected whole numbers of bits")
    if values.min() < 0 or values.max() > 255:
        wrong = values.min() if values.min() < 0 else values.max()
        raise CostError(f"{name} is {wrong}; expected 1 to 32 bits")
    return values.astype(np.uint8)


def _states(given: ArrayLike, workload: Workload, hardware: Hardware) -> WidthArray:
    """Widths of potentials per row, (..., R), from those or from one per LIF layer.

    The neurons of a row share one array: it is as wide as the widest of its LIF layers.
    """
    count = len(workload.lif_layers)
    values = np.asarray(given)
    if count == workload.rows or values.ndim == 0 or values.shape[-1] != count:
        return _widths(values, workload.rows, "state_bits", f"row of the layer table (or {count}, one per LIF layer)")
    by_layer = _widths(values, count, "state_bits", "LIF layer")
    rows = np.zeros((*by_layer.shape[:-1], workload.rows), dtype=np.uint8)
    for place, row in enumerate(workload.lif_rows):
        np.maximum(rows[..., row], by_layer[..., place], out=rows[..., row])
    without = np.array([not lif for lif in workload.texts["lif"]])
    rows[..., without] = int(hardware.chip.state_bits)
    return rows


def _activations(given: ArrayLike, workload: Workload) -> FloatArray:
    values = np.asarray(given, dtype=np.float64)
    if values.ndim > 1 or values.size not in (1, workload.rows):
        raise CostError(
            f"activation_bits has shape {values.shape}; expected one number, or ({workload.rows},) for the rows"
        )
    wrong = values[~((values >= 1) & (values <= 32))]
    if wrong.size:
        raise CostError(f"activation_bits is {wrong.flat[0]:g}; expected 1 to 32")
    return np.broadcast_to(values, (workload.rows,))


def _check_known(weights: WidthArray, workload: Workload) -> None:
    flat = weights.reshape(-1)
    for start in range(0, flat.size, _BLOCK):  # a block stays in the cache
        block = flat[start : start + _BLOCK]
        if block.max() <= 16 and block.min() >= 1:
            continue
        known = _KNOWN[block]
        if not known.all():
            place = start + int(np.argmin(known))
            layer = workload.weight_layers[place % weights.shape[-1]]
            raise CostError(f"weight_bits of {layer} is {flat[place]}; expected 1 to 16 (integer) or 32 (float)")


def _flat(values: WidthArray, shape: tuple[int, ...]) -> WidthArray:
    if values.shape[:-1] == shape:
        return values.reshape(-1, values.shape[-1])
    if values.ndim == 1 or np.prod(values.shape[:-1]) == 1:
        return values.reshape(1, -1)
    return np.broadcast_to(values, (*shape, values.shape[-1])).reshape(-1, values.shape[-1])


def _flat_activity(activity: Spikes, shape: tuple[int, ...]) -> Spikes:
    if activity.synops.ndim == 1:
        return activity

    def flat(values: FloatArray) -> FloatArray:
        rows = values.shape[-1]
        return np.broadcast_to(values, (*shape, rows)).reshape(-1, rows)

    return Spikes(flat(activity.spikes), flat(activity.lif_spikes), flat(activity.synops))
