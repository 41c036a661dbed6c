"""Data sets: embedded ones, IDX files, `.npz` files, class folders and event cameras' files, all as `ImageSet`s."""

from __future__ import annotations

import os
from pathlib import Path

from sviT_models.data import arrays, digits, event_folder, event_glyphs, fashion_mnist, folder, glyphs, idx_folder
from sviT_models.data.events import Binning
from sviT_models.data.imageset import SPLITS, ImageSet, loader_speed
from sviT_models.errors import ModelError
from sviT_models.inventory import EVENTS, STILL, dataset_names

EMBEDDED = dict(zip(STILL, (digits.load, fashion_mnist.load, glyphs.load), strict=True))
TESTED = ("fashion_mnist",)  # embedded sets with a split `test` of their own

__all__ = ["Binning", "ImageSet", "dataset_names", "has_test", "load_data", "loader_speed"]


def has_test(name_or_path: str | os.PathLike[str]) -> bool:
    """Whether a data set has images set apart as its test, which nothing is chosen by.

    Fashion-MNIST has, IDX files, and event data in folders for training and for the test.

    name_or_path  one of `dataset_names()`, or a path
    """
    if name_or_path in dataset_names():
        return name_or_path in TESTED
    path = Path(name_or_path)
    return idx_folder.has_idx_files(path) or event_folder.has_test(path)


def load_data(
    name_or_path: str | os.PathLike[str],
    split: str,
    *,
    count: int | None = None,
    seed: int = 0,
    resolution: int | None = None,
    max_corrupt: float = 0.01,
    memory: int = folder.MEMORY,
    binning: Binning | None = None,
) -> ImageSet:
    """Images of one split: an embedded set, an `.npz` file, a folder of IDX files, of images or of event data.

    name_or_path  one of `dataset_names()`, or the path of a file or folder

    `split` is train, validation, search or verify, and test where `has_test` says so; no image is in two of them, and
    no argument moves one. `count` images are taken (None: all; of glyphs a fixed number) by a stratified order that
    follows from `seed`.
    `resolution` [pixels] is that of the data where it is None; for folders 224, an `.npz` cannot be resized. Of a
    folder, files that cannot be decoded are left out and listed, up to the share `max_corrupt`, and images that take
    more than `memory` bytes stay on disk. Data that change over time have images (N, T, C, H, W): `binning` says how
    events become T frames (None: 4 frames by count), stored frames have to be as many as it says, and for still images
    it means nothing. Raises ModelError for everything that cannot be loaded as asked.
    """
    splits = (*SPLITS, idx_folder.TEST) if has_test(name_or_path) else SPLITS
    if split not in splits:
        raise ModelError(f"no split {split!r}; there are: {', '.join(splits)}")
    for key, value, least in (("count", count, 1), ("seed", seed, 0), ("resolution", resolution, 8)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise ModelError(f"{key} is {value!r}; expected an integer of at least {least}")
    if name_or_path in EMBEDDED:
        return EMBEDDED[name_or_path](split, count, seed, resolution)
    if name_or_path == EVENTS:
        return event_glyphs.load(split, count, seed, resolution, binning)
    path = Path(name_or_path)
    if idx_folder.has_idx_files(path):
        return idx_folder.load(path, split, count, seed, resolution)
    if event_folder.has_events(path):
        return event_folder.load(path, split, count, seed, resolution, binning)
    if path.is_dir():
        return folder.load(path, split, count, seed, resolution, max_corrupt, memory)
    if path.suffix == ".npz" and path.is_file():
        return arrays.load(path, split, count, seed, resolution, binning)
    if path.exists():
        raise ModelError(
            f"{path}: is not a data set; expected an .npz file or a folder with IDX files or one folder per class"
        )
    raise ModelError(
        f"no data set {str(name_or_path)!r}; there are: {', '.join(dataset_names())}, or the path of an .npz file or a "
        "folder with IDX files or one folder per class"
    )
