"""Spikformer (Zhou et al., ICLR 2023): spiking self-attention, and shortcuts that add spikes.

Every convolution has its neurons behind.  A sum of spikes is a small integer, up to 2 more in every block, and that is
what q, k, v and the first layer of an MLP see; the head sees means of such integers.  Names of parameters as in the
official code (ZK-Zhou/spikformer, 6212689), which published no weights.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from sviT_models.network.attention import spiking_self_attention
from sviT_models.network.config import SpikingConfig
from sviT_models.network.neuron import LIF
from sviT_models.network.steps import each_step, repeat, steps_of

ATTENTION_SCALE = 0.125  # whatever the head size
ATTENTION_THRESHOLD = 0.5


@dataclass(frozen=True, kw_only=True)
class Config(SpikingConfig):
    """The sizes of a Spikformer.

    `stem` is "cifar" or "imagenet": which convolutions have a pool behind them, and whether the layers of a block are
    linear layers or 1x1 convolutions.
    """

    embed_dim: int
    depth: int
    heads: int
    stem: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_heads(self.heads, self.embed_dim)


def _cifar(embed_dim: int, depth: int, heads: int, num_classes: int = 10) -> Config:
    return Config(embed_dim=embed_dim, depth=depth, heads=heads, stem="cifar", num_classes=num_classes, resolution=32)


def _imagenet(embed_dim: int, depth: int, heads: int) -> Config:
    return Config(embed_dim=embed_dim, depth=depth, heads=heads, stem="imagenet", num_classes=1000, resolution=224)


VARIANTS = {  # the official code has 8 heads for 8_512; the heads of 8_384 and 8_768 are assumed
    "tiny": _cifar(64, 2, heads=8),  # for tests, as is the next one: no published counterpart
    "tiny_imagenet_stem": _imagenet(64, 2, heads=8).changed(num_classes=10, resolution=64),
    "cifar_4_256": _cifar(256, 4, heads=8),
    "cifar_2_384": _cifar(384, 2, heads=12),
    "cifar_4_384": _cifar(384, 4, heads=12),
    "cifar100_4_384": _cifar(384, 4, heads=12, num_classes=100),
    "8_384": _imagenet(384, 8, heads=12),
    "8_512": _imagenet(512, 8, heads=8),
    "8_768": _imagenet(768, 8, heads=12),
}


class PatchEmbedding(nn.Module):
    """Four 3x3 convolutions with pools of spikes, of the last two only (CIFAR) or all, and a fifth whose spikes add."""

    def __init__(self, config: Config):
        super().__init__()
        dim = config.embed_dim
        widths = (config.in_channels, dim // 8, dim // 4, dim // 2, dim)
        self.suffixes = ("", "1", "2", "3")
        self.pooled = ("2", "3") if config.stem == "cifar" else self.suffixes
        for i, suffix in enumerate(self.suffixes):
            self.add_module(f"proj_conv{suffix}", nn.Conv2d(widths[i], widths[i + 1], 3, padding=1, bias=False))
            self.add_module(f"proj_bn{suffix}", nn.BatchNorm2d(widths[i + 1]))
            self.add_module(f"proj_lif{suffix}", LIF())
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.rpe_conv = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.rpe_bn = nn.BatchNorm2d(dim)
        self.rpe_lif = LIF()

    def forward(self, x: Tensor, time_steps: int) -> Tensor:
        """(T or 1, B, 3, H, W) -> (T, B, C, H', W') of 0, 1 and 2; H and W are halved by every pool."""
        for suffix in self.suffixes:
            conv, bn, lif = (self.get_submodule(f"proj_{part}{suffix}") for part in ("conv", "bn", "lif"))
            x = lif(repeat(each_step(x, conv, bn), time_steps))
            if suffix in self.pooled:
                x = each_step(x, self.pool)  # of spikes: whether any neuron of the window fires
        return x + self.rpe_lif(each_step(x, self.rpe_conv, self.rpe_bn))


class LinearTokens(nn.Module):
    """Layers that mix the channels of every token, called `<name>_linear`, each with its norm and its neurons.

    On CIFAR they are linear layers, on ImageNet 1x1 convolutions called `<name>_conv`.
    """

    def __init__(self, stem: str):
        super().__init__()
        self.kind = "linear" if stem == "cifar" else "conv"

    def add(self, name: str, layer: nn.Module, channels: int) -> None:
        """A layer with `channels` outputs, its norm and its neurons."""
        self.add_module(f"{name}_{self.kind}", layer)
        self.add_module(f"{name}_bn", nn.BatchNorm1d(channels))
        self.add_module(f"{name}_lif", LIF())

    def spikes_of(self, name: str, x: Tensor) -> Tensor:
        """Spikes (T, B, C', N) of the layer's answer to `x` (T, B, C, N)."""
        layer, bn, lif = (self.get_submodule(f"{name}_{part}") for part in (self.kind, "bn", "lif"))
        return lif(each_step(x, lambda tokens: over_tokens(layer, tokens), bn))


def over_tokens(layer: nn.Module, x: Tensor) -> Tensor:
    """A linear layer or a 1x1 convolution over the tokens of `x` (N, C, tokens)."""
    if isinstance(layer, nn.Linear):
        return layer(x.transpose(1, 2)).transpose(1, 2)
    return layer(x.unsqueeze(3)).squeeze(3) if isinstance(layer, nn.Conv2d) else layer(x)


class Attention(LinearTokens):
    """Spiking self-attention: Q (K^T V) of spikes, without softmax."""

    def __init__(self, config: Config):
        super().__init__(config.stem)
        dim, cifar = config.embed_dim, config.stem == "cifar"
        self.heads = config.heads
        for name in ("q", "k", "v"):
            self.add(name, nn.Linear(dim, dim) if cifar else nn.Conv1d(dim, dim, 1, bias=False), dim)
        self.attn_lif = LIF(ATTENTION_THRESHOLD)
        self.add("proj", nn.Linear(dim, dim) if cifar else nn.Conv1d(dim, dim, 1), dim)

    def forward(self, x: Tensor) -> Tensor:
        """Integers (T, B, C, N) -> spikes of the same shape."""
        q, k, v = (self.spikes_of(name, x) for name in ("q", "k", "v"))
        mixed = self.attn_lif(spiking_self_attention(q, k, v, self.heads, ATTENTION_SCALE))
        return self.spikes_of("proj", mixed)


class MLP(LinearTokens):
    """Two layers over the tokens with neurons behind each."""

    def __init__(self, config: Config):
        super().__init__(config.stem)
        dim, cifar = config.embed_dim, config.stem == "cifar"
        self.add("fc1", nn.Linear(dim, 4 * dim) if cifar else nn.Conv2d(dim, 4 * dim, 1), 4 * dim)
        self.add("fc2", nn.Linear(4 * dim, dim) if cifar else nn.Conv2d(4 * dim, dim, 1), dim)

    def forward(self, x: Tensor) -> Tensor:
        """Integers (T, B, C, N) -> spikes of the same shape."""
        return self.spikes_of("fc2", self.spikes_of("fc1", x))


class Block(nn.Module):
    """Attention and MLP, both with a shortcut that adds spikes."""

    def __init__(self, config: Config):
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim)  # in the official state, never used; so is norm2
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.embed_dim)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        """Integers (T, B, C, N) -> integers up to 2 larger."""
        x = x + self.attn(x)
        return x + self.mlp(x)


class Spikformer(nn.Module):
    """Images (B, C, H, W) or frames of events (B, T, C, H, W) -> logits (B, classes)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbedding(config)
        self.block = nn.ModuleList([Block(config) for _ in range(config.depth)])
        self.head = nn.Linear(config.embed_dim, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes).  Raises ModelError for images of another shape."""
        x = self.patch_embed(steps_of(images, self.config), self.config.time_steps).flatten(3)  # (T, B, C, N)
        for block in self.block:
            x = block(x)
        return self.head(x.mean(3).mean(0))


def build(variant: str, **options: object) -> Spikformer:
    """The network with fresh weights; `options` replace fields of its Config.  Raises ModelError for bad ones."""
    return Spikformer(VARIANTS[variant].changed(name=f"spikformer_{variant}", **options))
