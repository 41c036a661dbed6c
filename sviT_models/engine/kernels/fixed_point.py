"""The passes of the fixed-point network for any device: compiled where the `cpu` kernels are, else plain torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sviT_models.engine.kernels.rows import as_rows, parts, positions_per_row, tiled
from sviT_models.engine.number_formats import GUARD, Rescale, State, bounds
from sviT_models.engine.prepared_weights import Array
from sviT_models.engine.streamed_sums import Later


def rescaled(sums: Tensor, rule: Rescale) -> Tensor:
    """(sums * multiplier + offset) >> right of sums (..., C), not yet clipped; float64 holding integers."""
    multiplier, offset, share = (torch.from_numpy(part).to(sums.device) for part in _constants(rule, 1))
    return torch.floor((sums.double() * multiplier + offset) * share)


def clipped(kernels: Any, sums: Array, rule: Rescale) -> Array:
    """`rescaled` sums (..., C), clipped to the range of the rule; float64 holding integers."""
    if not kernels.streams:
        return rescaled(sums, rule).clamp(rule.low, rule.high)
    from sviT_models.engine.kernels import fixed_point_passes

    channels = sums.shape[-1]
    out = np.empty(sums.shape)
    flat = sums.reshape(-1, channels), out.reshape(-1, channels)
    fixed_point_passes.clipped(flat[0], *_constants(rule, channels), float(rule.low), float(rule.high), flat[1])
    return out


def fire_fixed(
    kernels: Any, sums: Array | Later, rule: Rescale, rest: Array | None, state: State, steps: int, keep: bool
) -> tuple[Array, np.ndarray, Array | None]:
    """Spikes (T, ..., C) uint8, their number by step, and the clipped membrane input, int32, if it is to be kept."""
    left = state.input_fraction - rule.fraction
    if kernels.streams:
        return _fire_compiled(kernels, sums, rule, rest, state, steps, keep, left)
    if kernels.integers:
        return kernels.fire_fixed(sums, rule, rest, state, steps, keep, left)
    x = rescaled(sums, rule)
    x = (x if rest is None else x + rest.reshape(len(rest), *x.shape[1:])).clamp(rule.low, rule.high)
    kept = x.to(torch.int32) if keep else None
    x = torch.floor(x * 2.0**left + (0.5 if left < 0 else 0.0)).expand(steps, *x.shape[1:])
    threshold, (low, high) = state.threshold * 2 ** (GUARD + 1), bounds(state.bits)
    spikes, v = torch.empty(x.shape, dtype=torch.uint8, device=x.device), torch.zeros_like(x[0])
    for current, out in zip(x, spikes, strict=True):
        u = v * 2.0**GUARD + current
        out.copy_(u >= threshold)
        v = torch.where(u >= threshold, 0.0, torch.floor(u * 0.5 ** (GUARD + 1) + 0.5).clamp(low, high))
    return spikes, spikes.flatten(1).sum(1, dtype=torch.int64).numpy(force=True), kept


def narrow(kernels: Any, sums: Array | Later, rule: Rescale) -> Array:
    """The two bytes (2, ..., C) of the activations made of sums (..., C), raised by 2^15."""
    if not kernels.streams:
        return kernels.split(rescaled(sums, rule).clamp(rule.low, rule.high).to(torch.int32), 2)
    from sviT_models.engine.kernels import fixed_point_passes

    out = np.empty((2, *sums.shape), np.uint8)
    channels = sums.shape[-1]
    flat = out.reshape(2, len(sums.x[0]) if isinstance(sums, Later) else 1, -1, channels)
    for start, part, taken in parts(sums):
        seen = part.reshape(len(part), flat.shape[1], -1, channels)
        fixed_point_passes.narrow(
            seen, taken, *_constants(rule, channels), float(rule.low), float(rule.high), flat, start
        )
    return out


def _fire_compiled(
    kernels: Any,
    sums: np.ndarray | Later,
    rule: Rescale,
    rest: np.ndarray | None,
    state: State,
    steps: int,
    keep: bool,
    left: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    from sviT_models.engine.kernels import fixed_point_passes

    if not isinstance(sums, Later) and len(sums) == 1 and rest is not None and len(rest) > 1:
        sums = np.repeat(sums, len(rest), axis=0)
    given, *shape = sums.shape
    spikes = np.empty((steps, *shape), np.uint8)
    kept = np.empty((given, *shape), np.int32) if keep else None
    counts = np.zeros(steps, np.int64)
    together = positions_per_row(sums)
    row = shape[-1] * together
    constants = [tiled(part, together) for part in _constants(rule, shape[-1])]
    for start, part, taken in parts(sums):
        fixed_point_passes.fire_fixed(
            part.reshape(len(part), given, -1, row),
            tiled(taken, together),
            *constants,
            float(rule.low),
            float(rule.high),
            as_rows(rest, row, np.int32),
            as_rows(kept, row, np.int32),
            2.0**left,
            0.5 if left < 0 else 0.0,
            state.threshold * 2.0 ** (GUARD + 1),
            *map(float, bounds(state.bits)),
            2.0**GUARD,
            as_rows(spikes, row, np.int32),
            counts,
            start // together,
        )
    return spikes, counts, kept


def _constants(rule: Rescale, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Multiplier, offset and 2^-right in float64; one value stands for all channels."""
    return tuple(part if len(part) >= channels else np.full(channels, part[0]) for part in rule.floats)
