"""The operations on a CPU: int8 convolutions of oneDNN and the compiled passes of `fused`."""

import importlib.util
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from sviT_models.exact import HandOver
from sviT_models.kernels.plain import EXACT_FLOAT32, Geometry, Plain

ROW = 256  # channels that one row of a pass holds at least; narrower tensors take several positions as one row


def available() -> bool:
    """Whether this torch has the convolutions and numba can be imported."""
    known = hasattr(torch.ops.onednn, "qconv_prepack") and hasattr(torch.ops.onednn, "qconv_pointwise")
    return known and importlib.util.find_spec("numba") is not None


@dataclass(frozen=True, eq=False)
class Packed:
    """A weight in the layouts that oneDNN wants for the input sizes it has met, and the unit scales it is used with.

    A layout made for another size still gives the right sums, but is taken apart again in every call.
    """

    digit: Tensor
    ones: Tensor
    zeros: Tensor
    layouts: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def layout(self, height: int, width: int, geometry: Geometry) -> Tensor:
        """The weight for inputs of this size."""
        if (height, width) not in self.layouts:
            sides = [geometry.stride] * 2, [geometry.padding] * 2, [1, 1]
            size = [1, self.digit.shape[1] * geometry.groups, height, width]
            self.layouts[height, width] = torch.ops.onednn.qconv_prepack(
                self.digit, self.ones, 1.0, 0, *sides, geometry.groups, size
            )
        return self.layouts[height, width]


class Fast(Plain):
    """Operations on CPU tensors; same results as `Plain`, bit for bit."""

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))
        from sviT_models.kernels import fused  # compiles; not wanted where torch alone is used

        object.__setattr__(self, "fused", fused)

    def pack(self, digit: Tensor, geometry: Geometry) -> Packed:
        """See Plain."""
        return Packed(digit, torch.ones(len(digit)), torch.zeros(len(digit), dtype=torch.int64))

    def conv(self, x: Tensor, packed: Packed, geometry: Geometry) -> Tensor:
        """See Plain."""
        weight = packed.layout(*x.shape[1:3], geometry)
        sums = torch.ops.onednn.qconv_pointwise(
            x.permute(0, 3, 1, 2), 1.0, 0, weight, packed.ones, packed.zeros, None,
            [geometry.stride] * 2, [geometry.padding] * 2, [1, 1], geometry.groups,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return sums.permute(0, 2, 3, 1).contiguous()

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

    def hand_over(self, sums: Tensor, rule: HandOver) -> Tensor:
        """See Plain."""
        out = torch.empty(3, *sums.shape, dtype=torch.uint8)
        channels = sums.shape[-1]
        flat = out.numpy().reshape(3, -1, channels)
        self.fused.hand_over(sums.numpy().reshape(-1, channels), rule.gain, rule.shift, flat)
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
        sums: Tensor,
        gain: np.ndarray,
        shift: np.ndarray,
        rest: Tensor | None,
        threshold: float,
        steps: int,
        keep: bool,
    ) -> tuple[Tensor, np.ndarray, Tensor | None]:
        """See Plain."""
        static = len(sums) == 1 and (rest is None or len(rest) == 1)
        if len(sums) == 1 and not static:
            sums = sums.expand(steps, *sums.shape[1:]).contiguous()
        shape, channels = sums.shape[1:], sums.shape[-1]
        positions = sums[0].numel() // channels
        together = _together(positions, channels)
        flat = (-1, positions // together, channels * together)
        spikes = torch.empty(steps, *shape, dtype=torch.uint8)
        kept = torch.empty_like(sums, dtype=torch.float32) if keep else None
        empty = np.empty((0, 1, 1), np.float32)
        counts = np.zeros(steps, np.int64)
        self.fused.fire(
            sums.numpy().reshape(flat),
            np.tile(gain, together),
            np.tile(shift, together),
            empty if rest is None else rest.numpy().reshape(flat),
            empty if kept is None else kept.numpy().reshape(flat),
            np.float32(threshold),
            spikes.numpy().reshape(flat),
            counts,
        )
        return spikes, counts, kept


def _together(positions: int, channels: int) -> int:
    """How many positions make one row: a divisor of `positions`, so that rows are not shorter than need be."""
    together = 1
    while channels * together < ROW and positions % (2 * together) == 0:
        together *= 2
    return together


def _taps(digit: Tensor, dtype: np.dtype) -> np.ndarray:
    """(C, 1, 3, 3) -> (3, 3, C)."""
    return np.ascontiguousarray(digit[:, 0].permute(1, 2, 0).numpy(), dtype=dtype)
