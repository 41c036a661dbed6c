"""Gradient sensitivity: what rounding one layer does to the loss, from one backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_network, weight_layers
from sviT_models.measure.hooks import PIXELS, batches
from sviT_models.network.layers import weight_of
from sviT_models.quantization.quantizers import FLOAT, QuantizedWeight
from sviT_models.quantization.weight_bank import WeightBank
from sviT_models.threads import one_thread


def _change(module: nn.Module, inputs: Tensor, delta: Tensor, shift: Tensor) -> Tensor:
    """What a change of weights and bias adds to the layer's output."""
    if isinstance(module, nn.Conv2d):
        return F.conv2d(inputs, delta, shift, module.stride, module.padding, module.dilation, module.groups)
    if isinstance(module, nn.Conv1d):
        return F.conv1d(inputs, delta, shift, module.stride, module.padding, module.dilation, module.groups)
    return F.linear(inputs, delta, shift)


def _difference(module: nn.Module, quantized: QuantizedWeight) -> tuple[Tensor, Tensor]:
    """Changes of weights and bias, in the dtype and on the device of the layer."""
    weight = weight_of(module).detach()
    return quantized.dequantized().to(weight) - weight, quantized.shift.to(weight)


def _add_scores(
    module: nn.Module, deltas: Sequence[tuple[Tensor, Tensor]], scores: NDArray[np.float64]
) -> torch.utils.hooks.RemovableHandle:
    """Let every backward pass through a layer add to `scores` what each change of its weights does."""

    def seen(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        x = inputs[0].detach()

        def score(gradient: Tensor) -> None:
            with torch.no_grad():
                for i, (delta, shift) in enumerate(deltas):
                    scores[i] += float((_change(module, x, delta, shift) * gradient).square().sum())

        if not output.requires_grad:  # the first layer starts the graph: its input and weights have no gradient
            output = output.detach().requires_grad_()
        output.register_hook(score)
        return output

    return module.register_forward_hook(seen)


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, without gradients of its parameters; both are as before afterwards."""
    wanted, training = [p.requires_grad for p in model.parameters()], model.training
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        for parameter, flag in zip(model.parameters(), wanted, strict=True):
            parameter.requires_grad_(flag)
        model.train(training)


@one_thread()
def fisher_scores(
    model: nn.Module | Graph,
    bank: WeightBank,
    images: Tensor | Iterable[Tensor],
    labels: Tensor | NDArray[np.integer],
    widths: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Diagonal Fisher score of every weight layer at every width: columns `layer, bits, score`, network order.

    model   a network, or the graph of one
    bank    the integers of its layers by width
    images  (N, 3, H, W), or an iterable of such batches
    labels  (N,) classes
    widths  widths [bit] to score

    The score is the sum over a layer's outputs of (gradient of the loss x change of the output)^2, mean over images;
    the loss is the cross-entropy with `labels` (N,), spikes have their surrogate gradient. Zero at 32 bits. One
    backward pass in batches; weights, mode and gradients are as before afterwards. `progress(done, total)` hears of
    the images.
    Raises ModelError where labels and images differ in number.
    """
    model, names = as_network(model), weight_layers(model)
    modules = {name: model.get_submodule(name) for name in names}
    rounded = [b for b in widths if b != FLOAT]
    deltas = {name: [_difference(module, bank.get(name, b)) for b in rounded] for name, module in modules.items()}
    scores = {name: np.zeros(len(rounded)) for name in names}
    truth = torch.as_tensor(labels).long()
    done = 0
    with frozen(model), ExitStack() as hooks:
        for name, module in modules.items():
            hooks.callback(_add_scores(module, deltas[name], scores[name]).remove)
        for batch in batches(model, images, PIXELS // 8):  # activations are kept until their gradient arrives
            part = truth[done : done + len(batch)]
            if len(part) == len(batch):
                with torch.enable_grad():
                    F.cross_entropy(model(batch), part, reduction="sum").backward()
            done += len(batch)
            if progress is not None:
                progress(done, len(truth))
    if done != len(truth):
        raise ModelError(f"labels have shape {tuple(truth.shape)}; expected ({done},), one for each image")
    rows = [
        {"layer": name, "bits": b, "score": 0.0 if b == FLOAT else scores[name][rounded.index(b)] / done}
        for name in names
        for b in widths
    ]
    return pd.DataFrame(rows, columns=["layer", "bits", "score"])
