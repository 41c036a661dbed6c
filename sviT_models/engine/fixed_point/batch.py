"""One batch on its way through the fixed-point network: what `Run` does, on integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sviT_models.engine.batch import Run, Sums, merged, padded
from sviT_models.engine.fixed_point.plan import Plan
from sviT_models.engine.kernels.fixed_point import clipped, fire_fixed, narrow, rescaled
from sviT_models.engine.prepared_weights import Array


@dataclass(frozen=True, eq=False)
class FixedRun(Run):
    """A Run with the constants of `plan`; a Sums then holds a Rescale as its gain, and a rest of int32.

    `seen`, if given, takes the spikes (T, B, H, W, C) of every LIF layer.
    """

    plan: Plan
    image_bits: int
    seen: dict[str, Tensor] | None = None

    def fire(self, pending: Sums, name: str, module: nn.Module, keep: bool = False) -> tuple[Array, Array | None]:
        """See Run."""
        rule = (
            self.plan.rescales[f"{name.removesuffix('.attn_lif')}.qkv"] if name.endswith("attn_lif") else pending.gain
        )
        state = self.plan.states[name]
        spikes, counts, kept = fire_fixed(self.kernels, pending.sums, rule, pending.rest, state, self.steps, keep)
        self.spikes[name] = counts
        if self.seen is not None:
            self.seen[name] = self.kernels.tensor(spikes)
        return merged(spikes), kept

    def constants(self, make: Callable[..., Any], *layers: str, extra: tuple[Any, ...] = ()) -> Any:
        """The Rescale behind the last of `layers`, and before it what a depthwise layer among them hands over."""
        last = self.plan.rescales[layers[-1]], np.zeros(0)
        return last if len(layers) == 1 else ([self.plan.rescales[name] for name in layers[:-1]], last)

    def image(self, images: Tensor, padding: int) -> Array:
        """See Run; one byte."""
        return self.kernels.split(padded(integer_image(images, self.plan.image_fraction, self.image_bits), padding), 1)

    def hand_over(self, layer: str, spikes: Array, rule: Any) -> Array:
        """See Run; two bytes."""
        return merged(narrow(self.kernels, self.on_spikes(layer, spikes), rule[-1]), 1)

    def chain(self, first: str, depthwise: str, spikes: Array, rule: Any) -> Array:
        """See Run; two bytes."""
        sums = self.weights[first].on_spikes(self.kernels, spikes)
        seen = clipped(self.kernels, sums, rule[0])
        return narrow(self.kernels, self.weights[depthwise].depthwise(self.kernels, seen)[None], rule[1])[:, 0]

    def token_mean(self, pending: Sums) -> Sums:
        """See Run."""
        pending, kernels = pending.computed(), self.kernels
        rule = pending.gain
        x = rescaled(kernels.tensor(pending.sums), rule)
        x = (x if pending.rest is None else x + kernels.tensor(pending.rest)).clamp(rule.low, rule.high)
        total = x.flatten(2, 3).sum(2)[:, :, None, None].contiguous()
        return Sums(kernels.array(total), self.plan.rescales["tokens"], np.zeros(0))

    def logits(self, layers: tuple[str, ...], spikes: Array) -> Tensor:
        """See Run."""
        total = 0
        for layer in layers:
            rule = self.plan.rescales[layer]
            total = (total + rescaled(self.head_sums(layer, spikes).sum(0), rule)).clamp(rule.low, rule.high)
        return (total * 2.0**-rule.fraction).float()


def integer_image(images: Tensor, fraction: int, bits: int) -> Tensor:
    """Images in units of 2^-fraction, ties up, clipped to `bits` bits; int32."""
    top = 2 ** (bits - 1)
    return torch.floor(images.double() * 2.0**fraction + 0.5).clamp(-top, top - 1).to(torch.int32)
