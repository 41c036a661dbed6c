"""Max-Former (Fang et al., NeurIPS 2025).

Early stages mix tokens with depthwise convolutions, and embeddings pool by the maximum, because neurons smooth.  Every
convolution has its neurons in front, and shortcuts add potentials; only the first convolution sees other numbers than
spikes.  Names of parameters as in the official code (bic-L/MaxFormer, 6ddd4cc).
"""

from collections.abc import Callable
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
    """The sizes of a Max-Former: `embed_dim` is that of the third stage, the first two have a quarter and a half.

    `stem` is "cifar" or "imagenet": how images become tokens, and how the first stages mix them.
    """

    embed_dim: int
    depths: tuple[int, int, int]
    heads: int
    stem: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_heads(self.heads, self.embed_dim)


def cifar(embed_dim: int, num_classes: int = 10) -> Config:
    """Sizes of a network for images of 32 pixels."""
    return Config(embed_dim=embed_dim, depths=(1, 1, 2), heads=8, stem="cifar", num_classes=num_classes, resolution=32)


def imagenet(embed_dim: int) -> Config:
    """Sizes of a network for images of 224 pixels, with 64 channels in a head."""
    return Config(
        embed_dim=embed_dim,
        depths=(1, 2, 7),
        heads=embed_dim // 64,
        stem="imagenet",
        num_classes=1000,
        resolution=224,
    )


VARIANTS = {
    "tiny": cifar(64),  # for tests, as is tiny_imagenet_stem: no published counterpart
    "cifar_4_384": cifar(384),
    "cifar100_4_384": cifar(384, num_classes=100),
    "tiny_imagenet_stem": imagenet(128).changed(num_classes=10, resolution=64),
    "10_384": imagenet(384),
    "10_512": imagenet(512),
    "10_768": imagenet(768),
}


class Embedding(nn.Module):
    """Neurons, a convolution and its norm.  Where the input is spikes already, its neurons are not used."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1):
        super().__init__()
        self.embed_lif = LIF()
        self.embed_conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
        self.embed_bn = nn.BatchNorm2d(out_channels)

    def of_spikes(self, spikes: Tensor) -> Tensor:
        """Potentials (T, B, C', H', W') of spikes, or of the images, (T, B, C, H, W)."""
        return each_step(spikes, self.embed_conv, self.embed_bn)

    def forward(self, x: Tensor) -> Tensor:
        """Potentials (T, B, C', H', W') of potentials (T, B, C, H, W)."""
        return self.of_spikes(self.embed_lif(x))


class CifarStem(nn.Module):
    """A convolution of the image, then a 3x3 and a 1x1 convolution of its spikes, added up."""

    def __init__(self, in_channels: int, dim: int):
        super().__init__()
        self.proj_conv = nn.Conv2d(in_channels, dim // 2, 3, padding=1, bias=False)
        self.proj_bn = nn.BatchNorm2d(dim // 2)
        self.embed1 = Embedding(dim // 2, dim)
        self.embed2 = Embedding(dim // 2, dim, kernel=1)

    def forward(self, x: Tensor, time_steps: int) -> Tensor:
        """(T or 1, B, 3, H, W) -> (T, B, C, H, W)."""
        x = repeat(each_step(x, self.proj_conv, self.proj_bn), time_steps)
        return self.embed1(x) + self.embed2(x)  # the neurons of both see the same and fire alike


class ImagenetStem(nn.Module):
    """Three 3x3 convolutions, the first two strided, and a 1x1 convolution of the spikes that the second one sees."""

    def __init__(self, in_channels: int, dim: int):
        super().__init__()
        self.embed1 = Embedding(in_channels, dim // 2, stride=2)
        self.embed2 = Embedding(dim // 2, dim, stride=2)
        self.embed3 = Embedding(dim, dim)
        self.embed4 = Embedding(dim // 2, dim, kernel=1, stride=2)

    def forward(self, x: Tensor, time_steps: int) -> Tensor:
        """(T or 1, B, 3, H, W) -> (T, B, C, H / 4, W / 4)."""
        spikes = self.embed2.embed_lif(repeat(self.embed1.of_spikes(x), time_steps))  # (T, B, C / 2, H / 2, W / 2)
        return self.embed3(self.embed2.of_spikes(spikes)) + self.embed4.of_spikes(spikes)


class PatchEmbedding(nn.Module):
    """Halves height and width by a pool of potentials, and doubles the channels; a 1x1 branch runs beside."""

    def __init__(self, in_channels: int, dim: int):
        super().__init__()
        self.max_embed1 = Embedding(in_channels, dim)
        self.embed1 = Embedding(dim, dim)
        self.max_embed2 = Embedding(in_channels, dim, kernel=1)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> (T, B, C', H / 2, W / 2)."""
        spikes = self.max_embed1.embed_lif(x)
        # the pools are of potentials, so they have to follow the norms, whose gains may be negative
        x = self.embed1(each_step(self.max_embed1.of_spikes(spikes), self.pool))
        return x + each_step(self.max_embed2.of_spikes(spikes), self.pool)


class DepthwiseMixer(nn.Module):
    """Neurons and a depthwise convolution; `name` is what the official code calls it."""

    def __init__(self, dim: int, kernel: int, name: str = "conv"):
        super().__init__()
        self.name = name
        self.add_module(f"{name}_neuron", LIF())
        self.add_module(name, nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(dim))

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        neuron, conv, bn = (self.get_submodule(self.name + suffix) for suffix in ("_neuron", "", "_bn"))
        return each_step(neuron(x), conv, bn)


class Attention(nn.Module):
    """Spiking self-attention: Q (K^T V) of spikes, without softmax."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.x_lif = LIF()
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
        spikes = self.x_lif(x.flatten(3))  # (T, B, C, N)
        q = self.q_lif(each_step(spikes, self.q_conv, self.q_bn))
        k = self.k_lif(each_step(spikes, self.k_conv, self.k_bn))
        v = self.v_lif(each_step(spikes, self.v_conv, self.v_bn))
        mixed = self.attn_lif(spiking_self_attention(q, k, v, self.heads, ATTENTION_SCALE))  # (T, B, C, N)
        return each_step(mixed, self.proj_conv, self.proj_bn).view_as(x)


class MLP(nn.Module):
    """Two 1x1 convolutions with neurons in front of each."""

    def __init__(self, dim: int):
        super().__init__()
        self.fc1_conv = nn.Conv2d(dim, 4 * dim, 1)
        self.fc1_bn = nn.BatchNorm2d(4 * dim)
        self.fc1_lif = LIF()
        self.fc2_conv = nn.Conv2d(4 * dim, dim, 1)
        self.fc2_bn = nn.BatchNorm2d(dim)
        self.fc2_lif = LIF()

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        x = each_step(self.fc1_lif(x), self.fc1_conv, self.fc1_bn)  # (T, B, 4C, H, W)
        return each_step(self.fc2_lif(x), self.fc2_conv, self.fc2_bn)


class Block(nn.Module):
    """A mixer of tokens, under the name it has in its stage, and an MLP, both with a shortcut of the potentials."""

    def __init__(self, dim: int, mixer_name: str = "", mixer: nn.Module | None = None):
        super().__init__()
        self.mixer_name = mixer_name
        if mixer is not None:
            self.add_module(mixer_name, mixer)
        self.mlp = MLP(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        if self.mixer_name:
            x = x + self.get_submodule(self.mixer_name)(x)
        return x + self.mlp(x)


class ThreeStages(nn.Module):
    """Images (B, C, H, W) or frames of events (B, T, C, H, W) -> logits (B, classes).

    `embeddings` stand in front of the three stages, `block(stage)` makes a block of stage 1, 2 or 3.
    """

    def __init__(self, config: Config, embeddings: tuple[nn.Module, ...], block: Callable[[int], nn.Module]):
        super().__init__()
        self.config = config
        self.patch_embed1, self.patch_embed2, self.patch_embed3 = embeddings
        self.stage1, self.stage2, self.stage3 = (
            nn.ModuleList([block(stage) for _ in range(depth)]) for stage, depth in enumerate(config.depths, start=1)
        )
        self.head_lif = LIF()
        self.head = nn.Linear(config.embed_dim, config.num_classes)

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
        spikes = self.head_lif(x.flatten(3).mean(3))  # (T, B, C)
        return self.head(spikes).mean(0)


class MaxFormer(ThreeStages):
    """Depthwise convolutions mix the tokens of the early stages, attention those of the last one."""

    def __init__(self, config: Config):
        dim = config.embed_dim
        stem = CifarStem if config.stem == "cifar" else ImagenetStem
        embeddings = (
            stem(config.in_channels, dim // 4),
            PatchEmbedding(dim // 4, dim // 2),
            PatchEmbedding(dim // 2, dim),
        )
        super().__init__(config, embeddings, lambda stage: _block(config, stage))


def _block(config: Config, stage: int) -> Block:
    dim, cifar = config.embed_dim // (4, 2, 1)[stage - 1], config.stem == "cifar"
    if stage == 3:
        return Block(dim, "attn", Attention(dim, config.heads))
    if stage == 2:
        return Block(dim, "mixer", DepthwiseMixer(dim, kernel=3 if cifar else 5))
    return Block(dim) if cifar else Block(dim, "mixer", DepthwiseMixer(dim, kernel=7, name="conv5"))


def build(variant: str, **options: object) -> MaxFormer:
    """The network with fresh weights; `options` replace fields of its Config.  Raises ModelError for bad ones."""
    return MaxFormer(VARIANTS[variant].changed(name=f"maxformer_{variant}", **options))
