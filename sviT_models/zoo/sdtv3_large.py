"""E-SpikeFormer, the large networks of Spike-driven Transformer V3 (Yao et al., TPAMI 2025).

Integer neurons as in `sdtv3`, but a half goes up; plain convolutions in the early stages; q, k, v and proj are pairs of
1x1 convolutions.  Names of parameters as in the official code (BICLab/Spike-Driven-Transformer-V3, `Model_Large`,
00fcd1f; a line is put back there that the 83M network needs to run at all).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sviT_models.network.attention import spiking_self_attention
from sviT_models.network.config import IntegerSpikingConfig
from sviT_models.network.neuron import IntegerNeuron
from sviT_models.network.steps import check_images

ATTENTION_SCALE = 0.125  # whatever the head size
INNER_RATIO = 1.5  # channels between the two 1x1 convolutions of q, k, v and proj


@dataclass(frozen=True, kw_only=True)
class Config(IntegerSpikingConfig):
    """The sizes of the three stages; the very first blocks work at half of the first.

    `leading_ratio` is the inner width, over the width, of the pair of convolutions that stands in front of every block
    of the 83M network; 0 where there is none.  The published file of 83M holds 1.5, the official code makes 1.
    `distilled` adds the head that learnt from a teacher; the logits are then the mean of both.
    """

    embed_dims: tuple[int, int, int]
    depth: int = 12
    heads: int = 8
    leading_ratio: float = 0.0
    distilled: bool = True
    num_classes: int = 1000
    resolution: int = 224

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_heads(self.heads, self.embed_dims[2])


_TINY = Config(embed_dims=(16, 32, 64), depth=2, num_classes=10, resolution=64)  # no published counterpart

VARIANTS = {
    "tiny_base": _TINY.changed(leading_ratio=1.0),
    "tiny_large": _TINY.changed(distilled=False),
    "spikformer12_512_83m": Config(embed_dims=(128, 256, 512), leading_ratio=1.0),
    "spikformer12_768_173m": Config(embed_dims=(196, 384, 768)),
}


def neuron(levels: int, divisor: float | None = None) -> IntegerNeuron:
    """Levels of a potential; a half goes up."""
    return IntegerNeuron(levels, divisor=divisor, half_up=True)


class DownSampling(nn.Module):
    """A strided convolution and its norm; the first one sees the image and has no neurons in front."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, levels: int | None):
        super().__init__()
        self.encode_conv = nn.Conv2d(in_channels, out_channels, kernel, stride=2, padding=kernel // 2)
        self.encode_bn = nn.BatchNorm2d(out_channels)
        if levels is not None:
            self.encode_lif = neuron(levels)
        self.first = levels is None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / 2, W / 2)."""
        return self.encode_bn(self.encode_conv(x if self.first else self.encode_lif(x)))


def convolution3x3(in_channels: int, out_channels: int) -> nn.Sequential:
    """A 3x3 convolution with its norm, one level down in the names."""
    pair = nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels))
    return nn.Sequential(pair)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions over four times the channels, with a shortcut."""

    def __init__(self, channels: int, levels: int):
        super().__init__()
        self.neuron1 = neuron(levels)
        self.conv1 = convolution3x3(channels, 4 * channels)
        self.neuron2 = neuron(levels)
        self.conv2 = convolution3x3(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        wide = self.conv1(self.neuron1(x))  # (B, 4C, H, W)
        return x + self.conv2(self.neuron2(wide))


class RepConv(nn.Module):
    """Two 1x1 convolutions over the tokens with a norm each: a chain, so that the second one sees sums."""

    def __init__(self, channels: int, inner: int):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv1d(channels, inner, 1, bias=False), nn.BatchNorm1d(inner))
        self.conv2 = nn.Sequential(nn.Conv1d(inner, channels, 1, bias=False), nn.BatchNorm1d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) -> the same shape."""
        return self.conv2(self.conv1(x))


def rep_conv(channels: int) -> nn.Sequential:
    """The pair of q, k, v and proj, and one more norm."""
    return nn.Sequential(RepConv(channels, int(INNER_RATIO * channels)), nn.BatchNorm1d(channels))


class Attention(nn.Module):
    """Q (K^T V) of levels, without softmax."""

    def __init__(self, channels: int, heads: int, levels: int):
        super().__init__()
        self.heads = heads
        self.head_lif = neuron(levels)
        self.q_conv = rep_conv(channels)
        self.q_lif = neuron(levels)
        self.k_conv = rep_conv(channels)
        self.k_lif = neuron(levels)
        self.v_conv = rep_conv(channels)
        self.v_lif = neuron(levels)
        self.attn_lif = neuron(levels)
        self.proj_conv = rep_conv(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) -> the same shape."""
        sent = self.head_lif(x)
        q, k, v = self.q_lif(self.q_conv(sent)), self.k_lif(self.k_conv(sent)), self.v_lif(self.v_conv(sent))
        return self.proj_conv(self.attn_lif(spiking_self_attention(q, k, v, self.heads, ATTENTION_SCALE)))


class MLP(nn.Module):
    """Two 1x1 convolutions over the tokens, with neurons in front of each."""

    def __init__(self, channels: int, levels: int):
        super().__init__()
        self.fc1_conv = nn.Conv1d(channels, 4 * channels, 1)
        self.fc1_bn = nn.BatchNorm1d(4 * channels)
        self.fc1_lif = neuron(levels)
        self.fc2_conv = nn.Conv1d(4 * channels, channels, 1)
        self.fc2_bn = nn.BatchNorm1d(channels)
        self.fc2_lif = neuron(levels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) -> the same shape."""
        wide = self.fc1_bn(self.fc1_conv(self.fc1_lif(x)))  # (B, 4C, N)
        return self.fc2_bn(self.fc2_conv(self.fc2_lif(wide)))


class Block(nn.Module):
    """Attention and MLP, both with a learned gain for each channel and a shortcut; before them a pair of 1x1."""

    def __init__(self, config: Config):
        super().__init__()
        channels, levels = config.embed_dims[2], config.levels
        self.layer_scale1 = nn.Parameter(torch.ones(channels))
        self.layer_scale2 = nn.Parameter(torch.ones(channels))
        self.lif = neuron(levels)  # never fires where there is no pair
        self.leads = config.leading_ratio > 0
        if self.leads:
            self.rep_conv = RepConv(channels, int(config.leading_ratio * channels))
        self.attn = Attention(channels, config.heads, levels)
        self.mlp = MLP(channels, levels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) -> the same shape."""
        if self.leads:
            x = x + self.rep_conv(self.lif(x))
        x = x + self.layer_scale1.unsqueeze(1) * self.attn(x)
        return x + self.layer_scale2.unsqueeze(1) * self.mlp(x)


class ESpikeFormerLarge(nn.Module):
    """Images (B, C, H, W) -> logits (B, classes).  `head` sees the mean potentials, `head_kd` the last levels."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        (d1, d2, d3), levels = config.embed_dims, config.levels
        self.downsample1_1 = DownSampling(config.in_channels, d1 // 2, kernel=7, levels=None)
        self.ConvBlock1_1 = nn.ModuleList([ConvBlock(d1 // 2, levels)])
        self.downsample1_2 = DownSampling(d1 // 2, d1, kernel=3, levels=levels)
        self.ConvBlock1_2 = nn.ModuleList([ConvBlock(d1, levels)])
        self.downsample2 = DownSampling(d1, d2, kernel=3, levels=levels)
        self.ConvBlock2_1 = nn.ModuleList([ConvBlock(d2, levels)])
        self.ConvBlock2_2 = nn.ModuleList([ConvBlock(d2, levels)])
        self.downsample3 = DownSampling(d2, d3, kernel=3, levels=levels)
        self.block3 = nn.ModuleList([Block(config) for _ in range(config.depth)])
        self.head = nn.Linear(d3, config.num_classes)
        self.lif = neuron(levels, divisor=1)
        if config.distilled:
            self.head_kd = nn.Linear(d3, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes).  Raises ModelError for images of another shape."""
        check_images(images, self.config)
        x = self.ConvBlock1_1[0](self.downsample1_1(images))  # (B, d1 / 2, H / 2, W / 2)
        x = self.ConvBlock1_2[0](self.downsample1_2(x))  # (B, d1, H / 4, W / 4)
        x = self.ConvBlock2_2[0](self.ConvBlock2_1[0](self.downsample2(x)))  # (B, d2, H / 8, W / 8)
        x = self.downsample3(x).flatten(2)  # (B, d3, N)
        for block in self.block3:
            x = block(x)
        mean = x.mean(2)
        levels, logits = self.lif(mean), self.head(mean)
        return (logits + self.head_kd(levels)) / 2 if self.config.distilled else logits


def build(variant: str, **options: object) -> ESpikeFormerLarge:
    """The network with fresh weights; `options` replace fields of its Config.  Raises ModelError for bad ones."""
    return ESpikeFormerLarge(VARIANTS[variant].changed(name=f"sdtv3_large_{variant}", **options))
