"""What the integer evaluator computes of SDTv2, written with its own modules: an oracle that knows no graph.

The modules' `forward` runs as in training; only convolutions (sums of integers, in float64), batch norms (constants of
`sviT_models.engine.arithmetic`) and the head are replaced while it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sviT_models.engine.arithmetic import (
    Floats,
    HandOver,
    IntegerWeight,
    extremes_of,
    fixed_activation,
    fixed_image,
    hand_over_of,
    integer_weight,
    join,
    mean_of,
    norm_constants,
)
from sviT_models.graph.layers import lif_layers, with_time_steps
from sviT_models.measure.hooks import evaluating, watching
from sviT_models.output import Output
from sviT_models.quantization.weight_bank import WeightBank
from sviT_models.zoo.sdtv2 import MLP, Attention, ConvBlock, DownSampling, MetaSpikeFormer, RepConv, SepConv

Forward = Callable[[Tensor], Tensor]


def _sums(module: nn.Module, weight: IntegerWeight, padding: int | None = None) -> Forward:
    """The layer as exact sums over integer inputs, float64."""
    if isinstance(module, nn.Linear):
        return lambda x: join(F.linear(x.double(), digit.double()) for digit in weight.digits)
    conv = F.conv1d if isinstance(module, nn.Conv1d) else F.conv2d
    padding = module.padding if padding is None else padding
    return lambda x: join(
        conv(x.double(), digit.double(), None, module.stride, padding, 1, module.groups) for digit in weight.digits
    )


def _by_channel(values: Floats, like: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(values)).view(-1, *[1] * (like.ndim - 2))


def _affine(gain: Floats, shift: Floats) -> Forward:
    return lambda sums: (sums * _by_channel(gain, sums) + _by_channel(shift, sums)).float()


def _handed(rule: HandOver, forward: Forward) -> Forward:
    return lambda sums: forward(fixed_activation(sums.movedim(1, -1), rule).movedim(-1, 1))


class _Definition:
    """Replacements of `forward` by module."""

    def __init__(self, model: MetaSpikeFormer, weights: dict[str, IntegerWeight]) -> None:
        self.weights = {model.get_submodule(name): weight for name, weight in weights.items()}
        self.forward: dict[nn.Module, Forward] = {}
        for module in model.modules():
            match module:
                case DownSampling(first=True):
                    self.layer(module.encode_conv, module.encode_bn, step=2.0**-24)
                    sums = self.forward[module.encode_conv]
                    self.forward[module.encode_conv] = lambda x, sums=sums: sums(fixed_image(x))
                case DownSampling():
                    self.layer(module.encode_conv, module.encode_bn)
                case SepConv(dwconv=nn.Conv2d()):
                    self.layer(module.pwconv1, module.bn1)
                    rule = depthwise_hand_over(self.weights[module.dwconv])
                    self.handed(module.dwconv, rule, module.pwconv2, module.bn2)
                case SepConv():
                    self.layer(module.pwconv1, module.bn1)
                    self.layer(module.pwconv2, module.bn2)
                case ConvBlock():
                    self.layer(module.conv1, module.bn1)
                    self.layer(module.conv2, module.bn2)
                case Attention():
                    for branch in (module.q_conv, module.k_conv, module.v_conv, module.proj_conv):
                        self.branch(*branch)
                case MLP():
                    self.layer(module.fc1_conv, module.fc1_bn)
                    self.layer(module.fc2_conv, module.fc2_bn)

    def layer(self, conv: nn.Module, *norms: nn.Module, step: float = 1.0) -> None:
        """A layer on spikes, its constants applied where the last norm stood."""
        *inner, last = norms
        self.forward[conv] = _sums(conv, self.weights[conv])
        self.forward |= dict.fromkeys(inner, lambda sums: sums)
        self.forward[last] = _affine(*folded(self.weights[conv], norms, step))

    def handed(self, depthwise: nn.Module, rule: HandOver, last: nn.Module, *norms: nn.Module) -> None:
        """A layer that sees the sums of a depthwise convolution as fixed-point numbers."""
        self.layer(last, *norms, step=rule.step)
        self.forward[last] = _handed(rule, self.forward[last])
        self.forward[depthwise] = _sums(depthwise, self.weights[depthwise])

    def branch(self, conv: nn.Module, norm: nn.Module) -> None:
        """A RepConv and the norm behind it."""
        if not isinstance(conv, RepConv):
            return self.layer(conv, norm)
        first, padded, (depthwise, last, inner) = conv.body
        rule = rep_conv_hand_over(self.weights[first], padded.bn, self.weights[depthwise])
        self.forward[first] = _sums(first, self.weights[first])
        self.forward[padded] = lambda sums: F.pad(sums, (1, 1, 1, 1))
        return self.handed(depthwise, rule, last, inner, norm)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network as defined; nothing stays changed."""
        try:
            for module, forward in self.forward.items():
                module.forward = forward
            yield
        finally:
            for module in self.forward:
                module.__dict__.pop("forward", None)


def module_definition(
    model: MetaSpikeFormer,
    bank: WeightBank,
    images: Tensor,
    weight_bits: Sequence[int],
    *,
    time_steps: int | None = None,
) -> Output:
    """Logits and spikes of the network with `weight_bits` (L,) on `images` (N, 3, H, W), one image at a time.

    bank        the integers of its layers by width
    time_steps  time steps to run; default: the network's own

    `model` is in float32 on the CPU. Raises ModelError for another number of widths, or for one that does not exist.
    """
    weights = {name: integer_weight(model.get_submodule(name), w) for name, w in bank.design(weight_bits).items()}
    timed = with_time_steps(model, model.config.time_steps if time_steps is None else time_steps)
    names = lif_layers(model)
    counts = {name: np.zeros(timed.config.time_steps, dtype=np.int64) for name in names}

    def count(name: str, _: Tensor, fired: Tensor) -> None:
        counts[name] += fired.flatten(1).count_nonzero(dim=1).numpy()

    definition = _Definition(model, weights)
    with definition.applied(), evaluating(model), watching(model, names, count):
        logits = [_logits(timed, weights, image) for image in images.split(1)]
    return Output(torch.cat(logits).numpy(), np.stack([counts[name] for name in names]))


def _logits(model: MetaSpikeFormer, weights: dict[str, IntegerWeight], image: Tensor) -> Tensor:
    encoder, *stages = model.stages()
    x = encoder(image.unsqueeze(0))
    x = x.expand(model.config.time_steps, *x.shape[1:])
    for stage in stages:
        x = stage(x)
    spikes = model.lif(token_mean(x.flatten(3).transpose(2, 3)))
    heads = ("head", "head_kd") if model.config.distilled else ("head",)
    total = 0
    for name in heads:
        sums = _sums(getattr(model, name), weights[name])(spikes)
        gain, shift = (torch.from_numpy(part) for part in folded(weights[name], []))
        total = total + logits_of(sums, gain, shift)
    return (total / len(heads)).float()


def folded(weight: IntegerWeight, norms: Iterable[nn.Module], step: float = 1.0) -> tuple[Floats, Floats]:
    """Gain and shift (out,) that take a layer's integer sums through `norms`; its inputs count in units of `step`."""
    gain, shift = weight.scale * step, weight.bias
    for norm in norms:
        scale, offset = norm_constants(norm)
        gain, shift = gain * scale, shift * scale + offset
    return gain, shift


def depthwise_hand_over(weight: IntegerWeight) -> HandOver:
    """Behind a depthwise convolution that sees spikes (SepConv)."""
    codes = weight.codes()
    ones = np.ones((1, 1), np.int64)
    return hand_over_of(weight.scale, weight.bias, *extremes_of(codes, 0 * ones, ones))


def rep_conv_hand_over(first: IntegerWeight, norm: nn.Module, depthwise: IntegerWeight) -> HandOver:
    """Behind the depthwise convolution of a RepConv, whose input are the zero-padded sums of its first convolution.

    The norm in between pads with what it makes of zero, so its shift reaches every output with the sum of the codes.
    """
    ones = np.ones((1, 1), np.int64)
    low, high = extremes_of(first.codes(), 0 * ones, ones)
    codes = depthwise.codes()
    gain, shift = folded(first, [norm])
    gain, shift = depthwise.scale * gain, depthwise.scale * shift * codes.sum(1) + depthwise.bias
    return hand_over_of(gain, shift, *extremes_of(codes, low[:, None], high[:, None]))


def token_mean(membrane: Tensor) -> Tensor:
    """Mean over the tokens of (T, B, tokens, C) float32 -> (T, B, C) float32."""
    return mean_of(membrane, [2], False, membrane.shape[2])


def logits_of(sums: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """Mean over T of the outputs of a head, from integer sums (T, B, classes); float64 (B, classes)."""
    return sums.sum(0) * gain / len(sums) + shift
