"""QKFormer (Zhou et al., NeurIPS 2024): a bit per token and head gates the keys, and shortcuts add spikes.

Every convolution has its neurons behind.  A sum of spikes is a small integer, and half of the multiplications see
those.  Names of parameters as in the official code (zhouchenlin2096/QKFormer, c2a00e8).

Images are evaluated one by one here, whatever the batch.  In the official code the last neurons of the attention of the
third stage, `proj_lif`, take the images of a batch for further time steps: what one image leaves in their membranes is
where the next one starts.  The published accuracies were measured so, in batches (issue 14 of that repository: 78.73 %
of the 10_384 network at 32 images a batch, 74.20 % one by one; 84.25 % and 78.70 % of 10_768).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from sviT_models.network.attention import by_head, spiking_self_attention
from sviT_models.network.config import SpikingConfig
from sviT_models.network.neuron import LIF
from sviT_models.network.steps import each_step, repeat, steps_of

ATTENTION_SCALE = 0.125  # whatever the head size
ATTENTION_THRESHOLD = 0.5


@dataclass(frozen=True, kw_only=True)
class Config(SpikingConfig):
    """The sizes of a QKFormer: `embed_dim` is that of the third stage, the first two have a quarter and a half.

    `heads` are those of every stage.  `stem` is "cifar" or "imagenet": how images become tokens, and what the layers
    are called.
    """

    embed_dim: int
    depths: tuple[int, int, int]
    heads: int
    stem: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_heads(self.heads, self.embed_dim // 4, self.embed_dim // 2, self.embed_dim)


def _cifar(embed_dim: int, num_classes: int = 10) -> Config:
    depths = (1, 1, 2)
    return Config(embed_dim=embed_dim, depths=depths, heads=8, stem="cifar", num_classes=num_classes, resolution=32)


def _imagenet(embed_dim: int, heads: int) -> Config:
    depths = (1, 2, 7)
    return Config(embed_dim=embed_dim, depths=depths, heads=heads, stem="imagenet", num_classes=1000, resolution=224)


VARIANTS = {
    "tiny": _cifar(64),  # for tests, as is the next one: no published counterpart
    "tiny_imagenet_stem": _imagenet(64, heads=8).changed(depths=(1, 2, 2), num_classes=10, resolution=64),
    "cifar_4_384": _cifar(384),
    "cifar100_4_384": _cifar(384, num_classes=100),
    "10_384": _imagenet(384, heads=6),
    "10_512": _imagenet(512, heads=8),
    "10_768": _imagenet(768, heads=12),
}


class Layers(nn.Module):
    """Convolutions `<name>_conv`, each with its norm `<name>_bn` and its neurons `<name>_lif`."""

    def add(self, name: str, conv: nn.Conv1d | nn.Conv2d) -> None:
        """A convolution, its norm and its neurons."""
        norm = nn.BatchNorm1d if isinstance(conv, nn.Conv1d) else nn.BatchNorm2d
        self.add_module(f"{name}_conv", conv)
        self.add_module(f"{name}_bn", norm(conv.out_channels))
        self.add_module(f"{name}_lif", LIF())

    def potentials_of(self, name: str, x: Tensor) -> Tensor:
        """(T, B, C', ...) behind the norm."""
        return each_step(x, self.get_submodule(f"{name}_conv"), self.get_submodule(f"{name}_bn"))

    def fire(self, name: str, x: Tensor) -> Tensor:
        """Spikes of the layer's neurons."""
        return self.get_submodule(f"{name}_lif")(x)

    def spikes_of(self, name: str, x: Tensor) -> Tensor:
        """Spikes (T, B, C', ...) of the layer's answer to `x` (T, B, C, ...)."""
        return self.fire(name, self.potentials_of(name, x))


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A convolution that keeps height and width."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)


class PatchEmbedding(Layers):
    """3x3 convolutions, and a 1x1 branch beside whose spikes add.  Pools are of potentials, in front of the neurons.

    They have to follow the norms, whose gains may be negative.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def pooled_spikes_of(self, name: str, x: Tensor) -> Tensor:
        """Spikes (T, B, C', H / 2, W / 2) of the layer's pooled answer to `x` (T, B, C, H, W)."""
        return self.fire(name, each_step(self.potentials_of(name, x), self.pool))


class CifarStem(PatchEmbedding):
    """Two convolutions at full size."""

    def __init__(self, in_channels: int, dim: int):
        super().__init__()
        self.add("proj", conv3x3(in_channels, dim // 2))
        self.add("proj1", conv3x3(dim // 2, dim))
        self.add("proj_res", nn.Conv2d(dim // 2, dim, 1, bias=False))

    def forward(self, x: Tensor, time_steps: int) -> Tensor:
        """(T or 1, B, 3, H, W) -> (T, B, C, H, W) of 0, 1 and 2."""
        spikes = self.fire("proj", repeat(self.potentials_of("proj", x), time_steps))
        return self.spikes_of("proj1", spikes) + self.spikes_of("proj_res", spikes)


class ImagenetStem(PatchEmbedding):
    """Three convolutions, the first two with a pool."""

    def __init__(self, in_channels: int, dim: int):
        super().__init__()
        self.add("proj", conv3x3(in_channels, dim // 2))
        self.add("proj1", conv3x3(dim // 2, dim))
        self.add("proj2", conv3x3(dim, dim))
        self.add("proj_res", nn.Conv2d(dim // 2, dim, 1, stride=2, bias=False))

    def forward(self, x: Tensor, time_steps: int) -> Tensor:
        """(T or 1, B, 3, H, W) -> (T, B, C, H / 4, W / 4) of 0, 1 and 2."""
        spikes = self.fire("proj", repeat(each_step(self.potentials_of("proj", x), self.pool), time_steps))
        x = self.spikes_of("proj2", self.pooled_spikes_of("proj1", spikes))
        return x + self.spikes_of("proj_res", spikes)


class StageEmbedding(PatchEmbedding):
    """Two convolutions with a pool behind one of them, and a strided branch."""

    def __init__(self, in_channels: int, dim: int, pooled: str):
        super().__init__()
        self.pooled = pooled
        self.add("proj3", conv3x3(in_channels, dim))
        self.add("proj4", conv3x3(dim, dim))
        self.add("proj_res", nn.Conv2d(in_channels, dim, 1, stride=2, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Integers (T, B, C, H, W) -> (T, B, C', H / 2, W / 2) of 0, 1 and 2."""
        if self.pooled == "proj3":
            main = self.spikes_of("proj4", self.pooled_spikes_of("proj3", x))
        else:
            main = self.pooled_spikes_of("proj4", self.spikes_of("proj3", x))
        return main + self.spikes_of("proj_res", x)


class TokenAttention(Layers):
    """Token QK attention: the keys of a token pass in a head where enough channels of its query fire."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.add("q", nn.Conv1d(dim, dim, 1, bias=False))
        self.add("k", nn.Conv1d(dim, dim, 1, bias=False))
        self.attn_lif = LIF(ATTENTION_THRESHOLD)
        self.add("proj", nn.Conv1d(dim, dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Integers (T, B, C, H, W) -> spikes of the same shape."""
        tokens = x.flatten(3)  # (T, B, C, N)
        q, k = (by_head(self.spikes_of(name, tokens), self.heads) for name in ("q", "k"))  # (T, B, heads, C / heads, N)
        gate = self.attn_lif(q.sum(3, keepdim=True))  # (T, B, heads, 1, N)
        return self.spikes_of("proj", (gate * k).flatten(2, 3)).view_as(x)


class Attention(Layers):
    """Spiking self-attention: Q (K^T V) of spikes, without softmax."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        for name in ("q", "k", "v"):
            self.add(name, nn.Conv1d(dim, dim, 1, bias=False))
        self.attn_lif = LIF(ATTENTION_THRESHOLD)
        self.add("proj", nn.Conv1d(dim, dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Integers (T, B, C, H, W) -> spikes of the same shape."""
        q, k, v = (self.spikes_of(name, x.flatten(3)) for name in ("q", "k", "v"))  # (T, B, C, N)
        mixed = self.attn_lif(spiking_self_attention(q, k, v, self.heads, ATTENTION_SCALE))
        return self.spikes_of("proj", mixed).view_as(x)


class MLP(Layers):
    """Two 1x1 convolutions with neurons behind each."""

    def __init__(self, dim: int, names: tuple[str, str]):
        super().__init__()
        self.names = names
        self.add(names[0], nn.Conv2d(dim, 4 * dim, 1))
        self.add(names[1], nn.Conv2d(4 * dim, dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Integers (T, B, C, H, W) -> spikes of the same shape."""
        return self.spikes_of(self.names[1], self.spikes_of(self.names[0], x))


class Block(nn.Module):
    """Attention, under the name it has in its stage, and MLP, both with a shortcut that adds spikes."""

    def __init__(self, config: Config, stage: int):
        super().__init__()
        dim, cifar = config.embed_dim // (4, 2, 1)[stage - 1], config.stem == "cifar"
        attention = TokenAttention if stage < 3 else Attention
        self.attention_name = "tssa" if stage < 3 else "ssa" if cifar else "attn"
        self.add_module(self.attention_name, attention(dim, config.heads))
        self.mlp = MLP(dim, ("mlp1", "mlp2") if cifar else ("fc1", "fc2"))

    def forward(self, x: Tensor) -> Tensor:
        """Integers (T, B, C, H, W) -> integers up to 2 larger."""
        x = x + self.get_submodule(self.attention_name)(x)
        return x + self.mlp(x)


class QKFormer(nn.Module):
    """Images (B, C, H, W) or frames of events (B, T, C, H, W) -> logits (B, classes)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim, cifar = config.embed_dim, config.stem == "cifar"
        stem, pooled = (CifarStem, "proj4") if cifar else (ImagenetStem, "proj3")
        self.patch_embed1 = stem(config.in_channels, dim // 4)
        self.patch_embed2 = StageEmbedding(dim // 4, dim // 2, pooled)
        self.patch_embed3 = StageEmbedding(dim // 2, dim, pooled)
        self.stage1, self.stage2, self.stage3 = (
            nn.ModuleList([Block(config, stage) for _ in range(depth)])
            for stage, depth in enumerate(config.depths, start=1)
        )
        self.head = nn.Linear(dim, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes).  Raises ModelError for images of another shape."""
        x = self.patch_embed1(steps_of(images, self.config), self.config.time_steps)  # (T, B, C / 4, H', W')
        for block in self.stage1:
            x = block(x)
        x = self.patch_embed2(x)  # (T, B, C / 2, H' / 2, W' / 2)
        for block in self.stage2:
            x = block(x)
        x = self.patch_embed3(x)  # (T, B, C, H' / 4, W' / 4)
        for block in self.stage3:
            x = block(x)
        return self.head(x.flatten(3).mean(3).mean(0))


def build(variant: str, **options: object) -> QKFormer:
    """The network with fresh weights; `options` replace fields of its Config.  Raises ModelError for bad ones."""
    return QKFormer(VARIANTS[variant].changed(name=f"qkformer_{variant}", **options))
