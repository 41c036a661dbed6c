"""Data sets whose images change over time, (N, T, C, H, W): kept as counts, handed out as float32."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.data.imageset import NORMALISED_BYTES, ImageSet, content_hash
from sviT_models.errors import ModelError

MOST_BYTES = 2**33  # of frames in memory
EXACT = 2**24  # float32 holds every whole number up to here


@dataclass(frozen=True, eq=False)
class FrameImages:
    """Frames that are kept as `values`, numbers (N, T, C, H, W), and become float32 whenever some are asked for."""

    values: NDArray[Any]

    @property
    def shape(self) -> Sequence[int]:
        """(N, T, C, H, W)."""
        return self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, chosen: slice | Tensor) -> Tensor:
        """The samples at a slice or at a tensor of positions, in that order."""
        picked = self.values[chosen if isinstance(chosen, slice) else chosen.numpy()]
        return torch.from_numpy(picked.astype(np.float32))

    def split(self, size: int) -> Iterator[Tensor]:
        """Batches of at most `size` samples in order."""
        return (self[begin : begin + size] for begin in range(0, len(self), size))


def from_frames(
    name: str,
    split: str,
    frames: NDArray[Any],
    labels: NDArray[np.int64],
    ids: Sequence[str],
    classes: Sequence[str],
) -> ImageSet:
    """An ImageSet of `frames` (N, T, C, H, W), which are not normalised: a count of events stays that number.

    Sets of more than 256 MiB in float32 are kept as they are given.
    """
    digest = content_hash(frames, labels, ids, classes, "frames as they are")
    kept = FrameImages(frames)
    images = kept if 4 * frames.size > NORMALISED_BYTES else kept[:]
    return ImageSet(name, split, images, torch.from_numpy(labels), tuple(ids), tuple(classes), digest)


def room(shape: Sequence[int], dtype: np.dtype[Any] | type, where: str) -> NDArray[Any]:
    """Zeros for frames of a data set. Raises ModelError, naming `where`, for more than 8 GiB."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > MOST_BYTES:
        raise ModelError(
            f"{where}: frames {tuple(shape)} take {size / 2**30:.1f} GiB; ask for fewer samples, fewer frames or a "
            f"lower resolution, up to {MOST_BYTES / 2**30:.0f} GiB"
        )
    return np.zeros(shape, dtype)


def check_values(frames: NDArray[Any], where: str) -> None:
    """Raises ModelError, naming `where` and the place, for values that float32 does not hold or that are no number."""
    largest = np.finfo(np.float32).max
    wrong = ~(np.abs(frames) <= largest) if frames.dtype.kind == "f" else (frames < 0) | (frames > EXACT)
    if wrong.any():
        place = tuple(map(int, np.argwhere(wrong)[0]))
        raise ModelError(f"{where}: holds {frames[place]} at {place}; expected finite numbers, or counts up to {EXACT}")
