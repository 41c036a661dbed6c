"""Spike-driven Transformer V2, "Meta-SpikeFormer" (Yao et al., ICLR 2024): the sizes of its networks."""

from __future__ import annotations

from sviT_models.network.meta_spikeformer import MetaSpikeFormer, ModelConfig

VARIANTS = {  # embedding sizes of the four stages
    "tiny": (16, 32, 64, 80),  # 0.9 M parameters, for tests and the demonstration (no published counterpart)
    "small": (32, 64, 128, 160),  # 3.5 M, twice as wide, for images of 32 px (no published counterpart)
    "8_256": (64, 128, 256, 360),  # 15.1 M, the smallest network of the paper (not in the official code)
    "8_384": (96, 192, 384, 480),  # 31.3 M, `metaspikformer_8_384` of the official code
    "8_512": (128, 256, 512, 640),  # 55.4 M, `metaspikformer_8_512`
    "8_768": (192, 384, 768, 960),  # 123.7 M, `metaspikformer_8_768`
}


def build(
    variant: str,
    num_classes: int = 1000,
    time_steps: int = 4,
    distilled: bool = False,
    heads: int = 8,
    attention_scale: float = 0.125,
    in_channels: int = 3,
) -> MetaSpikeFormer:
    """The network with fresh weights; the options are the fields of ModelConfig. Raises ModelError for bad ones."""
    sizes = (num_classes, time_steps, distilled, heads, attention_scale, in_channels)
    return MetaSpikeFormer(ModelConfig(f"sdtv2_{variant}", VARIANTS[variant], *sizes))
