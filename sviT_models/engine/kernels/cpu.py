"""The operations on a CPU: int8 convolutions of oneDNN and the compiled passes of `cpu_passes`, on arrays of numpy.

Every operation of torch lets go of the interpreter and takes it back, views too, and threads queue for it: with four of
them each costs some 30 microseconds. Views of numpy keep it. So torch is asked for the convolutions alone.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from torch import Tensor

from sviT_models.engine.arithmetic import HandOver
from sviT_models.engine.convolution import EXACT_FLOAT32, Geometry
from sviT_models.engine.kernels.plain import Plain
from sviT_models.engine.kernels.rows import as_rows, parts, positions_per_row, tiled
from sviT_models.engine.prepared_weights import Prepared
from sviT_models.engine.streamed_sums import Later

FEW_TOKENS = 32
POSITIONS = 392  # that 1x1 convolutions are laid out for; the layout is the same for more and for less


def available() -> bool:
    """Whether numba can be imported, and this torch on this processor has int8 convolutions that are exact."""
    return importlib.util.find_spec("numba") is not None and exact_convolutions()


@cache
def exact_convolutions() -> bool:
    """Whether the int8 convolutions give the sums of integers.

    Instructions from before VNNI add two products of bytes in 16 bits and saturate; others may be missing altogether.
    """
    signs = torch.tensor([[127], [-128]], dtype=torch.int8)
    try:
        for kernel, channels in ((1, 64), (3, 64), (7, 3)):
            digit = signs.expand(2, channels * kernel**2).reshape(2, channels, kernel, kernel).contiguous()
            seen = np.full((1, 8, 8, channels), 255, np.uint8)
            ones, zeros = torch.ones(2), torch.zeros(2, dtype=torch.int64)
            sums = convolve(seen, Packed(digit, ones, zeros, kernel), Geometry())
            if not bool((sums == signs[:, 0].double().numpy() * 255 * channels * kernel**2).all()):
                return False
    except (AttributeError, RuntimeError, TypeError):  # another torch, or a processor it has no such kernels for
        return False
    return True


def convolve(x: np.ndarray, packed: Packed, geometry: Geometry) -> np.ndarray:
    """Sums (..., H', W', out) of bytes (..., H, W, in)."""
    *leading, height, width, channels = x.shape
    pointwise = packed.kernel == geometry.stride == 1 and not geometry.padding
    if pointwise:  # a matrix product: oneDNN is slow where an image has few positions, so that all become one image
        seen, layout = x.reshape(1, 1, -1, channels), (1, POSITIONS)
    else:
        seen, layout = x.reshape(-1, height, width, channels), (height, width)
    sums = torch.ops.onednn.qconv_pointwise.default(
        torch.from_numpy(seen.transpose(0, 3, 1, 2)), 1.0, 0, packed.layout(*layout, geometry),
        packed.ones, packed.zeros, None, [geometry.stride] * 2, geometry.sides, [1, 1], geometry.groups,
        1.0, 0, torch.float32, "none", [], "",
    )  # fmt: skip
    rows, columns = (height, width) if pointwise else sums.shape[2:]
    return np.ascontiguousarray(sums.numpy().transpose(0, 2, 3, 1)).reshape(*leading, rows, columns, -1)


@dataclass(frozen=True, eq=False)
class Packed:
    """A weight in the layouts that oneDNN wants for the input sizes it has met, and the unit scales it is used with.

    A layout made for another size still gives the right sums, but is taken apart again in every call.
    """

    digit: Tensor
    ones: Tensor
    zeros: Tensor
    kernel: int
    layouts: dict[tuple[int, int, Geometry], Tensor] = field(default_factory=dict)

    def layout(self, height: int, width: int, geometry: Geometry) -> Tensor:
        """The weight for inputs of this size."""
        key = height, width, geometry
        if key not in self.layouts:
            sides = [geometry.stride] * 2, list(geometry.sides), [1, 1]
            size = [1, self.digit.shape[1] * geometry.groups, height, width]
            self.layouts[key] = torch.ops.onednn.qconv_prepack(
                self.digit, self.ones, 1.0, 0, *sides, geometry.groups, size
            )
        return self.layouts[key]


class Fast(Plain):
    """Operations on arrays of numpy; same results as `Plain`, bit for bit."""

    streams = True

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))
        from sviT_models.engine.kernels import cpu_passes

        object.__setattr__(self, "passes", cpu_passes)

    def array(self, x: Tensor) -> np.ndarray:
        """See Plain."""
        return x.numpy()

    def tensor(self, x: np.ndarray) -> Tensor:
        """See Plain."""
        return torch.from_numpy(x)

    def pack(self, digit: Tensor, geometry: Geometry) -> Packed:
        """See Plain."""
        return Packed(digit, torch.ones(len(digit)), torch.zeros(len(digit), dtype=torch.int64), digit.shape[-1])

    def conv(self, x: np.ndarray, packed: Packed, geometry: Geometry) -> np.ndarray:
        """See Plain."""
        return convolve(x, packed, geometry)

    def split(self, fixed: Tensor, planes: int) -> np.ndarray:
        """See Plain."""
        out = np.empty((planes, *fixed.shape), np.uint8)
        self.passes.split(fixed.numpy().reshape(-1), 2 ** (8 * planes - 1), out.reshape(planes, -1))
        return out

    def merge(self, planes: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """See Plain."""
        out = np.empty(planes.shape[1:])
        channels = out.shape[-1]
        self.passes.merge(planes.reshape(len(planes), -1, channels), offset, out.reshape(-1, channels))
        return out

    def accumulate(self, total: np.ndarray | None, sums: np.ndarray, factor: float) -> np.ndarray:
        """See Plain."""
        if total is None:
            total, factor = np.zeros(sums.shape), 1.0
        self.passes.accumulate(total.reshape(-1), sums.reshape(-1), factor)
        return total

    def depthwise(self, sums: np.ndarray, digit: Tensor) -> np.ndarray:
        """See Plain."""
        sums = sums.astype(np.float64, copy=False)
        out = np.empty_like(sums)
        self.passes.depthwise(sums, _taps(digit, np.float64), out)
        return out

    def hand_over(self, sums: np.ndarray | Later, rule: HandOver) -> np.ndarray:
        """See Plain."""
        out = np.empty((3, *sums.shape), np.uint8)
        if len(sums.shape) == 4:
            sums = sums[None]
        together = positions_per_row(sums)
        row = sums.shape[-1] * together
        gain, shift = tiled(rule.gain, together), tiled(rule.shift, together)
        flat = out.reshape(3, sums.shape[0], -1, row)
        for start, part, _ in parts(sums, apart=False):
            seen = part.reshape(sums.shape[0], -1, row)
            self.passes.hand_over(seen, gain, shift, flat, start // together)
        return out

    def depthwise_hand_over(self, sums: np.ndarray, digit: Tensor, rule: HandOver) -> np.ndarray:
        """See Plain; in float32 where that is exact."""
        if rule.largest >= EXACT_FLOAT32:
            sums = sums.astype(np.float64, copy=False)
        out = np.empty((3, *sums.shape), np.uint8)
        self.passes.depthwise_hand_over(sums, _taps(digit, sums.dtype), rule.gain, rule.shift, out)
        return out

    def current(self, sums: np.ndarray, gain: np.ndarray, shift: np.ndarray, rest: np.ndarray | None) -> np.ndarray:
        """See Plain."""
        rest = None if rest is None else torch.from_numpy(rest)
        return super().current(torch.from_numpy(sums), gain, shift, rest).numpy()

    def fire(
        self,
        sums: np.ndarray | Later,
        gain: np.ndarray,
        shift: np.ndarray,
        rest: np.ndarray | None,
        threshold: float,
        steps: int,
        keep: bool,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """See Plain."""
        if not isinstance(sums, Later) and len(sums) == 1 and rest is not None and len(rest) > 1:
            sums = np.repeat(sums, steps, axis=0)
        given, *shape = sums.shape
        spikes = np.empty((steps, *shape), np.uint8)
        kept = np.empty((given, *shape), np.float32) if keep else None
        counts = np.zeros(steps, np.int64)
        together = positions_per_row(sums)
        row = shape[-1] * together
        gain, shift = tiled(gain, together), tiled(shift, together)
        for start, part, offset in parts(sums):
            self.passes.fire(
                part.reshape(len(part), given, -1, row),
                tiled(offset, together),
                gain,
                shift,
                as_rows(rest, row),
                as_rows(kept, row),
                np.float32(threshold),
                as_rows(spikes, row),
                counts,
                start // together,
            )
        return spikes, counts, kept

    def attend(self, q: np.ndarray, k: np.ndarray, v: np.ndarray, spikes: bool) -> np.ndarray:
        """See Plain; matrices of few tokens are too small for a library."""
        if q.shape[1] > FEW_TOKENS or not spikes or not q.shape == k.shape == v.shape:
            return super().attend(*map(torch.from_numpy, (q, k, v)), spikes).numpy()
        out = np.empty(q.shape, np.float32)
        self.passes.attend(q, k, v, out)
        return out

    def later(self, layer: Prepared, x: np.ndarray, raised: bool) -> Later:
        """See Plain."""
        return Later(layer, self, x, raised)

    def plain_sums(self, integers: np.ndarray) -> np.ndarray:
        """See Plain."""
        return integers if integers.dtype in (np.float32, np.float64) else integers.astype(np.float32)

    def bordered(self, planes: np.ndarray, width: int) -> np.ndarray:
        """See Plain."""
        return super().bordered(torch.from_numpy(planes), width).numpy()

    def max_pool(self, x: np.ndarray, kernel: int, stride: int, padding: int) -> np.ndarray:
        """See Plain."""
        height, width = ((size + 2 * padding - kernel) // stride + 1 for size in x.shape[1:3])
        out = np.empty((len(x), height, width, x.shape[3]), np.uint8)
        self.passes.max_pool(x, kernel, stride, padding, out)
        return out


def _taps(digit: Tensor, dtype: np.dtype) -> np.ndarray:
    """(C, 1, 3, 3) -> (3, 3, C)."""
    return np.ascontiguousarray(digit[:, 0].permute(1, 2, 0).numpy(), dtype=dtype)
