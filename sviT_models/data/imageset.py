"""Images with labels, names and a content hash: what every data set of this package comes as."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.errors import ModelError

SPLITS = ("train", "validation", "search", "verify")
SPLIT_SEED = 0  # which image belongs to which split never changes
NORMALISED_BYTES = 2**28  # of float32 training images in memory; more are normalised batch by batch
HASHED_TOGETHER = 1024  # images
TURNS = ("search", "verify", "validation", "verify", "search", "verify", "search")  # of data without splits


class Images(Protocol):
    """What a tensor of images and images that stay on disk have in common."""

    @property
    def shape(self) -> Sequence[int]:
        """(N, 3, H, W), or (N, T, C, H, W)."""

    def __len__(self) -> int: ...

    def __getitem__(self, chosen: slice | Tensor) -> Tensor: ...

    def split(self, size: int) -> Sequence[Tensor] | Iterator[Tensor]:
        """Batches of at most `size` images in order."""


@dataclass(frozen=True)
class ImageSet:
    """A split of a data set, or a part of it; every prefix holds the classes in proportion.

    `images` is float32 (N, 3, H, W), normalised: a tensor, a `FileImages` where the pixels stay on disk, or a
    `PixelImages` of many training images. Of data that change over time it is (N, T, C, H, W), a tensor or a
    `FrameImages`. `labels` is int64 (N,), an index into `classes`. `ids` name the images.
    `sha256` covers pixels (or files), labels, ids and normalisation. `corrupt` lists the files that were left out
    because they cannot be decoded.
    """

    name: str
    split: str
    images: Images
    labels: Tensor
    ids: tuple[str, ...]
    classes: tuple[str, ...]
    sha256: str
    corrupt: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def frames(self) -> int | None:
        """How many frames a sample has, T; None of still images."""
        return self.images.shape[1] if len(self.images.shape) == 5 else None

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (B, 3, H, W), or frames (B, T, C, H, W), and labels (B,) in order.

        Raises ModelError for a size below 1.
        """
        if size < 1:
            raise ModelError(f"batch size is {size}; expected at least 1")
        return zip(self.images.split(size), self.labels.split(size), strict=True)


@dataclass(frozen=True)
class Normalisation:
    """Per-channel `mean` and `std` of images in [0, 1]: pixels become (pixel / 255 - mean) / std."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(..., 3, H, W) in 0..255 -> float32 of the same shape."""
        mean, std = (np.array(value, np.float32)[:, None, None] for value in (self.mean, self.std))
        values = pixels.astype(np.float32)  # by numpy, so that loading does not compete for torch's threads
        values /= np.float32(255)
        values -= mean
        values /= std
        return values


CENTRED = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # [0, 1] -> [-1, 1], for the embedded sets
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # the official evaluation transform's


@dataclass(frozen=True, eq=False)
class PixelImages:
    """Images that are kept as `pixels`, uint8 (N, 3, H, W), and normalised whenever some are asked for."""

    pixels: NDArray[np.uint8]
    normalisation: Normalisation

    @property
    def shape(self) -> Sequence[int]:
        """(N, 3, H, W)."""
        return self.pixels.shape

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, chosen: slice | Tensor) -> Tensor:
        """The images at a slice or at a tensor of positions, in that order."""
        picked = self.pixels[chosen if isinstance(chosen, slice) else chosen.numpy()]
        return torch.from_numpy(self.normalisation(np.ascontiguousarray(picked)))

    def split(self, size: int) -> Iterator[Tensor]:
        """Batches of at most `size` images in order."""
        return (self[begin : begin + size] for begin in range(0, len(self), size))


def from_pixels(
    name: str,
    split: str,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    ids: Sequence[str],
    classes: Sequence[str],
    normalisation: Normalisation,
) -> ImageSet:
    """An ImageSet of `pixels` (N, 3, H, W); its hash is that of the integers, so it does not depend on rounding.

    `pixels` may be a view that repeats one channel. Training images of more than 256 MiB in float32 are kept as pixels.
    """
    digest = content_hash(pixels, labels, ids, classes, repr(normalisation))
    kept = PixelImages(pixels, normalisation)
    images = kept if split == "train" and 4 * pixels.size > NORMALISED_BYTES else kept[:]
    targets = torch.from_numpy(labels.astype(np.int64))
    return ImageSet(name, split, images, targets, tuple(ids), tuple(classes), digest)


def content_hash(
    values: NDArray[Any], labels: NDArray[np.int64], ids: Sequence[str], classes: Sequence[str], preparation: str
) -> str:
    """SHA-256 in hexadecimal of everything that a measurement on these images can depend on."""
    digest = hashlib.sha256(repr((values.dtype.str, values.shape, preparation, tuple(classes), tuple(ids))).encode())
    for begin in range(0, len(values), HASHED_TOGETHER):  # copies of views stay small
        digest.update(np.ascontiguousarray(values[begin : begin + HASHED_TOGETHER]).data)
    digest.update(labels.astype("<i8").data)
    return digest.hexdigest()


def stratified_order(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """A permutation of the indices of `labels` (N,) in which every prefix holds each class in proportion.

    The k-th image of a class of n stands at (k + 1/2) / n of the way, so a prefix of length m has about m n / N images
    of it: the error is below one plus half the number of classes. A subset of m images is the first m, and so lies
    inside every larger one.
    """
    rng = np.random.default_rng(seed)
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        position[members] = (rng.permutation(len(members)) + 0.5) / len(members)
    return np.lexsort((rng.permutation(len(labels)), position))


def first(order: NDArray[np.int64], count: int | None, what: str) -> NDArray[np.int64]:
    """The first `count` entries of `order`, all for None. Raises ModelError, naming `what`, when it has fewer."""
    if count is None:
        return order
    if count < 1:
        raise ModelError(f"{what}: count is {count}; expected at least 1 image")
    if count > len(order):
        raise ModelError(f"{what}: asked for {count} images, there are {len(order)}; ask for at most that many")
    return order[:count]


def evaluation_members(labels: NDArray[np.int64], split: str, where: str, remedy: str) -> NDArray[np.int64]:
    """Indices that `split` has of data that come without splits: in every class, images are dealt out in turn.

    Nothing goes to train, because nobody knows what the network has been trained on. Raises ModelError for train and
    for a split that gets no image, naming `where` and the `remedy`.
    """
    if split == "train":
        raise ModelError(f"{where}: has no split 'train'; to train on it, give it {remedy}")
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turn[members] = np.random.default_rng(SPLIT_SEED).permutation(len(members)) % len(TURNS)
    members = np.flatnonzero(np.array(TURNS)[turn] == split)
    if len(members) == 0:
        raise ModelError(f"{where}: {len(labels)} images are too few for a split {split!r}; give at least 3 per class")
    return members


def loader_speed(images: ImageSet, size: int) -> float:
    """Images per second that `batches(size)` delivers to a consumer that does nothing else.

    images  the images to deliver
    size    images in a batch
    """
    started = time.perf_counter()
    for _ in images.batches(size):
        pass
    return len(images) / (time.perf_counter() - started)
