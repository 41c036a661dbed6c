"""The operations on a CPU: int8 convolutions of oneDNN and the compiled passes of `cpu_passes`, on arrays of numpy.

Every operation of torch lets go of the interpreter and takes it back, views too, and threads queue for it: with four of
them each costs some 30 microseconds. Views of numpy keep it. So torch is asked for the convolutions alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.engine.arithmetic import Affine, HandOver
from sviT_models.engine.convolution import EXACT_FLOAT32, Geometry
from sviT_models.engine.kernel_protocol import Fired
from sviT_models.engine.kernels import cpu_passes, fixed_point_passes
from sviT_models.engine.kernels.int8_convolutions import Packed, convolve
from sviT_models.engine.kernels.plain import Plain
from sviT_models.engine.kernels.rows import parts, positions_per_row, repeated, rows_of, tiled
from sviT_models.engine.number_formats import Factors, Rescale, State
from sviT_models.engine.prepared_weights import Prepared
from sviT_models.engine.streamed_sums import Later

FEW_TOKENS = 32


Array = NDArray[Any]
Sums = Array | Later


class Fast:
    """Operations on arrays of numpy; same results as `Plain`, bit for bit. See Kernels for what each gives."""

    def __init__(self) -> None:
        self.device = torch.device("cpu")
        self.plain = Plain(self.device)

    def array(self, x: Tensor) -> Array:
        """See Kernels."""
        return x.numpy()

    def tensor(self, x: Array) -> Tensor:
        """See Kernels."""
        return torch.from_numpy(x)

    def pack(self, digit: Tensor, geometry: Geometry) -> Packed:
        """See Kernels."""
        return Packed(digit, torch.ones(len(digit)), torch.zeros(len(digit), dtype=torch.int64), digit.shape[-1])

    def conv(self, x: Array, packed: Packed, geometry: Geometry) -> Array:
        """See Kernels."""
        return convolve(x, packed, geometry)

    def split(self, fixed: Tensor, planes: int) -> Array:
        """See Kernels."""
        out = np.empty((planes, *fixed.shape), np.uint8)
        cpu_passes.split(fixed.numpy().reshape(-1), 2 ** (8 * planes - 1), out.reshape(planes, -1))
        return out

    def merge(self, planes: Array, offset: Array) -> Array:
        """See Kernels."""
        out, channels = np.empty(planes.shape[1:]), planes.shape[-1]
        cpu_passes.merge(planes.reshape(len(planes), -1, channels), offset, out.reshape(-1, channels))
        return out

    def accumulate(self, total: Array | None, sums: Array, factor: float) -> Array:
        """See Kernels."""
        if total is None:
            total, factor = np.zeros(sums.shape), 1.0
        cpu_passes.accumulate(total.reshape(-1), sums.reshape(-1), factor)
        return total

    def depthwise(self, sums: Array, digit: Tensor) -> Array:
        """See Kernels."""
        sums = sums.astype(np.float64, copy=False)
        out = np.empty_like(sums)
        cpu_passes.depthwise(sums, _taps(digit, np.dtype(np.float64)), out)
        return out

    def hand_over(self, sums: Sums, rule: HandOver) -> Array:
        """See Kernels."""
        out = np.empty((3, *sums.shape), np.uint8)
        if not isinstance(sums, Later) and sums.ndim == 4:
            sums = sums[None]
        together = positions_per_row(sums)
        row = sums.shape[-1] * together
        gain, shift = tiled(rule.gain, together), tiled(rule.shift, together)
        flat = out.reshape(3, sums.shape[0], -1, row)
        for start, part, _ in parts(sums, apart=False):
            seen = part.reshape(sums.shape[0], -1, row)
            cpu_passes.hand_over(seen, gain, shift, flat, start // together)
        return out

    def depthwise_hand_over(self, sums: Array, digit: Tensor, rule: HandOver) -> Array:
        """See Kernels; in float32 where that is exact."""
        if rule.largest >= EXACT_FLOAT32:
            sums = sums.astype(np.float64, copy=False)
        out = np.empty((3, *sums.shape), np.uint8)
        cpu_passes.depthwise_hand_over(sums, _taps(digit, sums.dtype), rule.gain, rule.shift, out)
        return out

    def current(self, sums: Array, affine: Affine, rest: Array | None) -> Array:
        """See Kernels."""
        given = None if rest is None else torch.from_numpy(rest)
        return self.plain.current(torch.from_numpy(sums), affine, given).numpy()

    def fire(
        self, sums: Sums, affine: Affine, rest: Array | None, threshold: float, steps: int, keep: bool
    ) -> Fired[Array]:
        """See Kernels."""
        sums = repeated(sums, rest)
        given, *shape = sums.shape
        fired = Fired(np.empty((steps, *shape), np.uint8), np.zeros(steps, np.int64),
                      np.empty((given, *shape), np.float32) if keep else None)  # fmt: skip
        together = positions_per_row(sums)
        row = shape[-1] * together
        tiles = Affine(*(tiled(part, together) for part in affine))
        for start, part, offset in parts(sums):
            seen, taken = part.reshape(len(part), given, -1, row), tiled(offset, together)
            rows = rows_of(rest, fired, row, start // together)
            cpu_passes.fire(seen, taken, tiles, np.float32(threshold), rows)
        return fired

    def clipped(self, sums: Array, rule: Rescale) -> Array:
        """See Kernels."""
        channels = sums.shape[-1]
        out = np.empty(sums.shape)
        flat = sums.reshape(-1, channels), out.reshape(-1, channels)
        fixed_point_passes.clipped(flat[0], rule.factors(channels), flat[1])
        return out

    def narrow(self, sums: Sums, rule: Rescale) -> Array:
        """See Kernels."""
        out = np.empty((2, *sums.shape), np.uint8)
        channels = sums.shape[-1]
        flat = out.reshape(2, len(sums.x[0]) if isinstance(sums, Later) else 1, -1, channels)
        for start, part, taken in parts(sums):
            seen = part.reshape(len(part), flat.shape[1], -1, channels)
            fixed_point_passes.narrow(seen, taken, rule.factors(channels), flat, start)
        return out

    def fire_fixed(
        self, sums: Sums, rule: Rescale, rest: Array | None, state: State, steps: int, keep: bool
    ) -> Fired[Array]:
        """See Kernels."""
        sums = repeated(sums, rest)
        given, *shape = sums.shape
        fired = Fired(np.empty((steps, *shape), np.uint8), np.zeros(steps, np.int64),
                      np.empty((given, *shape), np.int32) if keep else None)  # fmt: skip
        together = positions_per_row(sums)
        row = shape[-1] * together
        own = rule.factors(shape[-1])
        multiplier, added, share = (tiled(part, together) for part in (own.multiplier, own.offset, own.share))
        factors = Factors(multiplier, added, share, own.low, own.high)
        neuron = fixed_point_passes.neuron_of(state, rule.fraction)
        for start, part, offset in parts(sums):
            seen, taken = part.reshape(len(part), given, -1, row), tiled(offset, together)
            rows = rows_of(rest, fired, row, start // together, np.int32)
            fixed_point_passes.fire_fixed(seen, taken, factors, neuron, rows)
        return fired

    def attend(self, q: Array, k: Array, v: Array, spikes: bool) -> Array:
        """See Kernels; matrices of few tokens are too small for a library."""
        if q.shape[1] > FEW_TOKENS or not spikes or not q.shape == k.shape == v.shape:
            return self.plain.attend(torch.from_numpy(q), torch.from_numpy(k), torch.from_numpy(v), spikes).numpy()
        out = np.empty(q.shape, np.float32)
        attend = cpu_passes.attend_few if q.shape[1] <= q.shape[3] else cpu_passes.attend
        attend(q, k, v, out)
        return out

    def later(self, layer: Prepared, x: Array, raised: bool) -> Later:
        """See Kernels."""
        return Later(layer, self, x, raised)

    def plain_sums(self, integers: Array) -> Array:
        """See Kernels."""
        return integers if integers.dtype in (np.float32, np.float64) else integers.astype(np.float32)

    def bordered(self, planes: Array, width: int) -> Array:
        """See Kernels."""
        return self.plain.bordered(torch.from_numpy(planes), width).numpy()

    def max_pool(self, x: Array, kernel: int, stride: int, padding: int) -> Array:
        """See Kernels."""
        height, width = ((size + 2 * padding - kernel) // stride + 1 for size in x.shape[1:3])
        out = np.empty((len(x), height, width, x.shape[3]), np.uint8)
        cpu_passes.max_pool(x, kernel, stride, padding, out)
        return out


def _taps(digit: Tensor, dtype: np.dtype) -> Array:
    """(C, 1, 3, 3) -> (3, 3, C)."""
    return np.ascontiguousarray(digit[:, 0].permute(1, 2, 0).numpy(), dtype=dtype)
