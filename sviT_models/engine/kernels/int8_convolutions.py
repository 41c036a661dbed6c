"""Exact convolutions of bytes by signed bytes in int8, by oneDNN."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
import torch
from torch import Tensor

from sviT_models.engine.convolution import Geometry

POSITIONS = 392  # that matrices are laid out for; the layout is the same for more and for less
BYTE = 255
PAIRED = 2**14  # largest product of a byte and a code of which two, added up, fit 16 bits


@cache
def exact_convolutions() -> bool:
    """Whether the int8 convolutions give the sums of integers; some processors have no such instructions."""
    try:
        return _gives_sums(convolve)
    except (AttributeError, RuntimeError, TypeError):  # another torch, or a processor it has no such kernels for
        return False


@cache
def whole_bytes() -> bool:
    """Whether one convolution is exact for every byte.

    Instructions from before VNNI (AVX2) add two products of bytes in 16 bits and saturate there.
    """
    return _gives_sums(_one_pass)


def convolve(x: np.ndarray, packed: Packed, geometry: Geometry) -> np.ndarray:
    """Sums (..., H', W', out) of bytes (..., H, W, in).

    Without VNNI, bytes above 128 that meet codes of eight bits take two passes, over their lower seven bits and over
    their highest; spikes, small counts and codes of up to seven bits never do.
    """
    if packed.whole or int(x.max(initial=0)) * packed.largest <= PAIRED:
        return _one_pass(x, packed, geometry)
    sums = _one_pass(x >> 7, packed, geometry)
    sums *= 128
    sums += _one_pass(x & 127, packed, geometry)
    return sums


def _gives_sums(conv: Callable[[np.ndarray, Packed, Geometry], np.ndarray]) -> bool:
    """Whether a convolution of the largest byte with the largest signed ones is that of integers."""
    signs = torch.tensor([[127], [-128]], dtype=torch.int8)
    for kernel, channels in ((1, 64), (3, 64), (7, 3)):
        digit = signs.expand(2, channels * kernel**2).reshape(2, channels, kernel, kernel).contiguous()
        seen = np.full((1, 8, 8, channels), 255, np.uint8)
        ones, zeros = torch.ones(2), torch.zeros(2, dtype=torch.int64)
        sums = conv(seen, Packed(digit, ones, zeros, kernel), Geometry())
        if not bool((sums == signs[:, 0].double().numpy() * 255 * channels * kernel**2).all()):
            return False
    return True


def _one_pass(x: np.ndarray, packed: Packed, geometry: Geometry) -> np.ndarray:
    if packed.kernel == geometry.stride == geometry.groups == 1 and not geometry.padding:
        return _product(x, packed)
    *leading, height, width, channels = x.shape
    seen = x.reshape(-1, height, width, channels)
    sums = torch.ops.onednn.qconv_pointwise.default(
        torch.from_numpy(seen.transpose(0, 3, 1, 2)), 1.0, 0, packed.layout(height, width, geometry),
        packed.ones, packed.zeros, None, [geometry.stride] * 2, geometry.sides, [1, 1], geometry.groups,
        1.0, 0, torch.float32, "none", [], "",
    )  # fmt: skip
    return np.ascontiguousarray(sums.numpy().transpose(0, 2, 3, 1)).reshape(*leading, *sums.shape[2:], -1)


def _product(x: np.ndarray, packed: Packed) -> np.ndarray:
    """A 1x1 convolution as the matrix product it is, which starts in half the time."""
    sums = torch.ops.onednn.qlinear_pointwise.default(
        torch.from_numpy(x.reshape(-1, x.shape[-1])), 1.0, 0, packed.matrix, packed.ones, packed.zeros,
        None, 1.0, 0, torch.float32, "none", [], "",
    )  # fmt: skip
    found: np.ndarray = sums.numpy()
    return found.reshape(*x.shape[:-1], -1)


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

    @cached_property
    def largest(self) -> int:
        """The largest magnitude of a code."""
        return int(self.digit.short().abs().max())

    @cached_property
    def whole(self) -> bool:
        """Whether one convolution is exact whatever the bytes."""
        return BYTE * self.largest <= PAIRED or whole_bytes()

    @cached_property
    def matrix(self) -> Tensor:
        """The weight of a 1x1 convolution."""
        positions = [POSITIONS, self.digit.shape[1]]
        found: Tensor = torch.ops.onednn.qlinear_prepack(self.digit.flatten(1).contiguous(), positions)
        return found

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


def available() -> bool:
    """Whether numba can be imported, and this torch on this processor has int8 convolutions that are exact."""
    return importlib.util.find_spec("numba") is not None and exact_convolutions()
