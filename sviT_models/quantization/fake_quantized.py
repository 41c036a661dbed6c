"""The network with quantized weights in ordinary float arithmetic, for statistics and training of a quantized network.

Its results agree with the integer engine's up to the rounding of float32; what the engine has to equal bit for bit is
`sviT_models.engine.definition`.

A layer's output is `(input * codes) * scale + (bias + shift)` in that order: with spikes as input, the sum over integer
codes is exact in float32, whatever the order of summation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_network, lif_layers, with_time_steps
from sviT_models.measure.hooks import evaluating, watching
from sviT_models.network.config import time_steps_of
from sviT_models.network.layers import weight_of
from sviT_models.output import Output
from sviT_models.quantization.quantizers import FLOAT, QuantizedWeight
from sviT_models.quantization.weight_bank import WeightBank


def linear_map(module: nn.Module, weight: Tensor) -> Callable[[Tensor], Tensor]:
    """The convolution or linear layer `module` with another weight and without its bias."""
    if isinstance(module, nn.Conv2d):
        return lambda x: F.conv2d(x, weight, None, module.stride, module.padding, module.dilation, module.groups)
    if isinstance(module, nn.Conv1d):
        return lambda x: F.conv1d(x, weight, None, module.stride, module.padding, module.dilation, module.groups)
    return lambda x: F.linear(x, weight)


def _forward(module: nn.Module, weight: QuantizedWeight) -> Callable[[Tensor], Tensor]:
    dtype = weight_of(module).dtype
    apply = linear_map(module, weight.codes.to(dtype))
    scale, bias = weight.scale.to(dtype), weight.bias(module).to(dtype)

    def forward(x: Tensor) -> Tensor:
        out = apply(x)
        shape = (-1, *[1] * (out.ndim - 2)) if not isinstance(module, nn.Linear) else (-1,)
        return out * scale.view(shape) + bias.view(shape)

    return forward


@contextmanager
def quantized(model: nn.Module | Graph, weights: Mapping[str, QuantizedWeight]) -> Iterator[None]:
    """The network with the given integer weights; layers at 32 bits stay as they are, and nothing stays changed.

    model    a network, or the graph of one, that is changed meanwhile
    weights  integer weights by module path
    """
    network = as_network(model)
    changed = [(network.get_submodule(name), w) for name, w in weights.items() if w.bits != FLOAT]
    try:
        for module, weight in changed:
            module.forward = _forward(module, weight)
        yield
    finally:
        for module, _ in changed:
            module.__dict__.pop("forward", None)


def fake_quantized_run(
    model: nn.Module | Graph,
    bank: WeightBank,
    images: Tensor,
    weight_bits: Sequence[int],
    *,
    time_steps: int | None = None,
    batch_size: int | None = None,
) -> Output:
    """Logits and spikes of the network with `weight_bits` (L,) on `images` (N, 3, H, W).

    model       a network, or the graph of one; it stays as it is
    bank        the integers of its layers by width
    time_steps  time steps to run; default: the network's own
    batch_size  images in memory at a time; default: all

    Raises ModelError for another number of widths, or for a width that does not exist.
    """
    model, weights = as_network(model), bank.design(weight_bits)
    steps = time_steps or time_steps_of(model)
    timed = with_time_steps(model, steps)
    names = lif_layers(model)
    parameter = next(model.parameters())
    spikes = {name: np.zeros(steps, dtype=np.int64) for name in names}

    def count(name: str, _: Tensor, fired: Tensor) -> None:
        spikes[name] += fired.flatten(1).count_nonzero(dim=1).numpy(force=True)

    with quantized(model, weights), evaluating(model), watching(model, names, count):
        logits = [timed(part.to(parameter)) for part in images.split(batch_size or len(images))]
    return Output(torch.cat(logits).float().numpy(force=True), np.stack([spikes[name] for name in names]))
