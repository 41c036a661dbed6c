"""The network cut where its membrane potentials pass: pieces that take the unfinished sums of one to the next.

A piece first finishes what it gets (constants, residual) and lets its neurons fire, all in one pass, and ends with the
sums of its last convolution.  So a sweep can store what stands between two pieces and go on from there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sviT_models.exact import (
    Floats,
    HandOver,
    depthwise_hand_over,
    fixed_image,
    folded,
    logits_of,
    rep_conv_hand_over,
    token_mean,
)
from sviT_models.kernels.plain import Geometry
from sviT_models.later import Later
from sviT_models.layers import MLP, Attention, ConvBlock, DownSampling, RepConv, SepConv
from sviT_models.network import MetaSpikeFormer
from sviT_models.prepared import Array, Weights

IMAGE_PLANES = 4
IMAGE_STEP = 2.0**-24


@dataclass(frozen=True, eq=False)
class Sums:
    """Membrane input before it is finished: rest + gain * sums + shift.

    `sums` is (T or 1, B, H, W, C) float32 or float64, computed or not, `rest` is float32 of that shape or None.
    """

    sums: Array | Later
    gain: Floats
    shift: Floats
    rest: Array | None = None

    def computed(self) -> "Sums":
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
            gain, shift = (torch.from_numpy(part).to(sums.device) for part in self.constants(_folded, layer))
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


@dataclass(frozen=True)
class Encoder:
    """The first convolution, on the image; the same for every step, so that it runs once."""

    path: str
    module: DownSampling

    @property
    def layers(self) -> tuple[str, ...]:
        """Weight layers in network order."""
        return (f"{self.path}.encode_conv",)

    def run(self, run: Run, images: Tensor) -> Sums:
        """Images (B, 3, H, W) -> sums (1, B, H / 2, W / 2, C)."""
        (layer,) = self.layers
        padding = self.module.encode_conv.padding[0]
        sums = run.on_bytes(layer, run.image(images, padding), steps=1)
        return Sums(sums, *run.constants(_folded_image, layer, extra=(self.module.encode_bn,)))


def padded(images: Tensor, padding: int) -> Tensor:
    """Images (B, 3, H, W) with a border of zeros, channels last."""
    return nn.functional.pad(images, [padding] * 4).permute(0, 2, 3, 1).contiguous()


def _folded_image(weight: Any, *norms: nn.Module) -> tuple[Floats, Floats]:
    return folded(weight, norms, IMAGE_STEP)


def _folded(weight: Any, *norms: nn.Module) -> tuple[Floats, Floats]:
    return folded(weight, norms)


def _after_depthwise(depthwise: Any, last: Any, *norms: nn.Module) -> tuple[HandOver, tuple[Floats, Floats]]:
    rule = depthwise_hand_over(depthwise)
    return rule, folded(last, norms, rule.step)


def _rep_conv(
    first: Any, depthwise: Any, last: Any, inner: nn.Module, *norms: nn.Module
) -> tuple[HandOver, tuple[Floats, Floats]]:
    rule = rep_conv_hand_over(first, inner, depthwise)
    return rule, folded(last, norms, rule.step)


@dataclass(frozen=True)
class Down:
    """Neurons and a strided convolution."""

    path: str
    module: DownSampling

    @property
    def layers(self) -> tuple[str, ...]:
        """Weight layers in network order."""
        return (f"{self.path}.encode_conv",)

    def run(self, run: Run, pending: Sums) -> Sums:
        """Sums of the layer."""
        spikes, _ = run.fire(pending, f"{self.path}.encode_lif", self.module.encode_lif)
        (layer,) = self.layers
        constants = run.constants(_folded, layer, extra=(self.module.encode_bn,))
        return Sums(run.on_spikes(layer, spikes), *constants)


@dataclass(frozen=True)
class Separable:
    """SepConv with its shortcut."""

    path: str
    module: SepConv

    @property
    def layers(self) -> tuple[str, ...]:
        """Weight layers in network order; a fused network has no depthwise one."""
        fused = isinstance(self.module.dwconv, nn.Identity)
        names = ("pwconv1", "pwconv2") if fused else ("pwconv1", "dwconv", "pwconv2")
        return tuple(f"{self.path}.{name}" for name in names)

    def run(self, run: Run, pending: Sums) -> Sums:
        """Sums of the last layer."""
        path, module = self.path, self.module
        first, *middle, last = self.layers
        spikes, rest = run.fire(pending, f"{path}.lif1", module.lif1, keep=True)
        wide = Sums(run.on_spikes(first, spikes), *run.constants(_folded, first, extra=(module.bn1,)))
        spikes, _ = run.fire(wide, f"{path}.lif2", module.lif2)
        if not middle:
            constants = run.constants(_folded, last, extra=(module.bn2,))
            return Sums(run.on_spikes(last, spikes), *constants, rest)
        rule, constants = run.constants(_after_depthwise, *middle, last, extra=(module.bn2,))
        planes = run.hand_over(middle[0], spikes, rule)
        return Sums(run.on_bytes(last, planes), *constants, rest)


@dataclass(frozen=True)
class Pair:
    """Two layers with neurons in front of each, and a shortcut around both: the end of a ConvBlock, or an MLP."""

    path: str
    lifs: tuple[nn.Module, nn.Module]
    norms: tuple[nn.Module, nn.Module]
    names: tuple[tuple[str, str], tuple[str, str]]  # of neurons and layer, twice

    @property
    def layers(self) -> tuple[str, ...]:
        """Weight layers in network order."""
        return tuple(f"{self.path}.{layer}" for _, layer in self.names)

    def run(self, run: Run, pending: Sums) -> Sums:
        """Sums of the second layer."""
        rest = None
        for i, ((lif, _), layer) in enumerate(zip(self.names, self.layers, strict=True)):
            spikes, kept = run.fire(pending, f"{self.path}.{lif}", self.lifs[i], keep=i == 0)
            rest = kept if i == 0 else rest
            constants = run.constants(_folded, layer, extra=(self.norms[i],))
            pending = Sums(run.on_spikes(layer, spikes), *constants, rest if i == 1 else None)
        return pending


@dataclass(frozen=True)
class SelfAttention:
    """Spike-driven self-attention with its shortcut."""

    path: str
    module: Attention

    @property
    def layers(self) -> tuple[str, ...]:
        """Weight layers in network order."""
        return tuple(name for branch in ("q", "k", "v", "proj") for name in self.branch(branch)[0])

    def branch(self, name: str) -> tuple[tuple[str, ...], tuple[nn.Module, ...]]:
        """Layers and norms of one RepConv, or of the convolution it has been fused into."""
        conv, norm = getattr(self.module, f"{name}_conv")
        path = f"{self.path}.{name}_conv.0"
        if not isinstance(conv, RepConv):
            return (path,), (norm,)
        inner, (_, _, last) = conv.body[1].bn, conv.body[2]
        return (f"{path}.body.0", f"{path}.body.2.0", f"{path}.body.2.1"), (inner, last, norm)

    def _project(self, run: Run, name: str, spikes: Array, rest: Array | None = None) -> Sums:
        layers, norms = self.branch(name)
        if len(layers) == 1:
            constants = run.constants(_folded, *layers, extra=norms)
            return Sums(run.on_spikes(layers[0], spikes), *constants, rest)
        first, depthwise, last = layers
        rule, constants = run.constants(_rep_conv, *layers, extra=norms)
        planes = run.chain(first, depthwise, spikes, rule)
        return Sums(run.on_bytes(last, planes), *constants, rest)

    def run(self, run: Run, pending: Sums) -> Sums:
        """Sums of the projection's last layer."""
        module = self.module
        spikes, rest = run.fire(pending, f"{self.path}.head_lif", module.head_lif, keep=True)
        q, k, v = (
            run.fire(self._project(run, name, spikes), f"{self.path}.{name}_lif", getattr(module, f"{name}_lif"))[0]
            for name in "qkv"
        )
        mixed = split(run.kernels.attend(q, k, v, module.heads), 0, run.steps)
        gain = np.full(mixed.shape[-1], module.scale)
        spikes, _ = run.fire(Sums(mixed, gain, np.zeros_like(gain)), f"{self.path}.attn_lif", module.attn_lif)
        return self._project(run, "proj", spikes, rest)


@dataclass(frozen=True)
class Head:
    """Mean over the tokens, neurons and the classifiers."""

    model: MetaSpikeFormer

    @property
    def layers(self) -> tuple[str, ...]:
        """Weight layers in network order."""
        return ("head", "head_kd") if self.model.config.distilled else ("head",)

    def run(self, run: Run, pending: Sums) -> Tensor:
        """Logits (B, classes) float32."""
        spikes, _ = run.fire(run.token_mean(pending), "lif", self.model.lif)
        return run.logits(self.layers, spikes)


Segment = Encoder | Down | Separable | Pair | SelfAttention | Head


def segments(model: MetaSpikeFormer) -> Iterator[Segment]:
    """The pieces of a network in order; together they hold every weight layer and every LIF layer once."""
    for path, module in model.named_modules():
        match module:
            case DownSampling(first=True):
                yield Encoder(path, module)
            case DownSampling():
                yield Down(path, module)
            case ConvBlock():
                yield Separable(f"{path}.Conv", module.Conv)
                names = ("lif1", "conv1"), ("lif2", "conv2")
                yield Pair(path, (module.lif1, module.lif2), (module.bn1, module.bn2), names)
            case Attention():
                yield SelfAttention(path, module)
            case MLP():
                lifs, norms = (module.fc1_lif, module.fc2_lif), (module.fc1_bn, module.fc2_bn)
                yield Pair(path, lifs, norms, (("fc1_lif", "fc1_conv"), ("fc2_lif", "fc2_conv")))
    yield Head(model)


def geometry(module: nn.Module, padded: bool = False) -> Geometry:
    """How a layer's kernel moves over its input, which may be padded already: the image is, as zero is no byte."""
    if not isinstance(module, nn.Conv2d):
        return Geometry()
    return Geometry(module.stride[0], 0 if padded else module.padding[0], module.groups)
