"""One batch on its way through the network: what stands between two pieces, and the operations that take it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sviT_models.engine.arithmetic import Floats, fixed_image, folded, logits_of, token_mean
from sviT_models.engine.prepared_weights import Array, Weights
from sviT_models.engine.streamed_sums import Later

IMAGE_PLANES = 4


@dataclass(frozen=True, eq=False)
class Sums:
    """Membrane input before it is finished: rest + gain * sums + shift.

    `sums` is (T or 1, B, H, W, C) float32 or float64, computed or not, `rest` is float32 of that shape or None.
    """

    sums: Array | Later
    gain: Floats
    shift: Floats
    rest: Array | None = None

    def computed(self) -> Sums:
        """The same with nothing left to compute."""
        return replace(self, sums=self.sums.whole()) if isinstance(self.sums, Later) else self


@dataclass(frozen=True, eq=False)
class Run:
    """One batch on its way through the network: its steps, kernels and weights, and spike counts by LIF layer."""

    steps: int
    kernels: Any
    weights: Weights
    spikes: dict[str, np.ndarray]

    def fire(self, pending: Sums, name: str, module: nn.Module, keep: bool = False) -> tuple[Array, Array | None]:
        """Spikes (T * B, H, W, C), and the membrane input if it is needed again."""
        p = pending
        spikes, counts, kept = self.kernels.fire(p.sums, p.gain, p.shift, p.rest, module.threshold, self.steps, keep)
        self.spikes[name] = counts
        return merged(spikes), kept

    def on_spikes(self, layer: str, x: Array) -> Array | Later:
        """Sums (T, B, H', W', out) of a layer that sees spikes (T * B, H, W, in)."""
        return self._sums(layer, split(x[None], 1, self.steps), False)

    def on_bytes(self, layer: str, planes: Array, steps: int | None = None) -> Array | Later:
        """Sums of a layer that sees integers, given by their bytes (P, T * B, H, W, in); `steps`, if not T."""
        return self._sums(layer, split(planes, 1, steps or self.steps), True)

    def _sums(self, layer: str, x: Array, raised: bool) -> Array | Later:
        later = Later(self.weights[layer], self.kernels, x, raised)
        return later if self.kernels.streams else later.whole()

    def image(self, images: Tensor, padding: int) -> Array:
        """Bytes (P, B, H', W', 3) of the zero-padded images (B, 3, H, W)."""
        return self.kernels.split(padded(fixed_image(images), padding), IMAGE_PLANES)

    def hand_over(self, layer: str, spikes: Array, rule: Any) -> Array:
        """Bytes (P, T * B, H, W, C) that a depthwise layer makes of spikes for the next convolution."""
        return merged(self.kernels.hand_over(self.on_spikes(layer, spikes), rule), 1)

    def chain(self, first: str, depthwise: str, spikes: Array, rule: Any) -> Array:
        """Bytes (P, T * B, H, W, C) that the first two layers of a RepConv make of spikes for the third."""
        sums = self.weights[first].on_spikes(self.kernels, spikes)
        return self.weights[depthwise].hand_over(self.kernels, sums, rule)

    def token_mean(self, pending: Sums) -> Sums:
        """Membrane input (T, B, 1, 1, C) of the last neurons."""
        pending = pending.computed()
        kernels = self.kernels
        membrane = kernels.tensor(kernels.current(pending.sums, pending.gain, pending.shift, pending.rest))
        mean = token_mean(membrane.flatten(2, 3))[:, :, None, None].contiguous()
        ones = np.ones(mean.shape[-1])
        return Sums(kernels.array(mean), ones, np.zeros_like(ones))

    def logits(self, layers: tuple[str, ...], spikes: Array) -> Tensor:
        """Logits (B, classes) float32, the mean of all heads."""
        total = 0
        for layer in layers:
            sums = self.head_sums(layer, spikes)
            gain, shift = (torch.from_numpy(part).to(sums.device) for part in self.constants(constants_of, layer))
            total = total + logits_of(sums, gain, shift)
        return (total / len(layers)).float()

    def head_sums(self, layer: str, spikes: Array) -> Tensor:
        """Sums (T, B, classes) float64 of a classifier."""
        sums = split(self.weights[layer].on_spikes(self.kernels, spikes), 0, self.steps)
        return self.kernels.tensor(sums)[:, :, 0, 0].double()

    def constants(self, make: Callable[..., Any], *layers: str, extra: tuple[Any, ...] = ()) -> Any:
        """What `make(*integer weights, *extra)` gives for the present widths of `layers`; remembered."""
        return self.weights.constants(make, layers, extra)


def merged(x: Array, axis: int = 0) -> Array:
    """An array with axis `axis` and the one behind it as one."""
    return x.reshape(*x.shape[:axis], -1, *x.shape[axis + 2 :])


def split(x: Array, axis: int, count: int) -> Array:
    """An array with axis `axis` as two, of which the first has `count` entries."""
    return x.reshape(*x.shape[:axis], count, -1, *x.shape[axis + 1 :])


def padded(images: Tensor, padding: int) -> Tensor:
    """Images (B, 3, H, W) with a border of zeros, channels last."""
    return nn.functional.pad(images, [padding] * 4).permute(0, 2, 3, 1).contiguous()


def constants_of(weight: Any, *norms: nn.Module) -> tuple[Floats, Floats]:
    """Gain and shift of a layer that sees spikes."""
    return folded(weight, norms)
