"""Spike-driven Transformer (Yao et al., NeurIPS 2023): its attention masks spikes and multiplies no matrices.

Every convolution has its neurons in front, and shortcuts add potentials; only the first convolution sees other numbers
than spikes.  Names of parameters as in the official code (BICLab/Spike-Driven-Transformer, 3faa822).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from sviT_models.network.attention import by_head
from sviT_models.network.config import SpikingConfig
from sviT_models.network.neuron import LIF
from sviT_models.network.steps import each_step, repeat, steps_of

ATTENTION_THRESHOLD = 0.5


@dataclass(frozen=True, kw_only=True)
class Config(SpikingConfig):
    """The sizes of a Spike-driven Transformer.

    `pooled` says which of the stem's four convolutions have a pool behind them.  `heads` changes nothing but with
    `events`, where pools run over the channels of a head.
    """

    embed_dim: int
    depth: int
    heads: int = 8
    pooled: tuple[bool, bool, bool, bool]
    events: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_heads(self.heads, self.embed_dim)


def cifar(embed_dim: int, depth: int, num_classes: int = 10) -> Config:
    """Sizes of a network for images of 32 pixels."""
    pooled = (False, False, True, True)
    return Config(embed_dim=embed_dim, depth=depth, pooled=pooled, num_classes=num_classes, resolution=32)


def imagenet(embed_dim: int, depth: int) -> Config:
    """Sizes of a network for images of 224 pixels."""
    return Config(embed_dim=embed_dim, depth=depth, pooled=(True,) * 4, num_classes=1000, resolution=224)


VARIANTS = {
    "tiny": cifar(64, 2),  # for tests: no published counterpart
    # for training on one processor core, a step costs a third of cifar(128, 2)'s: no published counterpart
    "small": cifar(128, 2).changed(pooled=(True, True, True, False)),
    "cifar_2_256": cifar(256, 2),
    "cifar_2_512": cifar(512, 2),
    "cifar100_2_512": cifar(512, 2, num_classes=100),
    "8_384": imagenet(384, 8),
    "6_512": imagenet(512, 6),
    "8_512": imagenet(512, 8),
    "10_512": imagenet(512, 10),
    "8_768": imagenet(768, 8),
    # events: ON and OFF; 16 steps are assumed
    "cifar10dvs_2_256": cifar(256, 2).changed(in_channels=2, resolution=64, time_steps=16, events=True),
}


class PatchEmbedding(nn.Module):
    """Four 3x3 convolutions with neurons behind them, and a fifth whose result adds to the potentials of the fourth."""

    def __init__(self, config: Config):
        super().__init__()
        dim = config.embed_dim
        self.pooled = config.pooled
        self.proj_conv = nn.Conv2d(config.in_channels, dim // 8, 3, padding=1, bias=False)
        self.proj_bn = nn.BatchNorm2d(dim // 8)
        self.proj_lif = LIF()
        self.proj_conv1 = nn.Conv2d(dim // 8, dim // 4, 3, padding=1, bias=False)
        self.proj_bn1 = nn.BatchNorm2d(dim // 4)
        self.proj_lif1 = LIF()
        self.proj_conv2 = nn.Conv2d(dim // 4, dim // 2, 3, padding=1, bias=False)
        self.proj_bn2 = nn.BatchNorm2d(dim // 2)
        self.proj_lif2 = LIF()
        self.proj_conv3 = nn.Conv2d(dim // 2, dim, 3, padding=1, bias=False)
        self.proj_bn3 = nn.BatchNorm2d(dim)
        self.proj_lif3 = LIF()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.rpe_conv = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.rpe_bn = nn.BatchNorm2d(dim)
        self.rpe_lif = LIF()  # never fires

    def forward(self, x: Tensor, time_steps: int) -> Tensor:
        """(T or 1, B, 3, H, W) -> (T, B, C, H', W'), H and W halved by every pool."""
        x = repeat(each_step(x, self.proj_conv, self.proj_bn), time_steps)
        x = self.shrink(0, self.proj_lif(x))
        x = self.shrink(1, self.proj_lif1(each_step(x, self.proj_conv1, self.proj_bn1)))
        x = self.shrink(2, self.proj_lif2(each_step(x, self.proj_conv2, self.proj_bn2)))
        # the last pool is one of potentials, so it has to follow the norm, whose gain may be negative
        x = self.shrink(3, each_step(x, self.proj_conv3, self.proj_bn3))
        return x + each_step(self.proj_lif3(x), self.rpe_conv, self.rpe_bn)

    def shrink(self, i: int, x: Tensor) -> Tensor:
        """`x` behind the pool of convolution `i`, where it has one."""
        return each_step(x, self.pool) if self.pooled[i] else x


def dilated(x: Tensor) -> Tensor:
    """The maximum over 3x3 neighbours in the last two axes of spikes (T, B, ..., M, N), its shape kept."""
    return F.max_pool2d(x.flatten(0, -3), 3, stride=1, padding=1).view_as(x)


class QKVAttention(nn.Module):
    """What the attentions of this family and of STAtten hold: the parameters and neurons of q, k, v and proj."""

    def __init__(self, config: Config):
        super().__init__()
        dim = config.embed_dim
        self.config = config
        self.q_conv = nn.Conv2d(dim, dim, 1, bias=False)
        self.q_bn = nn.BatchNorm2d(dim)
        self.q_lif = LIF()
        self.k_conv = nn.Conv2d(dim, dim, 1, bias=False)
        self.k_bn = nn.BatchNorm2d(dim)
        self.k_lif = LIF()
        self.v_conv = nn.Conv2d(dim, dim, 1, bias=False)
        self.v_bn = nn.BatchNorm2d(dim)
        self.v_lif = LIF()
        self.attn_lif = LIF(ATTENTION_THRESHOLD)
        self.talking_heads = nn.Conv1d(config.heads, config.heads, 1, bias=False)  # in the checkpoints, never used
        self.talking_heads_lif = LIF(ATTENTION_THRESHOLD)
        self.proj_conv = nn.Conv2d(dim, dim, 1)
        self.proj_bn = nn.BatchNorm2d(dim)
        self.shortcut_lif = LIF()  # declared last, fires first

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        spikes = self.shortcut_lif(x)
        q = self.q_lif(each_step(spikes, self.q_conv, self.q_bn))
        k = self.k_lif(each_step(spikes, self.k_conv, self.k_bn))
        v = self.v_lif(each_step(spikes, self.v_conv, self.v_bn))
        return each_step(self.mix(q, k, v), self.proj_conv, self.proj_bn)

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Spikes of the tokens after they have seen each other, all (T, B, C, H, W)."""
        raise NotImplementedError


class Attention(QKVAttention):
    """Spike-driven self-attention: a channel of q passes where k and v of that channel meet at some token.

    `attn_lif` never fires.
    """

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """q AND one bit per channel."""
        if self.config.events:
            return self.mix_events(q, k, v)
        meetings = (k * v).sum((3, 4), keepdim=True)  # (T, B, C, 1, 1): tokens where both fire
        return q * self.talking_heads_lif(meetings)

    def mix_events(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The same for events, with spikes dilated: those of k and v over pixels, the others over tokens and channels.

        The pooled axes of the products are the tokens and the channels of a head, as the official code has it.
        """
        heads, height_width = self.config.heads, q.shape[3:]
        q, k, v = (by_head(x.flatten(3), heads) for x in (q, dilated(k), dilated(v)))  # (T, B, heads, C / heads, N)
        meetings = dilated(k * v).sum(4, keepdim=True)
        mixed = dilated(q * self.talking_heads_lif(meetings))
        return mixed.flatten(2, 3).unflatten(3, height_width)


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
    """Attention and MLP, both with a shortcut of the potentials."""

    def __init__(self, config: Config, attention: Callable[[Config], nn.Module]):
        super().__init__()
        self.attn = attention(config)
        self.mlp = MLP(config.embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        x = x + self.attn(x)
        return x + self.mlp(x)


class SpikeDrivenTransformer(nn.Module):
    """Images (B, C, H, W) or frames of events (B, T, C, H, W) -> logits (B, classes)."""

    def __init__(self, config: Config, attention: Callable[[Config], nn.Module] = Attention):
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbedding(config)
        self.block = nn.ModuleList([Block(config, attention) for _ in range(config.depth)])
        self.head_lif = LIF()
        self.head = nn.Linear(config.embed_dim, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes).  Raises ModelError for images of another shape."""
        x = self.patch_embed(steps_of(images, self.config), self.config.time_steps)  # (T, B, C, H', W')
        for block in self.block:
            x = block(x)
        spikes = self.head_lif(x.flatten(3).mean(3))  # (T, B, C)
        return self.head(spikes).mean(0)


def build(variant: str, **options: object) -> SpikeDrivenTransformer:
    """The network with fresh weights; `options` replace fields of its Config.  Raises ModelError for bad ones."""
    return SpikeDrivenTransformer(VARIANTS[variant].changed(name=f"sdtv1_{variant}", **options))
