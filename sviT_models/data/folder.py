"""ImageNet-style folders: one folder per class, decoded by Pillow and prepared by the official evaluation transform."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sviT_models.data.class_folders import TRAINING, listing, root_of, shown
from sviT_models.data.imageset import (
    IMAGENET,
    ImageSet,
    evaluation_members,
    first,
    stratified_order,
)
from sviT_models.errors import ModelError

RESOLUTION = 224
RESIZED = 256  # the shorter side before the crop, for a crop of 224
MEMORY = 2 * 2**30
THREADS = 4  # that decode; Pillow works outside of Python's lock
SHOWN = 3  # corrupt files that a message names
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes of grey values from 0 to 65535
SIXTEEN_BIT_FORMATS = ("PNG", "PPM")  # whose 32-bit mode only ever holds such values

Item = TypeVar("Item")
Result = TypeVar("Result")


def load(
    path: Path, split: str, count: int | None, seed: int, resolution: int | None, max_corrupt: float, memory: int
) -> ImageSet:
    """A split of the images under `path`.

    `path` holds one folder per class, in sorted order, or the images themselves with their ground-truth file; they are
    shared out among validation, search and verify. With a folder `train` beside one called `val`, `validation` or
    `test`, the split train is the former, and the latter is shared out. Corrupt files are not replaced by others, so
    the split is shorter by them. Raises ModelError for anything else, and for more than `max_corrupt` (share) of
    corrupt files.
    """
    if not 0 <= max_corrupt <= 1:
        raise ModelError(f"max_corrupt is {max_corrupt!r}; expected a share from 0 to 1")
    root = root_of(path, split)
    classes, files, labels = listing(root)
    if split == "train" and root != path:
        members = np.arange(len(files))
    else:
        members = evaluation_members(labels, split, str(path), f"a folder {TRAINING!r} beside one called 'val'")
    chosen = members[first(stratified_order(labels[members], seed), count, f"{path}, split {split}")]
    side = resolution or RESOLUTION
    keep = len(chosen) * 3 * side * side * 4 <= memory
    checked = list(_in_order(lambda index: _checked(files[index], side, keep), chosen, ahead=4 * THREADS))
    corrupt = tuple(shown(files[index]) for index, found in zip(chosen, checked, strict=True) if found is None)
    if len(corrupt) > max_corrupt * len(chosen):
        names = ", ".join(corrupt[:SHOWN]) + (", ..." if len(corrupt) > SHOWN else "")
        raise ModelError(
            f"{path}: {len(corrupt)} of {len(chosen)} images cannot be decoded ({names}); replace them or raise "
            f"max_corrupt, which is {max_corrupt:g}"
        )
    good = [(index, found) for index, found in zip(chosen, checked, strict=True) if found is not None]
    if not good:
        raise ModelError(f"{path}, split {split}: no image is left, all {len(chosen)} are corrupt")
    kept = np.array([index for index, _ in good])
    ids = [shown(files[index].relative_to(path)) for index in kept]
    digest = hashlib.sha256(repr((side, IMAGENET, classes, ids, labels[kept].tolist())).encode())
    for _, found in good:
        digest.update(found.digest)
    on_disk = FileImages(tuple(files[index] for index in kept), side)
    pixels = [found.pixels for _, found in good if found.pixels is not None]
    images = torch.from_numpy(IMAGENET(np.stack(pixels))) if keep else on_disk
    targets = torch.from_numpy(labels[kept])
    return ImageSet(shown(path), split, images, targets, tuple(ids), classes, digest.hexdigest(), corrupt)


def evaluation_transform(image: Image.Image, resolution: int = RESOLUTION) -> NDArray[np.uint8]:
    """Pixels (3, R, R) of the official evaluation transform, before they are scaled to [0, 1] and normalised.

    The shorter side becomes 256 / 224 of R and the longer one keeps the proportions, both rounded down, by bicubic
    interpolation with antialiasing; then the centre is cropped. This is torchvision's Resize and CenterCrop on RGB.
    Grey values of 16 bits are brought to 8 first. Raises ModelError for pixels whose range the file does not state.
    """
    image = _eight_bits(image).convert("RGB")
    short = RESIZED * resolution // RESOLUTION
    width, height = image.size
    if width <= height:
        size = (short, int(short * height / width))
    else:
        size = (int(short * width / height), short)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (round((extent - resolution) / 2) for extent in size)  # halves to even, like torchvision
    return np.asarray(image.crop((left, top, left + resolution, top + resolution))).transpose(2, 0, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image with 8 bits per channel: Pillow's own conversion cuts wider values off at 255."""
    if image.mode in SIXTEEN_BITS or (image.mode == "I" and image.format in SIXTEEN_BIT_FORMATS):
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        held = "32-bit integers" if image.mode == "I" else "floating-point numbers"
        raise ModelError(f"its pixels are {held}, whose range no file states; store 8 or 16 bits per channel")
    return image


@dataclass(frozen=True)
class FileImages:
    """Images that stay on disk: float32 (N, 3, R, R) batches, decoded by threads while the last one is in use."""

    files: tuple[Path, ...]
    resolution: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, 3, R, R)."""
        return len(self.files), 3, self.resolution, self.resolution

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, chosen: slice | Tensor) -> Tensor:
        """The images of a slice, or of indices (n,)."""
        files = self.files[chosen] if isinstance(chosen, slice) else [self.files[index] for index in chosen.tolist()]
        return torch.cat([torch.empty(0, *self.shape[1:]), *self._batches(files, 4 * THREADS)])

    def __iter__(self) -> Iterator[Tensor]:
        """Single images (3, R, R)."""
        return (image for batch in self.split(4 * THREADS) for image in batch)

    def part(self, chosen: slice | Tensor | np.ndarray) -> FileImages:
        """The images of a slice, or of indices (n,); they stay on disk."""
        if isinstance(chosen, slice):
            return FileImages(self.files[chosen], self.resolution)
        return FileImages(tuple(self.files[index] for index in chosen.tolist()), self.resolution)

    def split(self, size: int) -> Iterator[Tensor]:
        """Batches of at most `size` images in order."""
        return self._batches(self.files, size)

    def _batches(self, files: Sequence[Path], size: int) -> Iterator[Tensor]:
        decoded = _in_order(self._decode, files, ahead=2 * size)
        while images := list(islice(decoded, size)):
            yield torch.from_numpy(np.stack(images))

    def _decode(self, file: Path) -> NDArray[np.float32]:
        with Image.open(file) as image:
            return IMAGENET(evaluation_transform(image, self.resolution))


@dataclass(frozen=True)
class _Checked:
    digest: bytes
    pixels: NDArray[np.uint8] | None


def _checked(file: Path, resolution: int, keep: bool) -> _Checked | None:
    """The file's SHA-256 and, to `keep`, its pixels; None where it cannot be decoded.

    Raises ModelError for an intact image that is not read: too many pixels, or pixels without a stated range.
    """
    try:
        with open(file, "rb") as source, Image.open(source) as image:
            pixels = evaluation_transform(image, resolution)
            source.seek(0)
            return _Checked(hashlib.file_digest(source, "sha256").digest(), pixels if keep else None)
    except ModelError as error:
        raise ModelError(f"{shown(file)}: {error}") from None
    except Image.DecompressionBombError as error:
        raise ModelError(f"{shown(file)}: {_sentence(error)}; store it smaller") from None
    except Exception:  # a damaged file fails in whatever decoder meets the damage, with whatever that decoder raises
        return None


def _sentence(error: Exception) -> str:
    """Pillow's own words about the limit of pixels, without its suspicion."""
    return str(error).partition(",")[0]


def _in_order(work: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """`work` of every item in order, done by threads for up to `ahead` items that have not been asked for yet."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = iter(items)
        running = deque(pool.submit(work, item) for item in islice(waiting, ahead))
        try:
            while running:
                result = running.popleft().result()
                running.extend(pool.submit(work, item) for item in islice(waiting, 1))
                yield result
        finally:  # the consumer may stop early
            pool.shutdown(cancel_futures=True)
