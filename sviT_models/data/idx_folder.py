"""Folders of IDX files as MNIST, KMNIST, EMNIST and Fashion-MNIST come in: training and test images with labels."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sviT_models.data import idx
from sviT_models.data.imageset import (
    CENTRED,
    SPLIT_SEED,
    ImageSet,
    first,
    from_pixels,
    stratified_order,
)
from sviT_models.errors import ModelError

NAME = re.compile(r"(?P<prefix>.*?)-?(?P<part>train|t10k|test)-(?P<kind>images|labels)[-.]idx[13]-ubyte(\.gz|\.xz)?")
TEST = "test"
HELD_OUT = 10  # one training image in so many is kept from training
SHARES = {"validation": 1, "search": 2, "verify": 3}  # of the images kept from training, in sixths
STEP = 16  # a network halves the sides of its images four times

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
Files = dict[tuple[str, str], Path]  # by part (train or test) and kind (images or labels)


def has_idx_files(path: Path) -> bool:
    """Whether `path` is a folder with IDX files, or such a folder and the beginning of their names in it."""
    return bool(_sets(path))


def load(path: Path, split: str, count: int | None, seed: int, resolution: int | None) -> ImageSet:
    """A split of the IDX files in the folder `path`, or of those in its parent whose names begin with its name.

    `test` is the test files. The training files are shared out by class: nine images in ten are `train`, the others
    `validation`, `search` and `verify` in the ratio 1 : 2 : 3. Labels become indices of the sorted distinct labels.
    Raises ModelError for files that are missing, damaged or do not belong together.
    """
    files = _files(path)
    part = TEST if split == TEST else "train"
    images, values = read_pair(files[part, "images"], files[part, "labels"])
    names = np.unique(np.concatenate([_labels(files[each, "labels"]) for each in ("train", TEST)]))
    labels = np.searchsorted(names, values).astype(np.int64)
    members = np.arange(len(labels)) if split == TEST else shared_out(labels)[split]
    if not len(members):
        raise ModelError(f"{path}: {len(labels)} {part} images are too few for a split {split!r}; give at least 60")
    chosen = members[first(stratified_order(labels[members], seed), count, f"{path}, split {split}")]
    ids = [f"{part}/{index:06d}" for index in chosen]
    classes = [str(name) for name in names]
    pixels = prepared(images[chosen], resolution)
    return from_pixels(str(path), split, pixels, labels[chosen], ids, classes, CENTRED)


def shared_out(labels: Labels) -> dict[str, Labels]:
    """Indices of train, validation, search and verify among training images with `labels` (N,); each in proportion."""
    order = stratified_order(labels, SPLIT_SEED)
    held = len(labels) // HELD_OUT
    ends = np.cumsum([len(labels) - held, *(held * share // 6 for share in list(SHARES.values())[:-1])])
    return dict(zip(("train", *SHARES), np.split(order, ends), strict=True))


def read_pair(images_path: Path, labels_path: Path) -> tuple[Pixels, Labels]:
    """Grey images (N, H, W) and as many labels (N,). Raises ModelError, naming the file, for anything else."""
    images, labels = idx.read(images_path), _labels(labels_path)
    if images.dtype != np.uint8 or images.ndim != 3 or min(images.shape) < 1:
        raise ModelError(f"{images_path}: holds {images.dtype} {images.shape}; expected grey images, uint8 (N, H, W)")
    if len(images) != len(labels):
        raise ModelError(f"{images_path}: has {len(images)} images, {labels_path} has {len(labels)} labels")
    return images, labels


def prepared(images: Pixels, resolution: int | None) -> Pixels:
    """(N, H, W) in the middle of a black square whose side is a multiple of 16, three times the same, (N, 3, S, S).

    28 x 28 pixels become 32 x 32; a `resolution` [pixels] enlarges or reduces that by bicubic interpolation. The three
    channels are one in memory.
    """
    height, width = images.shape[1:]
    side = STEP * -(-max(height, width) // STEP)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.pad(images, ((0, 0), (top, side - height - top), (left, side - width - left)))
    if resolution not in (None, side):
        square = np.stack([_resized(image, resolution) for image in square])
    return np.broadcast_to(square[:, None], (len(square), 3, *square.shape[1:]))


def _resized(image: Pixels, side: int) -> Pixels:
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))


def _labels(path: Path) -> Labels:
    labels = idx.read(path)
    if labels.dtype != np.uint8 or labels.ndim != 1 or not len(labels):
        raise ModelError(f"{path}: holds {labels.dtype} {labels.shape}; expected one label per image, uint8 (N,)")
    return labels.astype(np.int64)


def _sets(path: Path) -> dict[str, Files]:
    """Files by the beginning of their names, which is empty for MNIST and says which set it is in EMNIST's folder."""
    found: dict[str, Files] = defaultdict(dict)
    folder, wanted = (path, None) if path.is_dir() else (path.parent, path.name)
    if not folder.is_dir():
        return found
    try:
        files = sorted(folder.iterdir())
    except PermissionError:  # whoever opens the path says so
        return found
    for file in files:
        match = NAME.fullmatch(file.name)
        if match and file.is_file() and wanted in (None, match["prefix"]):
            part = "train" if match["part"] == "train" else TEST
            found[match["prefix"]].setdefault((part, match["kind"]), file)
    return found


def _files(path: Path) -> Files:
    sets = _sets(path)
    if len(sets) > 1:
        raise ModelError(f"{path}: holds {len(sets)} data sets; name one of them: {path / min(sets)}, ...")
    (files,) = sets.values()
    for part in ("train", TEST):
        for kind in ("images", "labels"):
            if (part, kind) not in files:
                have = ", ".join(file.name for file in files.values())
                raise ModelError(f"{path}: has no IDX file of the {part} {kind} (it has {have}); put it there")
    return files
