"""The operations that the engine hands to a machine: what every set of kernels has, on the arrays it is fastest on."""

from __future__ import annotations

from collections.abc import Sized
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.engine.arithmetic import Affine, HandOver
from sviT_models.engine.number_formats import Rescale, State
from sviT_models.engine.prepared_weights import LayerKernels, Prepared

A = TypeVar("A", bound=Sized)  # arrays: tensors of a device, or arrays of numpy
S = TypeVar("S")  # a layer's sums: such an array, or sums that are computed where they are used


class Fired(NamedTuple, Generic[A]):
    """Spikes (T, ..., C) uint8, their number by step (T,), and the membrane input where it is to be kept."""

    spikes: A
    counts: NDArray[np.int64]
    kept: A | None


class Kernels(LayerKernels[A], Protocol[A, S]):
    """Operations on arrays with channels last; every implementation gives the same bits."""

    @property
    def device(self) -> torch.device:
        """Where tensors lie that become arrays."""

    def array(self, x: Tensor) -> A:
        """A tensor as these operations take it."""

    def tensor(self, x: A) -> Tensor:
        """What these operations give, as a tensor."""

    def split(self, fixed: Tensor, planes: int) -> A:
        """Unsigned bytes (planes, ...) of integers (...) plus 2^(8 planes - 1), lowest first."""

    def bordered(self, planes: A, width: int) -> A:
        """Raised bytes (P, ..., H, W, C) with a border that stands for zeros."""

    def later(self, layer: Prepared, x: A, raised: bool) -> S:
        """Sums of a layer over bytes (P, T, N, H, W, in), computed now or where they are used."""

    def plain_sums(self, integers: A) -> A:
        """Integers in a type that `fire` takes."""

    def current(self, sums: A, affine: Affine, rest: A | None) -> A:
        """Membrane input, float32: `rest` + gain * sums + shift."""

    def hand_over(self, sums: S | A, rule: HandOver) -> A:
        """The three bytes (3, ..., C) of the activations made of sums (..., C)."""

    def fire(self, sums: S | A, affine: Affine, rest: A | None, threshold: float, steps: int, keep: bool) -> Fired[A]:
        """Spikes of neurons with float32 potentials.

        `sums` (T or 1, ..., C) is float32 or float64, as is `rest`; one step stands for all.
        """

    def clipped(self, sums: A, rule: Rescale) -> A:
        """Rescaled sums (..., C), clipped to the range of the rule; float64 holding integers."""

    def narrow(self, sums: S | A, rule: Rescale) -> A:
        """The two bytes (2, ..., C) of the activations made of sums (..., C), raised by 2^15."""

    def fire_fixed(self, sums: S | A, rule: Rescale, rest: A | None, state: State, steps: int, keep: bool) -> Fired[A]:
        """Spikes of neurons with integer potentials; what is kept is the clipped membrane input, int32."""

    def attend(self, q: A, k: A, v: A, spikes: bool) -> A:
        """Q (K^T V) of bytes (N, tokens, heads, channels), float32 in that shape; `spikes` if no byte is above 1."""

    def max_pool(self, x: A, kernel: int, stride: int, padding: int) -> A:
        """The largest byte of every window of (N, H, W, C); nothing beyond the border is larger."""
