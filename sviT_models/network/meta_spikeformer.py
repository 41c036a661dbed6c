"""Meta-SpikeFormer (SDTv2) as one module, and the names of its layers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.network.layers import Block, ConvBlock, DownSampling
from sviT_models.network.neuron import LIF
from sviT_models.network.steps import repeat, steps_of

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class ModelConfig:
    """What a network was built with; a checkpoint stores it.

    `heads` 8 and `attention_scale` 0.125 (whatever the head size) are those of the official networks. `distilled`
    adds the head that learnt from a teacher; the logits are then the mean of both heads.
    Raises ModelError for sizes that cannot make a network.
    """

    name: str
    embed_dims: tuple[int, int, int, int]
    num_classes: int = 1000
    time_steps: int = 4
    distilled: bool = False
    heads: int = 8
    attention_scale: float = 0.125
    in_channels: int = 3

    def __post_init__(self) -> None:
        for key in ("num_classes", "time_steps", "heads", "in_channels"):
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ModelError(f"{key} is {value!r}; expected an integer of at least 1")
        if not 0 < self.attention_scale < float("inf"):
            raise ModelError(f"attention_scale is {self.attention_scale!r}; expected a positive number")
        if len(self.embed_dims) != 4 or any(dim < 1 for dim in self.embed_dims) or self.embed_dims[0] % 2:
            raise ModelError(f"embed_dims is {self.embed_dims}; expected four positive sizes, the first one even")
        if any(dim % self.heads for dim in self.embed_dims[2:]):
            raise ModelError(f"heads is {self.heads}, which does not divide the embedding sizes {self.embed_dims[2:]}")


class MetaSpikeFormer(nn.Module):
    """Spike-driven Transformer V2 (Yao et al., ICLR 2024), its state_dict laid out as in the official checkpoints."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        d1, d2, d3, d4 = config.embed_dims
        transformer = (config.heads, config.attention_scale)
        self.downsample1_1 = DownSampling(config.in_channels, d1 // 2, kernel=7, stride=2, first=True)
        self.ConvBlock1_1 = nn.ModuleList([ConvBlock(d1 // 2)])
        self.downsample1_2 = DownSampling(d1 // 2, d1, kernel=3, stride=2)
        self.ConvBlock1_2 = nn.ModuleList([ConvBlock(d1)])
        self.downsample2 = DownSampling(d1, d2, kernel=3, stride=2)
        self.ConvBlock2_1 = nn.ModuleList([ConvBlock(d2)])
        self.ConvBlock2_2 = nn.ModuleList([ConvBlock(d2)])
        self.downsample3 = DownSampling(d2, d3, kernel=3, stride=2)
        self.block3 = nn.ModuleList([Block(d3, *transformer) for _ in range(6)])
        self.downsample4 = DownSampling(d3, d4, kernel=3, stride=1)
        self.block4 = nn.ModuleList([Block(d4, *transformer) for _ in range(2)])
        self.lif = LIF()
        self.head = nn.Linear(d4, config.num_classes)
        if config.distilled:
            self.head_kd = nn.Linear(d4, config.num_classes)

    def stages(self) -> Iterator[nn.Module]:
        """Everything between the image and the heads, in order; each maps (T, B, C, H, W) to (T, B, C', H', W')."""
        for child in self.children():
            if isinstance(child, nn.ModuleList):
                yield from child
            elif isinstance(child, DownSampling):
                yield child

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, C, H, W) or frames (B, T, C, H, W). Raises ModelError for another shape."""
        encoder, *stages = self.stages()
        x = repeat(encoder(steps_of(images, self.config)), self.config.time_steps)  # (T, B, C, H/2, W/2)
        for stage in stages:
            x = stage(x)
        spikes = self.lif(x.flatten(3).mean(3))  # (T, B, C)
        logits = self.head(spikes).mean(0)  # (B, classes)
        if not self.config.distilled:
            return logits
        return (logits + self.head_kd(spikes).mean(0)) / 2


def with_time_steps(model: Network, time_steps: int) -> Network:
    """The same network, sharing its weights, run for another number of steps; `model` itself stays as it is.

    model       a network whose `config` has `time_steps`: SDTv2, or another one of the zoo
    time_steps  at least 1
    """
    changed = copy.copy(model)
    changed.config = replace(model.config, time_steps=time_steps)
    return changed


def weight_layers(model: nn.Module) -> list[str]:
    """Module paths of the convolutions and linear layers in network order: 138, with a distillation head 139.

    model  the network, fused or not
    """
    return [name for name, layer in model.named_modules() if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear))]


def lif_layers(model: nn.Module) -> list[str]:
    """Module paths of the LIF layers in the order in which they fire: 77 in every network of the family.

    model  the network, fused or not
    """
    return [name for name, layer in model.named_modules() if isinstance(layer, LIF)]
