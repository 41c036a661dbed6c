"""E-SpikeFormer, the base networks of Spike-driven Transformer V3 (Yao et al., TPAMI 2025): integers in place of time.

A neuron answers once with a level of 0 to D, divided by D, and keeps no potential.  Shortcuts add potentials, and every
convolution but the first sees levels.  Names of parameters as in the official code
(BICLab/Spike-Driven-Transformer-V3, `Model_Base`, 00fcd1f).
"""

import math
from dataclasses import dataclass

from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.network.attention import spiking_self_attention
from sviT_models.network.config import IntegerSpikingConfig
from sviT_models.network.neuron import IntegerNeuron
from sviT_models.network.steps import check_images

VALUE_RATIO = 4  # channels of v for each of q


@dataclass(frozen=True, kw_only=True)
class Config(IntegerSpikingConfig):
    """The sizes of the four stages; the very first blocks work at half of the first."""

    embed_dims: tuple[int, int, int, int]
    heads: int = 8
    num_classes: int = 1000
    resolution: int = 224

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embed_dims[0] % 2:
            raise ModelError(f"embed_dims is {self.embed_dims}; expected an even first size")
        self._check_heads(self.heads, *self.embed_dims[2:])


VARIANTS = {
    "tiny": Config(embed_dims=(16, 32, 64, 80), num_classes=10, resolution=32),  # for tests: no published counterpart
    "t": Config(embed_dims=(24, 48, 96, 128)),
    "s_5m": Config(embed_dims=(32, 64, 128, 192)),
    "m_10m": Config(embed_dims=(48, 96, 192, 240)),
    "l_19m": Config(embed_dims=(64, 128, 256, 360)),
}


def convolution(in_channels: int, out_channels: int, kernel: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps height and width, and its norm."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class DownSampling(nn.Module):
    """A strided convolution and its norm; the first one sees the image and has no neurons in front."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, levels: int | None):
        super().__init__()
        self.encode_conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2)
        self.encode_bn = nn.BatchNorm2d(out_channels)
        if levels is not None:
            self.encode_spike = IntegerNeuron(levels)
        self.first = levels is None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        return self.encode_bn(self.encode_conv(x if self.first else self.encode_spike(x)))


class SepConv(nn.Module):
    """An inverted bottleneck: 1x1 to twice the channels, depthwise, 1x1 back, neurons in front of each."""

    def __init__(self, channels: int, kernel: int, levels: int):
        super().__init__()
        wide = 2 * channels
        self.spike1 = IntegerNeuron(levels)
        self.pwconv1 = convolution(channels, wide)
        self.spike2 = IntegerNeuron(levels)
        self.dwconv = convolution(wide, wide, kernel, groups=wide)
        self.spike3 = IntegerNeuron(levels)
        self.pwconv2 = convolution(wide, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        x = self.pwconv1(self.spike1(x))  # (B, 2C, H, W)
        x = self.dwconv(self.spike2(x))
        return self.pwconv2(self.spike3(x))


class ConvBlock(nn.Module):
    """SepConv, then two 3x3 convolutions over four times the channels; both parts with a shortcut."""

    def __init__(self, channels: int, levels: int):
        super().__init__()
        self.Conv = SepConv(channels, kernel=7, levels=levels)
        self.spike1 = IntegerNeuron(levels)
        self.conv1 = nn.Conv2d(channels, 4 * channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4 * channels)
        self.spike2 = IntegerNeuron(levels)
        self.conv2 = nn.Conv2d(4 * channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        x = x + self.Conv(x)
        wide = self.bn1(self.conv1(self.spike1(x)))  # (B, 4C, H, W)
        return x + self.bn2(self.conv2(self.spike2(wide)))


class Attention(nn.Module):
    """Q (K^T V) of levels without softmax, with four times as many channels of V as of Q and K."""

    def __init__(self, channels: int, heads: int, levels: int):
        super().__init__()
        self.heads, self.scale = heads, 2 / math.sqrt(channels / heads)
        values = VALUE_RATIO * channels
        self.head_spike = IntegerNeuron(levels)
        self.q_conv = convolution(channels, channels)
        self.q_spike = IntegerNeuron(levels)
        self.k_conv = convolution(channels, channels)
        self.k_spike = IntegerNeuron(levels)
        self.v_conv = convolution(channels, values)
        self.v_spike = IntegerNeuron(levels)
        self.attn_spike = IntegerNeuron(levels)
        self.proj_conv = convolution(values, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        sent = self.head_spike(x)
        q = self.q_spike(self.q_conv(sent)).flatten(2)  # (B, C, N)
        k = self.k_spike(self.k_conv(sent)).flatten(2)
        v = self.v_spike(self.v_conv(sent)).flatten(2)  # (B, 4C, N)
        mixed = spiking_self_attention(q, k, v, self.heads, self.scale)  # (B, 4C, N)
        return self.proj_conv(self.attn_spike(mixed).unflatten(2, x.shape[2:]))


class MLP(nn.Module):
    """Two 1x1 convolutions over the tokens, with neurons in front of each."""

    def __init__(self, channels: int, levels: int):
        super().__init__()
        self.fc1_conv = nn.Conv1d(channels, 4 * channels, 1)
        self.fc1_bn = nn.BatchNorm1d(4 * channels)
        self.fc1_spike = IntegerNeuron(levels)
        self.fc2_conv = nn.Conv1d(4 * channels, channels, 1)
        self.fc2_bn = nn.BatchNorm1d(channels)
        self.fc2_spike = IntegerNeuron(levels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        wide = self.fc1_bn(self.fc1_conv(self.fc1_spike(x.flatten(2))))  # (B, 4C, N)
        return self.fc2_bn(self.fc2_conv(self.fc2_spike(wide))).view_as(x)


class Block(nn.Module):
    """SepConv, attention and MLP, all with a shortcut."""

    def __init__(self, channels: int, heads: int, levels: int):
        super().__init__()
        self.conv = SepConv(channels, kernel=3, levels=levels)
        self.attn = Attention(channels, heads, levels)
        self.mlp = MLP(channels, levels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        x = x + self.conv(x)
        x = x + self.attn(x)
        return x + self.mlp(x)


class ESpikeFormer(nn.Module):
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
        self.spike = IntegerNeuron(levels, divisor=1)  # the head sees the integers themselves
        self.head = nn.Linear(d4, config.num_classes)

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
        return self.head(self.spike(x.flatten(2).mean(2)))


def build(variant: str, **options: object) -> ESpikeFormer:
    """The network with fresh weights; `options` replace fields of its Config.  Raises ModelError for bad ones."""
    return ESpikeFormer(VARIANTS[variant].changed(name=f"sdtv3_{variant}", **options))
