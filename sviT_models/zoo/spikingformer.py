"""Spikingformer (Zhou et al., "Spikingformer: Spike-driven Residual Learning for Transformer-based SNN", 2023).

Every convolution has its neurons in front, and shortcuts add potentials; only the first convolution and the head see
other numbers than spikes.  Names of parameters as in the official code (zhouchenlin2096/Spikingformer, 4378623).
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
    """The sizes of a Spikingformer; `stem` says how the images become tokens, "cifar" or "imagenet"."""

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


VARIANTS = {  # heads as in the official configurations and logs; 12 is assumed for cifar_2_384 and 8_384
    "tiny": _cifar(64, 2, heads=8),  # for tests, as is the next one: no published counterpart
    "tiny_imagenet_stem": _imagenet(64, 2, heads=8).changed(num_classes=10, resolution=64),
    "cifar_4_256": _cifar(256, 4, heads=8),
    "cifar_2_384": _cifar(384, 2, heads=12),
    "cifar_4_384": _cifar(384, 4, heads=12),
    "cifar100_4_384": _cifar(384, 4, heads=12, num_classes=100),
    "8_384": _imagenet(384, 8, heads=12),
    "8_512": _imagenet(512, 8, heads=8),
    "8_768": _imagenet(768, 8, heads=8),
}


class PatchEmbedding(nn.Module):
    """Five 3x3 convolutions; the spikes in front of the last four (ImageNet) or the last two (CIFAR) are pooled."""

    def __init__(self, config: Config):
        super().__init__()
        cifar, dim = config.stem == "cifar", config.embed_dim
        self.names = [f"block{i}" for i in range(5)] if cifar else ["proj", *(f"proj{i}" for i in range(1, 5))]
        self.pooled = (3, 4) if cifar else (1, 2, 3, 4)
        widths = (config.in_channels, dim // 8, dim // 4, dim // 2, dim, dim)
        for i, name in enumerate(self.names):
            if i > 0:
                self.add_module(f"{name}_lif", LIF())
            self.add_module(f"{name}_conv", nn.Conv2d(widths[i], widths[i + 1], 3, padding=1, bias=False))
            self.add_module(f"{name}_bn", nn.BatchNorm2d(widths[i + 1]))
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x: Tensor, time_steps: int) -> Tensor:
        """(T or 1, B, 3, H, W) -> (T, B, C, H / 16, W / 16), on CIFAR a quarter of H and W."""
        for i, name in enumerate(self.names):
            conv, bn = self.get_submodule(f"{name}_conv"), self.get_submodule(f"{name}_bn")
            if i > 0:
                x = self.get_submodule(f"{name}_lif")(x)
            if i in self.pooled:
                x = each_step(x, self.pool)  # of spikes: whether any neuron of the window fires
            x = each_step(x, conv, bn)
            if i == 0:
                x = repeat(x, time_steps)
        return x


class Attention(nn.Module):
    """Spiking self-attention: Q (K^T V) of spikes, without softmax."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.proj_lif = LIF()  # fires first: q, k and v see its spikes
        self.q_conv = nn.Conv1d(dim, dim, 1, bias=False)
        self.q_bn = nn.BatchNorm1d(dim)
        self.q_lif = LIF()
        self.k_conv = nn.Conv1d(dim, dim, 1, bias=False)
        self.k_bn = nn.BatchNorm1d(dim)
        self.k_lif = LIF()
        self.v_conv = nn.Conv1d(dim, dim, 1, bias=False)
        self.v_bn = nn.BatchNorm1d(dim)
        self.v_lif = LIF()
        self.attn_lif = LIF(ATTENTION_THRESHOLD)
        self.proj_conv = nn.Conv1d(dim, dim, 1)
        self.proj_bn = nn.BatchNorm1d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        spikes = self.proj_lif(x.flatten(3))  # (T, B, C, N)
        q = self.q_lif(each_step(spikes, self.q_conv, self.q_bn))
        k = self.k_lif(each_step(spikes, self.k_conv, self.k_bn))
        v = self.v_lif(each_step(spikes, self.v_conv, self.v_bn))
        mixed = self.attn_lif(spiking_self_attention(q, k, v, self.heads, ATTENTION_SCALE))  # (T, B, C, N)
        return each_step(mixed, self.proj_conv, self.proj_bn).view_as(x)


class MLP(nn.Module):
    """Two 1x1 convolutions with neurons in front of each."""

    def __init__(self, dim: int):
        super().__init__()
        self.mlp1_lif = LIF()
        self.mlp1_conv = nn.Conv2d(dim, 4 * dim, 1)
        self.mlp1_bn = nn.BatchNorm2d(4 * dim)
        self.mlp2_lif = LIF()
        self.mlp2_conv = nn.Conv2d(4 * dim, dim, 1)
        self.mlp2_bn = nn.BatchNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        x = each_step(self.mlp1_lif(x), self.mlp1_conv, self.mlp1_bn)  # (T, B, 4C, H, W)
        return each_step(self.mlp2_lif(x), self.mlp2_conv, self.mlp2_bn)


class Block(nn.Module):
    """Attention and MLP, both with a shortcut of the potentials."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)  # in the checkpoints, never used; so is norm2
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        x = x + self.attn(x)
        return x + self.mlp(x)


class Spikingformer(nn.Module):
    """Images (B, 3, H, W) -> logits (B, classes).  The head sees the mean potentials of tokens and steps."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbedding(config)
        self.block = nn.ModuleList([Block(config.embed_dim, config.heads) for _ in range(config.depth)])
        self.head = nn.Linear(config.embed_dim, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of `images` (B, C, H, W) or of frames (B, T, C, H, W).  Raises ModelError for others."""
        x = self.patch_embed(steps_of(images, self.config), self.config.time_steps)  # (T, B, C, H / 16, W / 16)
        for block in self.block:
            x = block(x)
        return self.head(x.flatten(3).mean(3).mean(0))


def build(variant: str, **options: object) -> Spikingformer:
    """The network with fresh weights; `options` replace fields of its Config.  Raises ModelError for bad ones."""
    return Spikingformer(VARIANTS[variant].changed(name=f"spikingformer_{variant}", **options))
