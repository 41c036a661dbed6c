"""The weights of a design as the kernels take them: made once for every (layer, bits), then only pointed at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sized
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from sviT_models.engine.arithmetic import Floats, HandOver, IntegerWeight
from sviT_models.engine.convolution import EXACT_FLOAT32, Geometry

Array = Any  # what the kernels at hand compute on: tensors, or arrays of numpy
A = TypeVar("A", bound=Sized)
V = TypeVar("V")
BYTE = 255


class LayerKernels(Protocol[A]):
    """What layers are made of, on arrays with channels last."""

    def pack(self, digit: Tensor, geometry: Geometry) -> Any:
        """Signed bytes (out, in, k, k) in the form that `conv` takes."""

    def conv(self, x: A, packed: Any, geometry: Geometry) -> A:
        """Integer sums in float32, (..., H', W', out), of bytes (..., H, W, in); exact below 2^24."""

    def merge(self, planes: A, offset: Floats) -> A:
        """Sums in float64 from those of the bytes (planes, ...); `offset` (out,) is what raising has added."""

    def accumulate(self, total: A | None, sums: A, factor: float) -> A:
        """`factor` times a total of float64 plus sums, in place of the total; the sums in float64 without one."""

    def depthwise(self, sums: A, digit: Tensor) -> A:
        """Depthwise 3x3, zero-padded, on sums (N, H, W, C), float32 or float64 -> float64; `digit` is (C, 1, 3, 3)."""

    def hand_over(self, sums: A, rule: HandOver) -> A:
        """The three bytes (3, ..., C) of the activations made of sums (..., C)."""

    def depthwise_hand_over(self, sums: A, digit: Tensor, rule: HandOver) -> A:
        """Both in one."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """One layer at one width: its integers, and each signed byte of its codes in the kernels' layout."""

    integers: IntegerWeight
    geometry: Geometry
    packed: tuple[tuple[Any, ...], ...]  # summands of every digit
    totals: tuple[np.ndarray, ...]  # sum of the codes of every digit (out,)

    @property
    def nbytes(self) -> int:
        """Memory of the layer [B], about: codes plain and packed."""
        return 2 * sum(int(digit.nbytes) for digit in self.integers.digits)

    @cached_property
    def single(self) -> bool:
        """Whether one convolution gives its sums."""
        return len(self.packed) == 1 and len(self.packed[0]) == 1

    @cached_property
    def kernel(self) -> int:
        """Side of its kernel."""
        digit = self.integers.digits[0]
        return digit.shape[-1] if digit.ndim == 4 else 1

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the output for an input of that size."""
        g = self.geometry
        rows, columns = ((size + 2 * g.padding - self.kernel) // g.stride + 1 for size in (height, width))
        return rows, columns

    def on_spikes(self, kernels: LayerKernels[A], x: A, geometry: Geometry | None = None) -> A:
        """Exact sums over spikes (..., H, W, in): float32 up to 8 bits, else float64; `geometry` is that of a strip."""
        geometry = geometry or self.geometry
        if self.single:
            return kernels.conv(x, self.packed[0][0], geometry)
        total: A | None = None
        for digit in reversed(self.packed):  # from the top
            for i, part in enumerate(digit):
                total = kernels.accumulate(total, kernels.conv(x, part, geometry), 256.0 if i == 0 else 1.0)
        assert total is not None
        return total

    def on_bytes(self, kernels: LayerKernels[A], planes: A, geometry: Geometry | None = None) -> A:
        """Exact sums over the integers whose raised bytes are `planes` (P, ..., H, W, in); float64."""
        geometry = geometry or self.geometry
        total: A | None = None
        for digit, codes in zip(reversed(self.packed), reversed(self.totals), strict=True):
            raised = codes * 2.0 ** (8 * len(planes) - 1)
            for i, part in enumerate(digit):  # what raising has added goes with the first
                merged = kernels.merge(kernels.conv(planes, part, geometry), raised if i == 0 else 0 * raised)
                total = merged if total is None else kernels.accumulate(total, merged, 256.0 if i == 0 else 1.0)
        assert total is not None
        return total

    def depthwise(self, kernels: LayerKernels[A], sums: A) -> A:
        """This depthwise 3x3 layer over integer sums (N, H, W, C); float64."""
        total: A | None = None
        for digit in reversed(self.integers.digits):
            total = kernels.accumulate(total, kernels.depthwise(sums, digit), 256.0)
        assert total is not None
        return total

    def hand_over(self, kernels: LayerKernels[A], sums: A, rule: HandOver) -> A:
        """This depthwise 3x3 layer over integer sums (N, H, W, C), as bytes of the next layer's input."""
        if len(self.integers.digits) == 1:
            return kernels.depthwise_hand_over(sums, self.integers.digits[0], rule)
        return kernels.hand_over(self.depthwise(kernels, sums), rule)


def prepare(kernels: LayerKernels[A], integers: IntegerWeight, geometry: Geometry, largest_input: int) -> Prepared:
    """A layer whose inputs are integers from 0 to `largest_input` (1: spikes, 255: bytes)."""
    packed = tuple(
        tuple(kernels.pack(part, geometry) for part in _summands(digit, largest_input)) for digit in integers.digits
    )
    totals = tuple(digit.flatten(1).sum(1, dtype=torch.float64).numpy(force=True) for digit in integers.digits)
    return Prepared(integers, geometry, packed, totals)


def _summands(digit: Tensor, largest_input: int) -> tuple[Tensor, ...]:
    """A digit as a sum of signed bytes whose sums over inputs stay below 2^24, where float32 is exact."""
    digit = digit[:, :, None, None] if digit.ndim == 2 else digit[..., None] if digit.ndim == 3 else digit
    parts = [digit]
    while max(int(part.flatten(1).int().abs().sum(1).max()) for part in parts) * largest_input >= EXACT_FLOAT32:
        halves = [(part.int() // 2).to(torch.int8) for part in parts]
        parts = [*halves, *(part - half for part, half in zip(parts, halves, strict=True))]
    return tuple(part.contiguous() for part in parts)


class Cache:
    """The most recently used values, at most `limit` in the measure that their `size` gives."""

    def __init__(self, limit: int | None) -> None:
        self.limit, self.total = limit, 0
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], V], size: Callable[[V], int]) -> V:
        """The value of a key, made where it is not held."""
        if key in self._held:
            self._held.move_to_end(key)
            known: V = self._held[key][0]
            return known
        value = make()
        self._held[key] = value, size(value)
        self.total += self._held[key][1]
        while self.limit is not None and self.total > self.limit and len(self._held) > 1:
            self.total -= self._held.popitem(last=False)[1][1]
        return value


@dataclass(frozen=True, eq=False)
class Weights:
    """The layers of one design by the operation that runs them, their integers, and what belongs to their widths."""

    layers: dict[str, Prepared]
    integers: dict[str, IntegerWeight]
    bits: dict[str, int]
    known: dict[Hashable, Any]

    def __getitem__(self, operation: str) -> Prepared:
        return self.layers[operation]
