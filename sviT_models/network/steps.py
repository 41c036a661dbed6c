"""Time as the axis in front: images become steps, and layers without memory see the steps folded into the batch."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.network.config import NetworkOptions, SteppedOptions

Network = TypeVar("Network", bound=nn.Module)


def each_step(x: Tensor, *layers: Callable[[Tensor], Tensor]) -> Tensor:
    """Every time step of `x` (T, B, ...) through `layers`, one after the other, which take (N, ...)."""
    folded = x.flatten(0, 1)  # (T * B, ...)
    for layer in layers:
        folded = layer(folded)
    return folded.unflatten(0, x.shape[:2])


def steps_of(images: Tensor, config: SteppedOptions) -> Tensor:
    """What the first layer sees: (1, B, C, H, W) of still images (B, C, H, W), or (T, B, C, H, W) of (B, T, C, H, W).

    A still image drives every step alike, so the layers in front of the first neuron need to see it once.
    Raises ModelError for another shape, for other channels, and for frames of another number of steps.
    """
    if images.ndim != 5:
        check_images(images, config)
        return images.unsqueeze(0)
    if images.shape[1] != config.time_steps or images.shape[2] != config.in_channels:
        expected = f"(batch, {config.time_steps}, {config.in_channels}, height, width)"
        raise ModelError(f"frames have shape {tuple(images.shape)}; {config.name} expects {expected}")
    return images.transpose(0, 1)


def repeat(x: Tensor, time_steps: int) -> Tensor:
    """(T, B, ...) of what `steps_of` gave, once it has passed the layers in front of the first neuron."""
    return x.expand(time_steps, *x.shape[1:])


def check_images(images: Tensor, config: NetworkOptions) -> None:
    """Raises ModelError unless `images` is (B, C, H, W) with the channels of the network."""
    if images.ndim != 4 or images.shape[1] != config.in_channels:
        expected = f"(batch, {config.in_channels}, height, width)"
        raise ModelError(f"images have shape {tuple(images.shape)}; expected {expected}")


def with_time_steps(model: Network, time_steps: int) -> Network:
    """The same network, sharing its weights, run for another number of steps; `model` itself stays as it is.

    model       a network whose `config` has `time_steps`
    time_steps  at least 1
    """
    changed = copy.copy(model)
    config: Any = model.config
    changed.config = replace(config, time_steps=time_steps)
    return changed
