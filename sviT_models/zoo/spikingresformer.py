"""SpikingResformer (Shi et al., CVPR 2024): dual spike self-attention multiplies real numbers by spikes.

Neurons stand in front of every convolution, and shortcuts add potentials; the first convolution and the classifier see
real numbers.  Names of parameters as in the official code (xyshi2000/SpikingResformer, 3f75127).  Unlike in the other
families here every neuron has the threshold 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.network.attention import by_head
from sviT_models.network.config import SpikingConfig
from sviT_models.network.neuron import LIF
from sviT_models.network.steps import each_step, repeat, steps_of

DEPTHS = (1, 2, 3)  # pairs of attention and feed-forward in a stage
PATCHES = (4, 2, 1)  # side of the patches that attention makes of a stage's feature map
GROUP = 64  # channels in a group of the grouped convolution
RATE_MOMENTUM = 0.999  # of the firing rates measured while training, as in the official code


@dataclass(frozen=True, kw_only=True)
class Config(SpikingConfig):
    """The sizes of the three stages; `stem` is "cifar" or "imagenet": how images become feature maps.

    Attention scales by the number of patches, so the network is made for images of `resolution` pixels only.
    """

    planes: tuple[int, int, int]
    heads: tuple[int, int, int]
    stem: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(plane % heads for plane, heads in zip(self.planes, self.heads, strict=True)):
            raise ModelError(f"heads is {self.heads}, which does not divide the widths {self.planes}")
        needed = 4 if self.stem == "cifar" else 16  # so that every stage's patches fill its feature map
        if self.resolution % needed:
            raise ModelError(f"resolution is {self.resolution}; expected a multiple of {needed}")

    def side(self, stage: int) -> int:
        """Height and width of a stage's feature map."""
        return self.resolution // (1 if self.stem == "cifar" else 4) // 2**stage


def _cifar(planes: tuple[int, int, int], heads: tuple[int, int, int], num_classes: int = 10) -> Config:
    return Config(planes=planes, heads=heads, stem="cifar", num_classes=num_classes, resolution=32)


def _imagenet(planes: tuple[int, int, int], heads: tuple[int, int, int]) -> Config:
    return Config(planes=planes, heads=heads, stem="imagenet", num_classes=1000, resolution=224)


VARIANTS = {
    "tiny": _cifar((64, 64, 128), (1, 2, 4)),  # for tests, as is the next one: no published counterpart
    "tiny_imagenet_stem": _imagenet((64, 64, 128), (1, 2, 4)).changed(num_classes=10, resolution=64),
    "cifar": _cifar((64, 192, 384), (1, 3, 6)),
    "cifar100": _cifar((64, 192, 384), (1, 3, 6), num_classes=100),
    "ti": _imagenet((64, 192, 384), (1, 3, 6)),
    "s": _imagenet((64, 256, 512), (1, 4, 8)),
    "m": _imagenet((64, 384, 768), (1, 6, 12)),
    "l": _imagenet((128, 512, 1024), (2, 8, 16)),
}


class BatchNorm(nn.Module):
    """A batch norm one level down in the names."""

    def __init__(self, channels: int):
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return self.bn(x)


class DualSpikeAttention(nn.Module):
    """Two products of real numbers with spikes: tokens against patches, and patches back to tokens.

    The scales make the products' variance one; they rest on the firing rates of each head, which are measured while
    training and kept with the weights.
    """

    firing_rate_x: Tensor
    firing_rate_attn: Tensor

    def __init__(self, dim: int, heads: int, patch: int, patches: int):
        super().__init__()
        self.heads, self.patches = heads, patches
        rates = torch.ones(1, 1, heads, 1, 1)  # as if everything fired, until training measures them
        self.register_buffer("firing_rate_x", rates)
        self.register_buffer("firing_rate_attn", rates.clone())
        self.activation_in = LIF()
        self.W = nn.Conv2d(dim, 2 * dim, patch, stride=patch, bias=False)
        self.norm = BatchNorm(2 * dim)
        self.activation_attn = LIF()
        self.activation_out = LIF()
        self.Wproj = nn.Conv2d(dim, dim, 1, bias=False)
        self.norm_proj = BatchNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        spikes = self.activation_in(x)
        y = by_head(each_step(spikes, self.W, self.norm).flatten(3), self.heads)  # (T, B, heads, 2 C / heads, N')
        y1, y2 = y.chunk(2, dim=3)  # real, and not the halves of all channels but those of every head
        tokens = by_head(spikes.flatten(3), self.heads)  # (T, B, heads, C / heads, N)
        self.measure("firing_rate_x", tokens)
        scale = 1 / torch.sqrt(self.firing_rate_x * tokens.shape[3])
        met = self.activation_attn(y1.transpose(3, 4) @ tokens * scale)  # (T, B, heads, N', N)
        self.measure("firing_rate_attn", met)
        scale = 1 / torch.sqrt(self.firing_rate_attn * self.patches)
        out = self.activation_out((y2 @ met * scale).flatten(2, 3).unflatten(3, x.shape[3:]))
        return x + each_step(out, self.Wproj, self.norm_proj)

    def measure(self, name: str, spikes: Tensor) -> None:
        """In training, a running mean of the rate of `spikes` (T, B, heads, ., .); the first batch starts it."""
        if not self.training:
            return
        rate = spikes.detach().mean((0, 1, 3, 4), keepdim=True).clamp(min=spikes.shape[2] / spikes.numel())
        before = self.get_buffer(name)
        started = not bool((before == 1).all())
        self.register_buffer(name, before.lerp(rate, 1 - RATE_MOMENTUM) if started else rate)


class Layer(nn.Sequential):
    """Neurons, a convolution and its norm."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__(LIF(), conv, BatchNorm(conv.out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> (T, B, C', H, W)."""
        return each_step(self[0](x), self[1], self[2])


class FeedForward(nn.Module):
    """1x1 to four times the channels, a grouped 3x3 with a shortcut of its own, 1x1 back, and a shortcut over all."""

    def __init__(self, dim: int):
        super().__init__()
        wide = 4 * dim
        self.up = Layer(nn.Conv2d(dim, wide, 1, bias=False))
        self.conv = nn.ModuleList([Layer(nn.Conv2d(wide, wide, 3, padding=1, groups=wide // GROUP, bias=False))])
        self.down = Layer(nn.Conv2d(wide, dim, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        wide = self.up(x)  # (T, B, 4C, H, W)
        return x + self.down(wide + self.conv[0](wide))


class DownSampling(nn.Module):
    """Neurons and a strided 3x3 convolution between two stages."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
        self.norm = BatchNorm(out_channels)
        self.activation = LIF()

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> (T, B, C', H / 2, W / 2)."""
        return each_step(self.activation(x), self.conv, self.norm)


def prologue(config: Config) -> nn.Sequential:
    """The stem: a convolution and its norm; on ImageNet with strides and a pool of real numbers."""
    width = config.planes[0]
    if config.stem == "cifar":
        conv = nn.Conv2d(config.in_channels, width, 3, padding=1, bias=False)
        return nn.Sequential(conv, BatchNorm(width))
    conv = nn.Conv2d(config.in_channels, width, 7, stride=2, padding=3, bias=False)
    return nn.Sequential(conv, BatchNorm(width), nn.MaxPool2d(3, stride=2, padding=1))


def stage_layers(config: Config, stage: int) -> nn.Sequential:
    """A stage: down-sampling but for the first, then pairs of attention and feed-forward."""
    dim, patch = config.planes[stage], PATCHES[stage]
    patches = (config.side(stage) // patch) ** 2
    layers: list[nn.Module] = [DownSampling(config.planes[stage - 1], dim)] if stage else []
    for _ in range(DEPTHS[stage]):
        layers += [DualSpikeAttention(dim, config.heads[stage], patch, patches), FeedForward(dim)]
    return nn.Sequential(*layers)


class SpikingResformer(nn.Module):
    """Images (B, C, H, W) or frames of events (B, T, C, H, W) -> logits (B, classes)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.prologue = prologue(config)
        self.layers = nn.Sequential(*(stage_layers(config, stage) for stage in range(3)))
        self.classifier = nn.Linear(config.planes[-1], config.num_classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes).  Raises ModelError for images of another shape or resolution."""
        side = self.config.resolution
        x = steps_of(images, self.config)
        if x.shape[3:] != (side, side):
            raise ModelError(
                f"images have {x.shape[3]} x {x.shape[4]} pixels; {self.config.name} scales its attention for "
                f"{side} x {side}: build it with their resolution"
            )
        x = self.layers(repeat(each_step(x, *self.prologue), self.config.time_steps))  # (T, B, C, H', W')
        return self.classifier(x.flatten(3).mean(3)).mean(0)


def build(variant: str, **options: object) -> SpikingResformer:
    """The network with fresh weights; `options` replace fields of its Config.  Raises ModelError for bad ones."""
    return SpikingResformer(VARIANTS[variant].changed(name=f"spikingresformer_{variant}", **options))
