"""MS-QKFormer: QKFormer (Zhou et al., NeurIPS 2024) with neurons in front and shortcuts that add potentials.

Published with Max-Former (Fang et al., NeurIPS 2025), whose blocks it shares; the first two stages let a bit per token
and head gate the keys.  Names of parameters as in the official code (bic-L/MaxFormer, 6ddd4cc).
"""

from dataclasses import dataclass, fields

from torch import Tensor, nn

from sviT_models.network.attention import by_head
from sviT_models.network.neuron import LIF
from sviT_models.network.steps import each_step, repeat
from sviT_models.zoo import maxformer
from sviT_models.zoo.maxformer import ATTENTION_THRESHOLD, Block, Embedding


@dataclass(frozen=True, kw_only=True)
class Config(maxformer.Config):
    """As of Max-Former, with the same number of heads in every stage."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_heads(self.heads, self.embed_dim // 4, self.embed_dim // 2, self.embed_dim)


def _of(config: maxformer.Config) -> Config:
    return Config(**{field.name: getattr(config, field.name) for field in fields(config)})


VARIANTS = {
    "tiny": _of(maxformer.cifar(64)),  # for tests, as is tiny_imagenet_stem: no published counterpart
    "cifar_4_384": _of(maxformer.cifar(384)),
    "tiny_imagenet_stem": _of(maxformer.imagenet(128).changed(num_classes=10, resolution=64)),
    "10_384": _of(maxformer.imagenet(384)),
    "10_512": _of(maxformer.imagenet(512)),
    "10_768": _of(maxformer.imagenet(768)),
}


class ImagenetStem(nn.Module):
    """Three 3x3 convolutions, the first two with a pool, and a 1x1 convolution of the spikes of the first one."""

    def __init__(self, in_channels: int, dim: int):
        super().__init__()
        self.proj_conv = nn.Conv2d(in_channels, dim // 2, 3, padding=1, bias=False)
        self.proj_bn = nn.BatchNorm2d(dim // 2)
        self.proj_lif1 = LIF()
        self.proj_conv1 = nn.Conv2d(dim // 2, dim, 3, padding=1, bias=False)
        self.proj_bn1 = nn.BatchNorm2d(dim)
        self.proj_lif2 = LIF()
        self.proj_conv2 = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.proj_bn2 = nn.BatchNorm2d(dim)
        self.rpe_conv = nn.Conv2d(dim // 2, dim, 1, stride=2, bias=False)
        self.rpe_bn = nn.BatchNorm2d(dim)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)  # of potentials: behind the norms, whose gains may be negative

    def forward(self, x: Tensor, time_steps: int) -> Tensor:
        """(T or 1, B, 3, H, W) -> (T, B, C, H / 4, W / 4)."""
        x = repeat(each_step(x, self.proj_conv, self.proj_bn, self.pool), time_steps)
        spikes = self.proj_lif1(x)  # (T, B, C / 2, H / 2, W / 2)
        x = self.proj_lif2(each_step(spikes, self.proj_conv1, self.proj_bn1, self.pool))
        return each_step(x, self.proj_conv2, self.proj_bn2) + each_step(spikes, self.rpe_conv, self.rpe_bn)


class CifarPatchEmbedding(nn.Module):
    """Two 3x3 convolutions, a pool behind the second one, and a strided 1x1 branch beside."""

    def __init__(self, in_channels: int, dim: int):
        super().__init__()
        self.embed1 = Embedding(in_channels, dim)
        self.max_embed1 = Embedding(dim, dim)
        self.embed2 = Embedding(in_channels, dim, kernel=1, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> (T, B, C', H / 2, W / 2)."""
        spikes = self.embed1.embed_lif(x)
        x = each_step(self.max_embed1(self.embed1.of_spikes(spikes)), self.pool)
        return x + self.embed2.of_spikes(spikes)


class ImagenetPatchEmbedding(nn.Module):
    """Two 3x3 convolutions, a pool behind the first one, and a strided 1x1 branch beside."""

    def __init__(self, in_channels: int, dim: int):
        super().__init__()
        self.init_lif = LIF()
        self.proj3_conv = nn.Conv2d(in_channels, dim, 3, padding=1, bias=False)
        self.proj3_bn = nn.BatchNorm2d(dim)
        self.proj3_lif = LIF()
        self.proj4_conv = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.proj4_bn = nn.BatchNorm2d(dim)
        self.proj_res_conv = nn.Conv2d(in_channels, dim, 1, stride=2, bias=False)
        self.proj_res_bn = nn.BatchNorm2d(dim)
        self.proj_res_lif = LIF()  # never fires
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> (T, B, C', H / 2, W / 2)."""
        spikes = self.init_lif(x)
        x = self.proj3_lif(each_step(spikes, self.proj3_conv, self.proj3_bn, self.pool))
        return each_step(x, self.proj4_conv, self.proj4_bn) + each_step(spikes, self.proj_res_conv, self.proj_res_bn)


class TokenAttention(nn.Module):
    """Token QK attention: the keys of a token pass in a head where enough channels of its query fire."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q_conv = nn.Conv1d(dim, dim, 1, bias=False)
        self.q_bn = nn.BatchNorm1d(dim)
        self.q_lif = LIF()
        self.k_conv = nn.Conv1d(dim, dim, 1, bias=False)
        self.k_bn = nn.BatchNorm1d(dim)
        self.k_lif = LIF()
        self.attn_lif = LIF(ATTENTION_THRESHOLD)
        self.proj_conv = nn.Conv1d(dim, dim, 1)
        self.proj_bn = nn.BatchNorm1d(dim)
        self.proj_lif = LIF()  # fires first: q and k see its spikes

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> the same shape."""
        spikes = self.proj_lif(x.flatten(3))  # (T, B, C, N)
        q = by_head(self.q_lif(each_step(spikes, self.q_conv, self.q_bn)), self.heads)  # (T, B, heads, C / heads, N)
        k = by_head(self.k_lif(each_step(spikes, self.k_conv, self.k_bn)), self.heads)
        gate = self.attn_lif(q.sum(3, keepdim=True))  # (T, B, heads, 1, N)
        return each_step((gate * k).flatten(2, 3), self.proj_conv, self.proj_bn).view_as(x)


class MsQkFormer(maxformer.ThreeStages):
    """A bit per token and head gates the keys of the early stages; attention mixes the tokens of the last one."""

    def __init__(self, config: Config):
        dim, heads, cifar = config.embed_dim, config.heads, config.stem == "cifar"
        stem = maxformer.CifarStem if cifar else ImagenetStem
        embedding = CifarPatchEmbedding if cifar else ImagenetPatchEmbedding
        embeddings = (stem(config.in_channels, dim // 4), embedding(dim // 4, dim // 2), embedding(dim // 2, dim))
        mixers = (
            lambda: TokenAttention(dim // 4, heads),
            lambda: TokenAttention(dim // 2, heads),
            lambda: maxformer.Attention(dim, heads),
        )
        widths = (dim // 4, dim // 2, dim)
        super().__init__(config, embeddings, lambda stage: Block(widths[stage - 1], "attn", mixers[stage - 1]()))


def build(variant: str, **options: object) -> MsQkFormer:
    """The network with fresh weights; `options` replace fields of its Config.  Raises ModelError for bad ones."""
    return MsQkFormer(VARIANTS[variant].changed(name=f"ms_qkformer_{variant}", **options))
