"""Running a network to observe it: batches of bounded size, hooks that go away, and spike counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_network
from sviT_models.network.neuron import Neuron

PIXELS = 4 * 224 * 224  # of images held at once; sdtv2_8_512 then needs about 1.5 GB at T=4


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every module is in its former mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def watching(model: nn.Module, names: Iterable[str], see: Callable[[str, Tensor, Tensor], None]) -> Iterator[None]:
    """Call `see(name, input, output)` whenever a named module has run; the hooks go when the context ends."""
    modules = dict(model.named_modules())
    hooks = [
        modules[name].register_forward_hook(lambda _, inputs, output, name=name: see(name, inputs[0], output))
        for name in names
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def batches(model: nn.Module, images: Tensor | Iterable[Tensor], pixels: int = PIXELS) -> Iterator[Tensor]:
    """Batches of images of one resolution, at most `pixels` large, in the dtype and on the device of the network.

    `images` is (B, C, H, W) with the channels of the network, or an iterable of such tensors or of single images
    (C, H, W); frames of events, (B, T, C, H, W), come as one tensor or as an iterable of such.
    Raises ModelError for another shape, for a second resolution, and where there is no image.
    """
    parameter = next(model.parameters())
    channels = getattr(getattr(model, "config", None), "in_channels", 3)
    shape: tuple[int, ...] | None = None
    for part in [images] if isinstance(images, Tensor) else images:
        batch = part.unsqueeze(0) if part.ndim == 3 else part
        if batch.ndim not in (4, 5) or batch.shape[-3] != channels:
            raise ModelError(f"images have shape {tuple(part.shape)}; expected (batch, {channels}, height, width)")
        if len(batch) == 0:
            continue
        shape = shape or tuple(batch.shape[1:])
        if batch.shape[1:] != shape:
            raise ModelError(f"an image has shape {tuple(batch.shape[1:])} after one of {shape}; resize them alike")
        size = max(1, pixels // (shape[-2] * shape[-1]))
        yield from (piece.to(parameter) for piece in batch.split(size))
    if shape is None:
        raise ModelError("there are no images; expected at least one")


def spike_counts(model: nn.Module | Graph, images: Tensor | Iterable[Tensor]) -> tuple[list[str], np.ndarray]:
    """Names of the neuron layers that fire, in module order, and what they fired on `images`, int64.

    model  a network, or the graph of one

    (layers, T) spikes in every step, summed over images and neurons.  Of a network with integer spikes
    (layers, levels + 1): how many elements had each level.  `images` as in `batches`.
    """
    model = as_network(model)
    names = [name for name, module in model.named_modules() if isinstance(module, Neuron)]
    modules = dict(model.named_modules())
    counts: dict[str, np.ndarray] = {}

    def count(name: str, _: Tensor, output: Tensor) -> None:
        neuron = modules[name]
        assert isinstance(neuron, Neuron)
        counts[name] = counts.get(name, 0) + neuron.counts(output).numpy(force=True)

    with evaluating(model), watching(model, names, count):
        for batch in batches(model, images):
            model(batch)
    firing = [name for name in names if name in counts]
    return firing, np.stack([counts[name] for name in firing])
