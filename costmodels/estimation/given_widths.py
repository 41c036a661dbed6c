"""Widths as callers give them: checked, and as arrays of one form."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.errors import CostError
from costmodels.hardware.hardware import Hardware
from costmodels.widths import FLOAT, WEIGHT_WIDTHS, WIDEST_INTEGER
from costmodels.workload.workload import Workload

FloatArray = NDArray[np.float64]
WidthArray = NDArray[np.uint8]

_KNOWN = np.zeros(256, dtype=bool)
_KNOWN[list(WEIGHT_WIDTHS)] = True
_BLOCK = 1 << 20
MOST_SUM_BITS = 64


def widths(given: ArrayLike, count: int, name: str, meaning: str) -> WidthArray:
    """Whole numbers of bits, (..., count); raises CostError for shapes and values that cannot be."""
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
        raise CostError(f"{name} is {wrong}; expected 1 to {FLOAT} bits")
    return values.astype(np.uint8)


def state_widths(given: ArrayLike, workload: Workload, hardware: Hardware) -> WidthArray:
    """Widths of potentials per row, (..., R), from those or from one per LIF layer.

    The neurons of a row share one array: it is as wide as the widest of its LIF layers.
    """
    count = len(workload.lif_layers)
    values = np.asarray(given)
    if count == workload.rows or values.ndim == 0 or values.shape[-1] != count:
        meaning = f"row of the layer table (or {count}, one per LIF layer)"
        return _checked(widths(values, workload.rows, "state_bits", meaning))
    by_layer = widths(values, count, "state_bits", "LIF layer")
    rows = np.zeros((*by_layer.shape[:-1], workload.rows), dtype=np.uint8)
    for place, row in enumerate(workload.lif_rows):
        np.maximum(rows[..., row], by_layer[..., place], out=rows[..., row])
    without = np.array([not lif for lif in workload.texts["lif"]])
    rows[..., without] = int(hardware.chip.state_bits)
    return _checked(rows)


def _checked(states: WidthArray) -> WidthArray:
    if states.min() < 1 or states.max() > FLOAT:
        wrong = states.min() if states.min() < 1 else states.max()
        raise CostError(f"state_bits is {wrong}; expected 1 to {FLOAT}")
    return states


def numbers(
    given: ArrayLike | None,
    count: int,
    shape: tuple[int, ...],
    name: str,
    meaning: str,
    bounds: tuple[int, int] = (1, FLOAT),
) -> FloatArray | None:
    """Widths of multi-bit numbers as (N, count), or (1, count) where all designs share them; None for None."""
    if given is None:
        return None
    values = np.asarray(given, dtype=np.float64)
    if values.ndim and values.shape[-1] not in (1, count):
        raise CostError(f"{name} has shape {values.shape}; expected one number, or (..., {count}), one per {meaning}")
    low, high = bounds
    wrong = values[~((values >= low) & (values <= high))]
    if wrong.size:
        raise CostError(f"{name} is {wrong.flat[0]:g}; expected {low} to {high}")
    full = np.broadcast_to(values, (*values.shape[:-1], count))
    return full.reshape(1, count) if full.ndim <= 1 else np.broadcast_to(full, (*shape, count)).reshape(-1, count)


def check_known(weights: WidthArray, workload: Workload) -> None:
    """Raise CostError where a weight has a width that is neither one of integers nor that of float."""
    flat = weights.reshape(-1)
    for start in range(0, flat.size, _BLOCK):  # a block stays in the cache
        block = flat[start : start + _BLOCK]
        if block.max() <= WIDEST_INTEGER and block.min() >= 1:
            continue
        known = _KNOWN[block]
        if not known.all():
            place = start + int(np.argmin(known))
            layer = workload.weight_layers[place % weights.shape[-1]]
            expected = f"expected 1 to {WIDEST_INTEGER} (integer) or {FLOAT} (float)"
            raise CostError(f"weight_bits of {layer} is {flat[place]}; {expected}")


def flat(values: WidthArray, shape: tuple[int, ...]) -> WidthArray:
    """Widths (..., L) of designs of a batch shape as (N, L), or (1, L) where all share them."""
    if values.shape[:-1] == shape:
        return values.reshape(-1, values.shape[-1])
    if values.ndim == 1 or np.prod(values.shape[:-1]) == 1:
        return values.reshape(1, -1)
    return np.broadcast_to(values, (*shape, values.shape[-1])).reshape(-1, values.shape[-1])
