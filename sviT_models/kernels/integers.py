"""The passes of the fixed-point network for any device: compiled where `Fast` kernels are, else plain torch."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sviT_models.fixedpoint import GUARD, Rescale, State, bounds
from sviT_models.later import Later

RAISED = 2**15  # activations of at most 16 bits go to the next convolution as the bytes of their value plus this


def rescaled(sums: Tensor, rule: Rescale) -> Tensor:
    """(sums * multiplier + offset) >> right of sums (..., C), not yet clipped; float64 holding integers."""
    multiplier, offset, share = (torch.from_numpy(part).to(sums.device) for part in _constants(rule, 1))
    return torch.floor((sums.double() * multiplier + offset) * share)


def fire_fixed(
    kernels: Any, sums: Tensor | Later, rule: Rescale, rest: Tensor | None, state: State, steps: int, keep: bool
) -> tuple[Tensor, np.ndarray, Tensor | None]:
    """Spikes (T, ..., C) uint8, their number by step, and the clipped membrane input, int32, if it is to be kept."""
    left = state.input_fraction - rule.fraction
    if kernels.streams:
        return _fire_compiled(kernels, sums, rule, rest, state, steps, keep, left)
    x = rescaled(sums.whole() if isinstance(sums, Later) else sums, rule)
    x = (x if rest is None else x + rest).clamp(rule.low, rule.high)
    kept = x.to(torch.int32) if keep else None
    x = torch.floor(x * 2.0**left + (0.5 if left < 0 else 0.0)).expand(steps, *x.shape[1:])
    threshold, (low, high) = state.threshold * 2 ** (GUARD + 1), bounds(state.bits)
    spikes, v = torch.empty(x.shape, dtype=torch.uint8, device=x.device), torch.zeros_like(x[0])
    for current, out in zip(x, spikes, strict=True):
        u = v * 2.0**GUARD + current
        out.copy_(u >= threshold)
        v = torch.where(u >= threshold, 0.0, torch.floor(u * 0.5 ** (GUARD + 1) + 0.5).clamp(low, high))
    return spikes, spikes.flatten(1).sum(1, dtype=torch.int64).numpy(force=True), kept


def narrow(kernels: Any, sums: Tensor | Later, rule: Rescale) -> Tensor:
    """The two bytes (2, ..., C) of the activations made of sums (..., C), raised by 2^15."""
    if not kernels.streams:
        whole = sums.whole() if isinstance(sums, Later) else sums
        return kernels.split(rescaled(whole, rule).clamp(rule.low, rule.high).to(torch.int32), 2)
    from sviT_models.kernels import fixed
    from sviT_models.kernels.fast import _parts

    out = torch.empty(2, *sums.shape, dtype=torch.uint8)
    channels = sums.shape[-1]
    flat = out.numpy().reshape(2, len(sums.x[0]) if isinstance(sums, Later) else 1, -1, channels)
    for start, part, taken in _parts(sums):
        seen = part.numpy().reshape(len(part), flat.shape[1], -1, channels)
        fixed.narrow(seen, taken, *_constants(rule, channels), float(rule.low), float(rule.high), flat, start)
    return out


def _fire_compiled(
    kernels: Any,
    sums: Tensor | Later,
    rule: Rescale,
    rest: Tensor | None,
    state: State,
    steps: int,
    keep: bool,
    left: int,
) -> tuple[Tensor, np.ndarray, Tensor | None]:
    from sviT_models.kernels import fixed
    from sviT_models.kernels.fast import _parts, _together

    if not isinstance(sums, Later) and len(sums) == 1 and rest is not None and len(rest) > 1:
        sums = sums.expand(len(rest), *sums.shape[1:]).contiguous()
    given, *shape = sums.shape
    spikes = torch.empty(steps, *shape, dtype=torch.uint8)
    kept = torch.empty(given, *shape, dtype=torch.int32) if keep else None
    counts = np.zeros(steps, np.int64)
    together = _together(sums)
    row = shape[-1] * together
    constants = [np.tile(part, together) for part in _constants(rule, shape[-1])]
    for start, part, taken in _parts(sums):
        fixed.fire_fixed(
            part.numpy().reshape(len(part), given, -1, row),
            np.tile(taken, together),
            *constants,
            float(rule.low),
            float(rule.high),
            _rows(rest, row),
            _rows(kept, row),
            2.0**left,
            0.5 if left < 0 else 0.0,
            state.threshold * 2.0 ** (GUARD + 1),
            *map(float, bounds(state.bits)),
            2.0**GUARD,
            _rows(spikes, row),
            counts,
            start // together,
        )
    return spikes, counts, kept


def _rows(x: Tensor | None, channels: int) -> np.ndarray:
    return np.empty((0, 1, 1), np.int32) if x is None else x.numpy().reshape(len(x), -1, channels)


def _constants(rule: Rescale, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Multiplier, offset and 2^-right in float64; one value stands for all channels."""
    parts = rule.multiplier.astype(np.float64), rule.offset.astype(np.float64), 0.5**rule.right
    return tuple(np.broadcast_to(part, (max(channels, len(part)),)).copy() for part in parts)
