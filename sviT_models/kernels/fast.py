"""The operations on a CPU: int8 convolutions of oneDNN and the compiled passes of `fused`."""

import importlib.util
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from torch import Tensor

from sviT_models.exact import HandOver
from sviT_models.kernels.plain import EXACT_FLOAT32, Geometry, Plain
from sviT_models.later import Later

ROW = 256  # channels that one row of a pass holds at least; narrower tensors take several positions as one row
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
            seen = torch.full((1, 8, 8, channels), 255, dtype=torch.uint8)
            ones, zeros = torch.ones(2), torch.zeros(2, dtype=torch.int64)
            packed = Packed(digit, ones, zeros, kernel)
            sums = _convolve(seen, packed, Geometry()).double()
            if not torch.equal(sums, (signs[:, 0].double() * 255 * channels * kernel**2).expand_as(sums)):
                return False
    except (AttributeError, RuntimeError, TypeError):  # another torch, or a processor it has no such kernels for
        return False
    return True


def _convolve(x: Tensor, packed: "Packed", geometry: Geometry) -> Tensor:
    """Sums (..., H', W', out) of bytes (..., H, W, in).

    Every operation of torch lets go of the interpreter and takes it back, for which several threads queue; so there are
    three of them where x is contiguous.
    """
    *leading, height, width, channels = x.shape
    pointwise = packed.kernel == geometry.stride == 1 and not geometry.padding
    if pointwise:  # a matrix product: oneDNN is slow where an image has few positions, so that all become one image
        images, rows, columns, layout = 1, 1, math.prod(leading) * height * width, (1, POSITIONS)
    else:
        images, rows, columns, layout = math.prod(leading), height, width, (height, width)
    x = x.contiguous() if not x.is_contiguous() else x
    seen = x.as_strided((images, channels, rows, columns), (rows * columns * channels, 1, columns * channels, channels))
    sums = torch.ops.onednn.qconv_pointwise(
        seen, 1.0, 0, packed.layout(*layout, geometry), packed.ones, packed.zeros, None,
        [geometry.stride] * 2, geometry.sides, [1, 1], geometry.groups,
        1.0, 0, torch.float32, "none", [], "",
    )  # fmt: skip
    shape = [*leading, *((height, width) if pointwise else sums.shape[2:]), len(packed.ones)]
    if not sums.is_contiguous(memory_format=torch.channels_last):
        sums = sums.contiguous(memory_format=torch.channels_last)
    return sums.as_strided(shape, strides(shape))


def strides(shape: list[int]) -> list[int]:
    """Strides of a contiguous tensor."""
    steps = [1]
    for size in reversed(shape[1:]):
        steps.append(steps[-1] * size)
    return steps[::-1]


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
    """Operations on CPU tensors; same results as `Plain`, bit for bit."""

    streams = True

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))
        from sviT_models.kernels import fused  # compiles; not wanted where torch alone is used

        object.__setattr__(self, "fused", fused)

    def pack(self, digit: Tensor, geometry: Geometry) -> Packed:
        """See Plain."""
        return Packed(digit, torch.ones(len(digit)), torch.zeros(len(digit), dtype=torch.int64), digit.shape[-1])

    def conv(self, x: Tensor, packed: Packed, geometry: Geometry) -> Tensor:
        """See Plain."""
        return _convolve(x, packed, geometry)

    def split(self, fixed: Tensor, planes: int) -> Tensor:
        """See Plain."""
        if planes != 4:
            return super().split(fixed, planes)
        out = torch.empty(4, *fixed.shape, dtype=torch.uint8)
        self.fused.split(fixed.numpy().reshape(-1), out.numpy().reshape(4, -1))
        return out

    def merge(self, planes: Tensor, offset: np.ndarray) -> Tensor:
        """See Plain."""
        out = torch.empty(planes.shape[1:], dtype=torch.float64)
        channels = out.shape[-1]
        self.fused.merge(planes.numpy().reshape(len(planes), -1, channels), offset, out.numpy().reshape(-1, channels))
        return out

    def depthwise(self, sums: Tensor, digit: Tensor) -> Tensor:
        """See Plain."""
        sums = sums.double()
        out = torch.empty_like(sums)
        self.fused.depthwise(sums.numpy(), _taps(digit, np.float64), out.numpy())
        return out

    def hand_over(self, sums: Tensor | Later, rule: HandOver) -> Tensor:
        """See Plain."""
        out = torch.empty(3, *sums.shape, dtype=torch.uint8)
        if len(sums.shape) == 4:
            sums = sums.unsqueeze(0)
        together = _together(sums)
        row = sums.shape[-1] * together
        gain, shift = _tiled(rule.gain, together), _tiled(rule.shift, together)
        flat = out.numpy().reshape(3, sums.shape[0], -1, row)
        for start, part, _ in _parts(sums, apart=False):
            seen = part.numpy().reshape(sums.shape[0], -1, row)
            self.fused.hand_over(seen, gain, shift, flat, start // together)
        return out

    def depthwise_hand_over(self, sums: Tensor, digit: Tensor, rule: HandOver) -> Tensor:
        """See Plain; in float32 where that is exact."""
        if rule.largest >= EXACT_FLOAT32:
            sums = sums.double()
        out = torch.empty(3, *sums.shape, dtype=torch.uint8)
        seen = sums.numpy()
        self.fused.depthwise_hand_over(seen, _taps(digit, seen.dtype), rule.gain, rule.shift, out.numpy())
        return out

    def fire(
        self,
        sums: Tensor | Later,
        gain: np.ndarray,
        shift: np.ndarray,
        rest: Tensor | None,
        threshold: float,
        steps: int,
        keep: bool,
    ) -> tuple[Tensor, np.ndarray, Tensor | None]:
        """See Plain."""
        if not isinstance(sums, Later) and len(sums) == 1 and rest is not None and len(rest) > 1:
            sums = sums.expand(steps, *sums.shape[1:]).contiguous()
        given, *shape = sums.shape
        spikes = torch.empty(steps, *shape, dtype=torch.uint8)
        kept = torch.empty(given, *shape) if keep else None
        counts = np.zeros(steps, np.int64)
        together = _together(sums)
        row = shape[-1] * together
        gain, shift = _tiled(gain, together), _tiled(shift, together)
        for start, part, offset in _parts(sums):
            self.fused.fire(
                part.numpy().reshape(len(part), given, -1, row),
                _tiled(offset, together),
                gain,
                shift,
                _rows(rest, row),
                _rows(kept, row),
                np.float32(threshold),
                _rows(spikes, row),
                counts,
                start // together,
            )
        return spikes, counts, kept

    def attend(self, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        """See Plain; matrices of few tokens are too small for a library."""
        tokens = q.shape[1] * q.shape[2]
        if tokens > FEW_TOKENS:
            return super().attend(q, k, v, heads)
        out = torch.empty(q.shape)
        split = [x.numpy().reshape(len(q), tokens, heads, -1) for x in (q, k, v, out)]
        self.fused.attend(*split)
        return out


def _parts(sums: Tensor | Later, apart: bool = True) -> Iterator[tuple[int, Tensor, np.ndarray]]:
    """See Later."""
    return sums.parts(apart) if isinstance(sums, Later) else iter([(0, sums.unsqueeze(0), np.zeros(sums.shape[-1]))])


def _rows(x: Tensor | None, channels: int) -> np.ndarray:
    """(T, rows, channels), empty for None."""
    return np.empty((0, 1, 1), np.float32) if x is None else x.numpy().reshape(len(x), -1, channels)


def _together(sums: Tensor | Later) -> int:
    """How many positions make one row, so that rows are not shorter than need be: a divisor of those of every part."""
    _, images, height, width, channels = sums.shape
    positions = images * height * width
    if isinstance(sums, Later):
        positions = sums.strip[1] * width
    together = 1
    while channels * together < ROW and positions % (2 * together) == 0:
        together *= 2
    return together


def _tiled(constants: np.ndarray, together: int) -> np.ndarray:
    return constants if together == 1 else np.tile(constants, together)


def _taps(digit: Tensor, dtype: np.dtype) -> np.ndarray:
    """(C, 1, 3, 3) -> (3, 3, C)."""
    return np.ascontiguousarray(digit[:, 0].permute(1, 2, 0).numpy(), dtype=dtype)
