"""The network cut where its membrane potentials pass: pieces that take the unfinished sums of one to the next.

A piece first finishes what it gets (constants, residual) and lets its neurons fire, all in one pass, and ends with the
sums of its last convolution. So a sweep can store what stands between two pieces and go on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from sviT_models.engine.arithmetic import Floats, HandOver, depthwise_hand_over, folded, rep_conv_hand_over
from sviT_models.engine.batch import Run, Sums, constants_of, split
from sviT_models.engine.convolution import Geometry
from sviT_models.engine.prepared_weights import Array
from sviT_models.network.layers import MLP, Attention, ConvBlock, DownSampling, RepConv, SepConv
from sviT_models.network.meta_spikeformer import MetaSpikeFormer

IMAGE_STEP = 2.0**-24


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


def _folded_image(weight: Any, *norms: nn.Module) -> tuple[Floats, Floats]:
    return folded(weight, norms, IMAGE_STEP)


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
        constants = run.constants(constants_of, layer, extra=(self.module.encode_bn,))
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
        wide = Sums(run.on_spikes(first, spikes), *run.constants(constants_of, first, extra=(module.bn1,)))
        spikes, _ = run.fire(wide, f"{path}.lif2", module.lif2)
        if not middle:
            constants = run.constants(constants_of, last, extra=(module.bn2,))
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
            constants = run.constants(constants_of, layer, extra=(self.norms[i],))
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
            constants = run.constants(constants_of, *layers, extra=norms)
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
        apart = (x.reshape(len(x), -1, module.heads, x.shape[-1] // module.heads) for x in (q, k, v))
        mixed = split(run.kernels.attend(*apart, True).reshape(q.shape), 0, run.steps)
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
