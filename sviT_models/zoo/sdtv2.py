"""Spike-driven Transformer V2, "Meta-SpikeFormer" (Yao et al., ICLR 2024): blocks, network, sizes, and how it is fused.

Every attribute carries the name it has in the official checkpoints. Activations are (T, B, C, H, W).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.network.attention import spiking_self_attention
from sviT_models.network.layers import PaddedBatchNorm, statistics, weight_of
from sviT_models.network.neuron import LIF
from sviT_models.network.steps import each_step, repeat, steps_of

VARIANTS = {  # embedding sizes of the four stages
    "tiny": (16, 32, 64, 80),  # 0.9 M parameters, for tests and the demonstration (no published counterpart)
    "small": (32, 64, 128, 160),  # 3.5 M, twice as wide, for images of 32 px (no published counterpart)
    "8_256": (64, 128, 256, 360),  # 15.1 M, the smallest network of the paper (not in the official code)
    "8_384": (96, 192, 384, 480),  # 31.3 M, `metaspikformer_8_384` of the official code
    "8_512": (128, 256, 512, 640),  # 55.4 M, `metaspikformer_8_512`
    "8_768": (192, 384, 768, 960),  # 123.7 M, `metaspikformer_8_768`
}
ATTENTION_THRESHOLD = 0.5


class RepConv(nn.Module):
    """1x1, batch norm, depthwise 3x3, 1x1, batch norm: a linear chain, which `fuse` can make one 3x3 convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            PaddedBatchNorm(channels),
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, groups=channels, bias=False),  # the border comes from the norm above
                nn.Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return self.body(x)

    def fused(self) -> nn.Conv2d:
        """One 3x3 convolution with zero padding; the norm in the middle scales its inputs, and its shift is a constant.

        That shift reaches every output alike, because the border of the padded norm holds it too.
        """
        first, padded, (depthwise, last, norm) = cast(Iterable[Any], self.body)
        scale, shift = _affine(padded.bn)
        inner = _chain(depthwise.weight, last.weight)  # (O, C, 3, 3) on the channels between the 1x1 convolutions
        weight = torch.einsum("ochw,c,ci->oihw", inner, scale, first.weight[:, :, 0, 0])
        conv = _dense(weight, padding=1, bias=torch.einsum("ochw,c->o", inner, shift))
        _scale_outputs(conv, *_affine(norm))
        return conv


class SepConv(nn.Module):
    """Spikes through an inverted bottleneck: 1x1 to twice the channels, LIF, depthwise 7x7, 1x1 back."""

    def __init__(self, channels: int):
        super().__init__()
        wide = 2 * channels
        self.lif1 = LIF()
        self.pwconv1 = nn.Conv2d(channels, wide, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.lif2 = LIF()
        self.dwconv: nn.Module = nn.Conv2d(wide, wide, 7, padding=3, groups=wide, bias=False)
        self.pwconv2 = nn.Conv2d(wide, channels, 1, bias=False)  # sees the multi-bit sums of dwconv
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        x = each_step(self.lif1(x), self.pwconv1, self.bn1)  # (T, B, 2C, H, W)
        return each_step(self.lif2(x), self.dwconv, self.pwconv2, self.bn2)

    def fold(self) -> None:
        """Depthwise and last convolution as one, norms as constants."""
        self.pwconv2 = _dense(_chain(weight_of(self.dwconv), self.pwconv2.weight), padding=3)
        self.dwconv = nn.Identity()
        _fold(self, "pwconv1", "bn1")
        _fold(self, "pwconv2", "bn2")


class ConvBlock(nn.Module):
    """SepConv, then two 3x3 convolutions over four times the channels; both parts with a membrane shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        self.Conv = SepConv(channels)
        self.lif1 = LIF()
        self.conv1 = nn.Conv2d(channels, 4 * channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4 * channels)
        self.lif2 = LIF()
        self.conv2 = nn.Conv2d(4 * channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        x = x + self.Conv(x)
        wide = each_step(self.lif1(x), self.conv1, self.bn1)  # (T, B, 4C, H, W)
        return x + each_step(self.lif2(wide), self.conv2, self.bn2)

    def fold(self) -> None:
        """Norms as constants."""
        _fold(self, "conv1", "bn1")
        _fold(self, "conv2", "bn2")


class DownSampling(nn.Module):
    """Strided convolution and batch norm; the first one sees the image and so has no neurons in front."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, first: bool = False):
        super().__init__()
        if not first:
            self.encode_lif = LIF()
        self.encode_conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2)
        self.encode_bn = nn.BatchNorm2d(out_channels)
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> (T, B, C', H / stride, W / stride)."""
        spikes = x if self.first else self.encode_lif(x)
        return each_step(spikes, self.encode_conv, self.encode_bn)

    def fold(self) -> None:
        """The norm as constants."""
        _fold(self, "encode_conv", "encode_bn")


class Attention(nn.Module):
    """Spike-driven self-attention: Q (K^T V) of binary matrices, so its sums are integers; linear in the tokens."""

    def __init__(self, channels: int, heads: int, scale: float):
        super().__init__()
        self.heads, self.scale = heads, scale
        self.head_lif = LIF()
        self.q_conv, self.k_conv, self.v_conv = (
            nn.Sequential(RepConv(channels), nn.BatchNorm2d(channels)) for _ in range(3)
        )
        self.q_lif, self.k_lif, self.v_lif = LIF(), LIF(), LIF()
        self.attn_lif = LIF(ATTENTION_THRESHOLD)
        self.proj_conv = nn.Sequential(RepConv(channels), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        spikes = self.head_lif(x)
        branches = (self.q_conv, self.q_lif), (self.k_conv, self.k_lif), (self.v_conv, self.v_lif)
        q, k, v = (neurons(each_step(spikes, conv)).flatten(3) for conv, neurons in branches)  # (T, B, C, N)
        mixed = self.attn_lif(spiking_self_attention(q, k, v, self.heads, self.scale))
        return each_step(mixed.unflatten(3, x.shape[3:]), self.proj_conv)

    def fold(self) -> None:
        """Every branch as one convolution."""
        for branch in (self.q_conv, self.k_conv, self.v_conv, self.proj_conv):
            branch[0] = cast(RepConv, branch[0]).fused()
            _fold(branch, "0", "1")


class MLP(nn.Module):
    """Two 1x1 convolutions over the tokens, with neurons in front of each."""

    def __init__(self, channels: int):
        super().__init__()
        self.fc1_lif = LIF()
        self.fc1_conv = nn.Conv1d(channels, 4 * channels, 1)
        self.fc1_bn = nn.BatchNorm1d(4 * channels)
        self.fc2_lif = LIF()
        self.fc2_conv = nn.Conv1d(4 * channels, channels, 1)
        self.fc2_bn = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        wide = each_step(self.fc1_lif(x.flatten(3)), self.fc1_conv, self.fc1_bn)  # (T, B, 4C, N)
        return each_step(self.fc2_lif(wide), self.fc2_conv, self.fc2_bn).view_as(x)

    def fold(self) -> None:
        """Norms as constants."""
        _fold(self, "fc1_conv", "fc1_bn")
        _fold(self, "fc2_conv", "fc2_bn")


class Block(nn.Module):
    """A transformer block: attention and MLP, both with a membrane shortcut."""

    def __init__(self, channels: int, heads: int, scale: float):
        super().__init__()
        self.attn = Attention(channels, heads, scale)
        self.mlp = MLP(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        x = x + self.attn(x)
        return x + self.mlp(x)


def _chain(depthwise: Tensor, pointwise: Tensor) -> Tensor:
    """Depthwise (C, 1, k, k), then 1x1 (O, C, 1, 1), as one kernel (O, C, k, k)."""
    return pointwise * depthwise.squeeze(1)


def _dense(weight: Tensor, padding: int, bias: Tensor | None = None) -> nn.Conv2d:
    out_channels, in_channels, kernel, _ = weight.shape
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, bias=bias is not None, device="meta")
    conv.weight = nn.Parameter(weight)
    if bias is not None:
        conv.bias = nn.Parameter(bias)
    return conv


def _affine(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What a batch norm does in evaluation, channel by channel: x * scale + shift."""
    mean, variance = statistics(norm)
    scale = norm.weight / torch.sqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


def _scale_outputs(conv: nn.Conv1d | nn.Conv2d, scale: Tensor, shift: Tensor) -> None:
    conv.weight = nn.Parameter(conv.weight * scale.view(-1, *[1] * (conv.weight.ndim - 1)))
    conv.bias = nn.Parameter(shift if conv.bias is None else conv.bias * scale + shift)


def _fold(parent: nn.Module, conv: str, norm: str) -> None:
    """Fold the batch norm into the convolution before it, and leave an identity in its place."""
    _scale_outputs(getattr(parent, conv), *_affine(getattr(parent, norm)))
    setattr(parent, norm, nn.Identity())


@dataclass(frozen=True)
class ModelConfig:
    """What a network was built with; a checkpoint stores it.

    `heads` 8 and `attention_scale` 0.125 (whatever the head size) are those of the official networks. `distilled`
    adds the head that learnt from a teacher; the logits are then the mean of both heads.
    Raises ModelError for sizes that cannot make a network.
    """

    name: str
    embed_dims: tuple[int, int, int, int]
    num_classes: int = 1000
    time_steps: int = 4
    distilled: bool = False
    heads: int = 8
    attention_scale: float = 0.125
    in_channels: int = 3
    UNSTORED: ClassVar[tuple[str, ...]] = ("in_channels",)  # checkpoints say it only where it is not the usual

    def __post_init__(self) -> None:
        for key in ("num_classes", "time_steps", "heads", "in_channels"):
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ModelError(f"{key} is {value!r}; expected an integer of at least 1")
        if not 0 < self.attention_scale < float("inf"):
            raise ModelError(f"attention_scale is {self.attention_scale!r}; expected a positive number")
        if len(self.embed_dims) != 4 or any(dim < 1 for dim in self.embed_dims) or self.embed_dims[0] % 2:
            raise ModelError(f"embed_dims is {self.embed_dims}; expected four positive sizes, the first one even")
        if any(dim % self.heads for dim in self.embed_dims[2:]):
            raise ModelError(f"heads is {self.heads}, which does not divide the embedding sizes {self.embed_dims[2:]}")


class MetaSpikeFormer(nn.Module):
    """Spike-driven Transformer V2 (Yao et al., ICLR 2024), its state_dict laid out as in the official checkpoints."""

    as_built = True  # its modules stand in the order in which they run, and images may have any size

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        d1, d2, d3, d4 = config.embed_dims
        transformer = (config.heads, config.attention_scale)
        self.downsample1_1 = DownSampling(config.in_channels, d1 // 2, kernel=7, stride=2, first=True)
        self.ConvBlock1_1 = nn.ModuleList([ConvBlock(d1 // 2)])
        self.downsample1_2 = DownSampling(d1 // 2, d1, kernel=3, stride=2)
        self.ConvBlock1_2 = nn.ModuleList([ConvBlock(d1)])
        self.downsample2 = DownSampling(d1, d2, kernel=3, stride=2)
        self.ConvBlock2_1 = nn.ModuleList([ConvBlock(d2)])
        self.ConvBlock2_2 = nn.ModuleList([ConvBlock(d2)])
        self.downsample3 = DownSampling(d2, d3, kernel=3, stride=2)
        self.block3 = nn.ModuleList([Block(d3, *transformer) for _ in range(6)])
        self.downsample4 = DownSampling(d3, d4, kernel=3, stride=1)
        self.block4 = nn.ModuleList([Block(d4, *transformer) for _ in range(2)])
        self.lif = LIF()
        self.head = nn.Linear(d4, config.num_classes)
        if config.distilled:
            self.head_kd = nn.Linear(d4, config.num_classes)

    def stages(self) -> Iterator[nn.Module]:
        """Everything between the image and the heads, in order; each maps (T, B, C, H, W) to (T, B, C', H', W')."""
        for child in self.children():
            if isinstance(child, nn.ModuleList):
                yield from child
            elif isinstance(child, DownSampling):
                yield child

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, C, H, W) or frames (B, T, C, H, W). Raises ModelError for another shape."""
        encoder, *stages = self.stages()
        x = repeat(encoder(steps_of(images, self.config)), self.config.time_steps)  # (T, B, C, H/2, W/2)
        for stage in stages:
            x = stage(x)
        spikes = self.lif(x.flatten(3).mean(3))  # (T, B, C)
        logits = self.head(spikes).mean(0)  # (B, classes)
        if not self.config.distilled:
            return logits
        return (logits + self.head_kd(spikes).mean(0)) / 2

    started_by = ("qkv_bias",)

    def start(self, qkv_bias: float) -> None:
        """Set what the norms in front of the neurons of q, k and v add, so that these fire from the start."""
        for module in self.modules():
            if isinstance(module, Attention):
                for conv in (module.q_conv, module.k_conv, module.v_conv):
                    nn.init.constant_(cast(nn.BatchNorm2d, conv[-1]).bias, qkv_bias)

    @torch.no_grad()
    def fused(self) -> Self:
        """A copy with the same logits in evaluation mode and 70 weight layers in place of 138; for inference.

        A RepConv keeps its path (`block3.0.attn.q_conv.0`), the end of a SepConv that of its last layer
        (`Conv.pwconv2`). The weights are combined in float64 and rounded once; in float32 a neuron near its threshold
        may fire differently. Raises ModelError for a network that has been fused before.
        """
        if not any(isinstance(module, RepConv) for module in self.modules()):
            raise ModelError("the network has been fused already; fuse the network as built")
        fused = copy.deepcopy(self).eval()
        dtype = fused.head.weight.dtype
        for module in list(fused.modules()):
            if isinstance(module, FOLDING):
                module.double()
                module.fold()
                module.to(dtype)
        return fused


FOLDING = (DownSampling, SepConv, ConvBlock, Attention, MLP)


def build(
    variant: str,
    num_classes: int = 1000,
    time_steps: int = 4,
    distilled: bool = False,
    heads: int = 8,
    attention_scale: float = 0.125,
    in_channels: int = 3,
) -> MetaSpikeFormer:
    """The network with fresh weights; the options are the fields of ModelConfig. Raises ModelError for bad ones."""
    sizes = (num_classes, time_steps, distilled, heads, attention_scale, in_channels)
    return MetaSpikeFormer(ModelConfig(f"sdtv2_{variant}", VARIANTS[variant], *sizes))


UNNAMED = frozenset(ModelConfig.__dataclass_fields__)  # options that a checkpoint of another size may store


def unnamed(**options: Any) -> MetaSpikeFormer:
    """The network with fresh weights of all fields of ModelConfig, for names that are no variant's."""
    return MetaSpikeFormer(ModelConfig(**options))
