"""Meta-SpikeFormer without spikes: the same layers with quantized ReLUs, which run once and keep no state.

A neuron that fires up to once in each of T steps gives one of T + 1 counts; a ReLU of ceil(log2(T + 1)) bits holds as
many, and Yan et al. (arXiv 2409.08290, 2024) compare spiking and quantized networks at this width. These networks have
no published counterpart.
"""

from __future__ import annotations

from torch import Tensor

from sviT_models.network.neuron import LIF, IntegerNeuron
from sviT_models.network.steps import with_time_steps
from sviT_models.zoo import sdtv2
from sviT_models.zoo.sdtv2 import MetaSpikeFormer, ModelConfig

VARIANTS = {name: sdtv2.VARIANTS[name] for name in ("tiny", "small")}


def activation_bits(time_steps: int) -> int:
    """The least bits that hold the counts 0 to `time_steps`: ceil(log2(T + 1))."""
    return time_steps.bit_length()


class QuantizedReluFormer(MetaSpikeFormer):
    """Meta-SpikeFormer with a quantized ReLU in the place of every neuron; its parameters have the same names.

    A ReLU of b bits gives round(x L / threshold) / L, clamped to 0 and 1, where L = 2^b - 1 and the threshold is that
    of the neuron it replaces. `time_steps` of the configuration is T of the spiking network whose bits it has.
    """

    as_built = False  # the steps of a network of LIF neurons mean nothing to it

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        levels = 2 ** activation_bits(config.time_steps) - 1
        for path, neuron in [(path, module) for path, module in self.named_modules() if isinstance(module, LIF)]:
            self.set_submodule(path, IntegerNeuron(levels, gain=levels / neuron.threshold))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of `images` (B, 3, H, W), in one pass. Raises ModelError for another shape."""
        return MetaSpikeFormer.forward(with_time_steps(self, 1), images)


def build(
    variant: str,
    num_classes: int = 1000,
    time_steps: int = 4,
    distilled: bool = False,
    heads: int = 8,
    attention_scale: float = 0.125,
    in_channels: int = 3,
) -> QuantizedReluFormer:
    """The network with fresh weights; the options are the fields of ModelConfig. Raises ModelError for bad ones."""
    sizes = (num_classes, time_steps, distilled, heads, attention_scale, in_channels)
    return QuantizedReluFormer(ModelConfig(f"sdtv2relu_{variant}", VARIANTS[variant], *sizes))
