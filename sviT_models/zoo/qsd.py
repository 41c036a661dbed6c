"""QSD-Transformer (Qiu et al., ICLR 2025): Meta-SpikeFormer with integer neurons and learned 4-bit weights.

Every layer, the first convolution and the head included, holds float weights and a learned step for each output
channel; what it computes with are the 4-bit codes that they make.  Names of parameters as in the official code
(bollossom/QSD-Transformer, `classification`, cd73383).
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sviT_models.network.attention import spiking_self_attention
from sviT_models.network.layers import PaddedBatchNorm, weight_of
from sviT_models.network.neuron import IntegerNeuron
from sviT_models.network.steps import check_images
from sviT_models.zoo import sdtv3

ATTENTION_SCALE = 0.25
LOWEST, HIGHEST = -8, 7  # the codes of 4 bits


@dataclass(frozen=True, kw_only=True)
class Config(sdtv3.Config):
    """The sizes of the four stages; the very first blocks work at half of the first."""


VARIANTS = {
    "tiny": Config(embed_dims=(16, 32, 64, 80), num_classes=10, resolution=32),  # for tests: no published counterpart
    "8_256": Config(embed_dims=(48, 96, 192, 256)),
    "8_15m": Config(embed_dims=(64, 128, 256, 360)),
    "8_384": Config(embed_dims=(96, 192, 384, 480)),
    "8_512": Config(embed_dims=(128, 256, 512, 640)),
}


def neuron(levels: int, divisor: float | None = None) -> IntegerNeuron:
    """Levels of a potential between 0 and 1; a half goes up."""
    return IntegerNeuron(levels, gain=levels, divisor=divisor, half_up=True)


class _Round(torch.autograd.Function):
    """Rounding, half to even, that lets the gradient pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


class UnusedActivationQuantizer(nn.Module):
    """Entries of the checkpoints without effect: the official code returns the activations as they are."""

    def __init__(self, channels: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))
        self.zero_point = nn.Parameter(torch.zeros(channels))
        self.register_buffer("init_state", torch.zeros(1))
        self.register_buffer("signed", torch.zeros(1))


class LearnedCodes(nn.Module):
    """What a layer of 4-bit weights adds to its float weights; the step is learned (Esser et al., LSQ, ICLR 2020)."""

    weight: Tensor

    def add_quantizer(self, in_channels: int) -> None:
        """Parameters of the quantizer; fresh steps are those that LSQ starts from, 2 mean|w| / sqrt(7)."""
        mean = self.weight.detach().abs().flatten(1).mean(1)
        self.alpha = nn.Parameter(2 * mean / math.sqrt(HIGHEST))  # (output channels,)
        self.register_buffer("init_state", torch.zeros(1))
        self.act = UnusedActivationQuantizer(in_channels)

    def codes(self) -> Tensor:
        """Integers of -8 to 7 in the shape of the weights and in their dtype."""
        return _Round.apply((self.weight / self.steps()).clamp(LOWEST, HIGHEST))

    def steps(self) -> Tensor:
        """The value of a code of 1, one for each output channel, in a shape that multiplies the weights."""
        return self.alpha.view(-1, *[1] * (self.weight.ndim - 1))

    def quantized(self) -> Tensor:
        """The weights that the layer computes with."""
        return self.steps() * self.codes()


class Conv2d(nn.Conv2d, LearnedCodes):
    """A convolution with learned 4-bit weights and a float bias."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, **options: Any):
        super().__init__(in_channels, out_channels, kernel, **options)
        self.add_quantizer(in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        return self._conv_forward(x, self.quantized(), self.bias)


class Conv1d(nn.Conv1d, LearnedCodes):
    """A 1x1 convolution over tokens with learned 4-bit weights and a float bias."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(in_channels, out_channels, 1)
        self.add_quantizer(in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) -> (B, C', N)."""
        return self._conv_forward(x, self.quantized(), self.bias)


class Linear(nn.Linear, LearnedCodes):
    """A linear layer with learned 4-bit weights and a float bias."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__(in_features, out_features)
        self.add_quantizer(in_features)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C) -> (B, C')."""
        return nn.functional.linear(x, self.quantized(), self.bias)


class RepConv(nn.Module):
    """1x1, depthwise 3x3 and 1x1 in a chain: three layers of codes, which no single layer could hold."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            Conv2d(channels, channels, 1, bias=False),
            PaddedBatchNorm(channels),
            nn.Sequential(
                Conv2d(channels, channels, 3, groups=channels, bias=False),  # the border comes from the norm above
                Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        return self.body(x)


class SepConv(nn.Module):
    """An inverted bottleneck: 1x1 to twice the channels, depthwise 7x7, 1x1 back."""

    def __init__(self, channels: int, levels: int):
        super().__init__()
        wide = 2 * channels
        self.lif1 = neuron(levels)
        self.pwconv1 = Conv2d(channels, wide, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.lif2 = neuron(levels)
        self.dwconv = Conv2d(wide, wide, 7, padding=3, groups=wide, bias=False)
        self.pwconv2 = Conv2d(wide, channels, 1, bias=False)  # sees the sums of dwconv
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        x = self.bn1(self.pwconv1(self.lif1(x)))  # (B, 2C, H, W)
        return self.bn2(self.pwconv2(self.dwconv(self.lif2(x))))


class ConvBlock(nn.Module):
    """SepConv, then two 3x3 convolutions over four times the channels; both parts with a shortcut."""

    def __init__(self, channels: int, levels: int):
        super().__init__()
        self.Conv = SepConv(channels, levels)
        self.lif1 = neuron(levels)
        self.conv1 = Conv2d(channels, 4 * channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4 * channels)
        self.lif2 = neuron(levels)
        self.conv2 = Conv2d(4 * channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        x = x + self.Conv(x)
        wide = self.bn1(self.conv1(self.lif1(x)))  # (B, 4C, H, W)
        return x + self.bn2(self.conv2(self.lif2(wide)))


class DownSampling(nn.Module):
    """A strided convolution and its norm; the first one sees the image and has no neurons in front."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, levels: int | None):
        super().__init__()
        self.encode_conv = Conv2d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2)
        self.encode_bn = nn.BatchNorm2d(out_channels)
        if levels is not None:
            self.encode_lif = neuron(levels)
        self.first = levels is None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        return self.encode_bn(self.encode_conv(x if self.first else self.encode_lif(x)))


class Attention(nn.Module):
    """Q (K^T V) of levels, without softmax."""

    def __init__(self, channels: int, heads: int, levels: int):
        super().__init__()
        self.heads = heads
        self.head_lif = neuron(levels)
        self.q_conv, self.k_conv, self.v_conv = (
            nn.Sequential(RepConv(channels), nn.BatchNorm2d(channels)) for _ in range(3)
        )
        self.q_lif, self.k_lif, self.v_lif = neuron(levels), neuron(levels), neuron(levels)
        self.attn_lif = neuron(levels, divisor=levels / 2)  # sends values of 0 to 2
        self.proj_conv = nn.Sequential(RepConv(channels), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        sent = self.head_lif(x)
        q = self.q_lif(self.q_conv(sent)).flatten(2)  # (B, C, N)
        k = self.k_lif(self.k_conv(sent)).flatten(2)
        v = self.v_lif(self.v_conv(sent)).flatten(2)
        mixed = self.attn_lif(spiking_self_attention(q, k, v, self.heads, ATTENTION_SCALE))
        return self.proj_conv(mixed.unflatten(2, x.shape[2:]))


class MLP(nn.Module):
    """Two 1x1 convolutions over the tokens, with neurons in front of each."""

    def __init__(self, channels: int, levels: int):
        super().__init__()
        self.fc1_conv = Conv1d(channels, 4 * channels)
        self.fc1_bn = nn.BatchNorm1d(4 * channels)
        self.fc1_lif = neuron(levels)
        self.fc2_conv = Conv1d(4 * channels, channels)
        self.fc2_bn = nn.BatchNorm1d(channels)
        self.fc2_lif = neuron(levels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        wide = self.fc1_bn(self.fc1_conv(self.fc1_lif(x.flatten(2))))  # (B, 4C, N)
        return self.fc2_bn(self.fc2_conv(self.fc2_lif(wide))).view_as(x)


class Block(nn.Module):
    """Attention and MLP, both with a learned gain for each channel and a shortcut."""

    def __init__(self, channels: int, heads: int, levels: int):
        super().__init__()
        self.attn = Attention(channels, heads, levels)
        self.mlp = MLP(channels, levels)
        self.layer_scale1 = nn.Parameter(torch.ones(channels))
        self.layer_scale2 = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        x = x + self.layer_scale1.view(-1, 1, 1) * self.attn(x)
        return x + self.layer_scale2.view(-1, 1, 1) * self.mlp(x)


class QSDTransformer(nn.Module):
    """Images (B, C, H, W) -> logits (B, classes)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        (d1, d2, d3, d4), levels, heads = config.embed_dims, config.levels, config.heads
        self.downsample1_1 = DownSampling(config.in_channels, d1 // 2, kernel=7, stride=2, levels=None)
        self.ConvBlock1_1 = nn.ModuleList([ConvBlock(d1 // 2, levels)])
        self.downsample1_2 = DownSampling(d1 // 2, d1, kernel=3, stride=2, levels=levels)
        self.ConvBlock1_2 = nn.ModuleList([ConvBlock(d1, levels)])
        self.downsample2 = DownSampling(d1, d2, kernel=3, stride=2, levels=levels)
        self.ConvBlock2_1 = nn.ModuleList([ConvBlock(d2, levels)])
        self.ConvBlock2_2 = nn.ModuleList([ConvBlock(d2, levels)])
        self.downsample3 = DownSampling(d2, d3, kernel=3, stride=2, levels=levels)
        self.block3 = nn.ModuleList([Block(d3, heads, levels) for _ in range(6)])
        self.downsample4 = DownSampling(d3, d4, kernel=3, stride=1, levels=levels)
        self.block4 = nn.ModuleList([Block(d4, heads, levels) for _ in range(2)])
        self.lif = neuron(levels)
        self.head = Linear(d4, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes).  Raises ModelError for images of another shape."""
        check_images(images, self.config)
        x = self.ConvBlock1_1[0](self.downsample1_1(images))  # (B, d1 / 2, H / 2, W / 2)
        x = self.ConvBlock1_2[0](self.downsample1_2(x))  # (B, d1, H / 4, W / 4)
        x = self.ConvBlock2_2[0](self.ConvBlock2_1[0](self.downsample2(x)))  # (B, d2, H / 8, W / 8)
        x = self.downsample3(x)  # (B, d3, H / 16, W / 16)
        for block in self.block3:
            x = block(x)
        x = self.downsample4(x)  # (B, d4, H / 16, W / 16)
        for block in self.block4:
            x = block(x)
        return self.head(self.lif(x.flatten(2).mean(2)))

    started_by = ("branch_gain",)

    def start(self, branch_gain: float) -> None:
        """Set the gain of the norm that ends each branch beside a shortcut."""
        for module in self.modules():
            ends = {SepConv: "bn2", ConvBlock: "bn2", Attention: "proj_conv.1", MLP: "fc2_bn"}
            if type(module) in ends:
                nn.init.constant_(weight_of(module.get_submodule(ends[type(module)])), branch_gain)


def build(variant: str, **options: object) -> QSDTransformer:
    """The network with fresh weights; `options` replace fields of its Config.  Raises ModelError for bad ones."""
    return QSDTransformer(VARIANTS[variant].changed(name=f"qsd_{variant}", **options))
