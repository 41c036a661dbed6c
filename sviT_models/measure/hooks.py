"""Running a network to observe it: batches of bounded size, hooks that go away, and spike counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.network.meta_spikeformer import lif_layers

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

    `images` is (B, 3, H, W), or an iterable of such tensors or of single images (3, H, W).
    Raises ModelError for another shape, for a second resolution, and where there is no image.
    """
    parameter = next(model.parameters())
    shape: tuple[int, ...] | None = None
    for part in [images] if isinstance(images, Tensor) else images:
        batch = part if part.ndim == 4 else part.unsqueeze(0)
        if batch.ndim != 4 or batch.shape[1] != 3:
            raise ModelError(f"images have shape {tuple(part.shape)}; expected (batch, 3, height, width)")
        if len(batch) == 0:
            continue
        shape = shape or tuple(batch.shape[1:])
        if batch.shape[1:] != shape:
            raise ModelError(f"an image has shape {tuple(batch.shape[1:])} after one of {shape}; resize them alike")
        size = max(1, pixels // (shape[1] * shape[2]))
        yield from (piece.to(parameter) for piece in batch.split(size))
    if shape is None:
        raise ModelError("there are no images; expected at least one")


def spike_counts(model: nn.Module, images: Tensor | Iterable[Tensor]) -> tuple[list[str], np.ndarray]:
    """Names of the LIF layers and their spikes (layers, T) int64, summed over `images` (B, 3, H, W) and neurons."""
    names = lif_layers(model)
    counts: dict[str, np.ndarray] = {}

    def count(name: str, _: Tensor, spikes: Tensor) -> None:
        counts[name] = counts.get(name, 0) + spikes.flatten(1).count_nonzero(dim=1).numpy(force=True)

    with evaluating(model), watching(model, names, count):
        for batch in batches(model, images):
            model(batch)
    return names, np.stack([counts[name] for name in names])
