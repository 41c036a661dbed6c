"""The blocks of Meta-SpikeFormer; every attribute carries the name it has in the official checkpoints.

Activations are (T, B, C, H, W); `over_time` folds T into the batch for the layers without memory.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sviT_models.network.neuron import LIF

ATTENTION_THRESHOLD = 0.5


def over_time(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply `layer`, which takes (N, ...), to every time step of `x` (T, B, ...)."""
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class PaddedBatchNorm(nn.Module):
    """Batch norm, then a border of one pixel that holds what the norm makes of zero.

    With the running statistics this is zero padding before the norm. In training the border still takes the running
    statistics, so that it does not dilute those of the batch.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H + 2, W + 2)."""
        if not self.training:
            return self.bn(F.pad(x, (1, 1, 1, 1)))
        inside, bn = self.bn(x), self.bn
        border = bn.bias.detach() - bn.running_mean * bn.weight.detach() / torch.sqrt(bn.running_var + bn.eps)
        n, _, height, width = inside.shape
        padded = border.to(x.dtype).view(1, -1, 1, 1).repeat(n, 1, height + 2, width + 2)
        padded[:, :, 1:-1, 1:-1] = inside
        return padded


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


class SepConv(nn.Module):
    """Spikes through an inverted bottleneck: 1x1 to twice the channels, LIF, depthwise 7x7, 1x1 back."""

    def __init__(self, channels: int):
        super().__init__()
        wide = 2 * channels
        self.lif1 = LIF()
        self.pwconv1 = nn.Conv2d(channels, wide, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.lif2 = LIF()
        self.dwconv = nn.Conv2d(wide, wide, 7, padding=3, groups=wide, bias=False)
        self.pwconv2 = nn.Conv2d(wide, channels, 1, bias=False)  # sees the multi-bit sums of dwconv
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        x = over_time(lambda s: self.bn1(self.pwconv1(s)), self.lif1(x))  # (T, B, 2C, H, W)
        return over_time(lambda s: self.bn2(self.pwconv2(self.dwconv(s))), self.lif2(x))


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
        wide = over_time(lambda s: self.bn1(self.conv1(s)), self.lif1(x))  # (T, B, 4C, H, W)
        return x + over_time(lambda s: self.bn2(self.conv2(s)), self.lif2(wide))


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
        return over_time(lambda s: self.encode_bn(self.encode_conv(s)), spikes)


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
        q = self.by_head(self.q_lif(over_time(self.q_conv, spikes)))
        k = self.by_head(self.k_lif(over_time(self.k_conv, spikes)))
        v = self.by_head(self.v_lif(over_time(self.v_conv, spikes)))
        pairs = v @ k.transpose(-1, -2)  # (T, B, heads, d, d): counts of tokens where v_i and k_j both fire
        mixed = (pairs @ q).flatten(2, 3) * self.scale  # (T, B, C, N)
        return over_time(self.proj_conv, self.attn_lif(mixed).unflatten(3, x.shape[3:]))

    def by_head(self, spikes: Tensor) -> Tensor:
        """(T, B, C, H, W) -> (T, B, heads, C / heads, H * W)."""
        return spikes.flatten(3).unflatten(2, (self.heads, -1))


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
        wide = over_time(lambda s: self.fc1_bn(self.fc1_conv(s)), self.fc1_lif(x.flatten(3)))  # (T, B, 4C, N)
        return over_time(lambda s: self.fc2_bn(self.fc2_conv(s)), self.fc2_lif(wide)).view_as(x)


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
