"""Training images in random order, moved and mirrored at random; every random number comes from one generator."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from sviT_models.data import ImageSet
from sviT_models.training.recipe import Recipe


def batches(images: ImageSet, size: int, recipe: Recipe, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of exactly `size` images and labels in random order; the last images, too few for a batch, are left out.

    Each image is moved by up to `recipe.shift` pixels, and with `recipe.flip` mirrored with probability one half.
    """
    order = torch.randperm(len(images), generator=generator)
    for chosen in order[: len(images) // size * size].split(size):
        inputs = images.images[chosen]
        offsets = torch.randint(-recipe.shift, recipe.shift + 1, (size, 2), generator=generator)
        if recipe.flip:
            inputs = flipped(inputs, torch.randint(2, (size,), generator=generator).bool())
        yield shifted(inputs, offsets), images.labels[chosen]


def flipped(images: Tensor, which: Tensor) -> Tensor:
    """Images (B, ..., H, W), those with `which` (B,) mirrored left to right; all frames of one alike."""
    return torch.where(which.view(-1, *[1] * (images.ndim - 1)), images.flip(-1), images)


def shifted(images: Tensor, offsets: Tensor) -> Tensor:
    """Images (B, ..., H, W), each moved down and right by its `offsets` (B, 2); the border repeats its last pixel.

    All frames of a sample move alike.
    """
    if images.ndim == 5:
        together: Tensor = shifted(images.flatten(1, 2), offsets).unflatten(1, images.shape[1:3])
        return together
    _, channels, height, width = images.shape
    rows = (torch.arange(height) - offsets[:, :1]).clamp(0, height - 1)  # (B, H)
    columns = (torch.arange(width) - offsets[:, 1:]).clamp(0, width - 1)  # (B, W)
    moved = images.gather(2, rows[:, None, :, None].expand(-1, channels, -1, width))
    return moved.gather(3, columns[:, None, None, :].expand(-1, channels, height, -1))
