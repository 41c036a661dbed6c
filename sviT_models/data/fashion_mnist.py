"""Fashion-MNIST: 70 000 grey pictures of clothes, 28 x 28 pixels, ten classes of equal size.

Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", arXiv 1708.07747, 2017; MIT licence. The test images and one training image in ten come with this package
(`embedded/fashion_mnist`); the other 54 000, which only training needs, are those of the four original files.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from sviT_models.data import idx
from sviT_models.data.idx_folder import SHARES, TEST, Labels, Pixels, prepared, read_pair
from sviT_models.data.imageset import CENTRED, ImageSet, first, from_pixels, stratified_order
from sviT_models.errors import ModelError

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
EMBEDDED = Path(__file__).parent / "embedded" / "fashion_mnist"
FOLDER = "fashion-mnist"  # of the four files, under one of the folders of data sets
SYSTEM = ("/usr/local/share/datasets", "/usr/share/datasets")  # the latter is Debian's
VARIABLE = "SVIT_DATASETS"  # of the environment: another folder of data sets, which is looked into first


def load(split: str, count: int | None, seed: int, resolution: int | None) -> ImageSet:
    """`count` images of a split, train, validation, search, verify or test, in stratified order by `seed`.

    Images that are kept from training keep their places in the original file in their ids. Raises ModelError for
    train where the original files cannot be found, and for more images than there are.
    """
    images, labels, positions = _split(split)
    chosen = first(stratified_order(labels, seed), count, f"fashion_mnist, split {split}")
    part = TEST if split == TEST else "train"
    return from_pixels(
        name="fashion_mnist",
        split=split,
        pixels=prepared(images[chosen], resolution),
        labels=labels[chosen],
        ids=[f"fashion_mnist/{part}/{position:05d}" for position in positions[chosen]],
        classes=CLASSES,
        normalisation=CENTRED,
    )


def original_files() -> dict[str, Path]:
    """The four files by name, images and labels of `train` and `t10k`. Raises ModelError where there are none."""
    places = [place for place in (os.environ.get(VARIABLE), *SYSTEM) if place]
    names = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    for place in places:
        for ending in (".gz", ""):
            files = {name: Path(place, FOLDER, name + ending) for name in names}
            if all(file.is_file() for file in files.values()):
                return files
    raise ModelError(
        f"fashion_mnist: no folder {FOLDER!r} with the four original files in {' or '.join(places)}; install Debian's "
        f"dataset-fashion-mnist, or put those of github.com/zalandoresearch/fashion-mnist under ${VARIABLE}/{FOLDER}"
    )


def _split(split: str) -> tuple[Pixels, Labels, Labels]:
    """Images (N, 28, 28), labels (N,) and places in the original file (N,)."""
    if split == TEST:
        images, labels = _embedded("test")
        return images, labels, np.arange(len(labels))
    held_images, held_labels = _embedded("held-out")
    held = idx.read(EMBEDDED / "held-out-positions-idx1-int.xz").astype(np.int64)
    if split == "train":
        files = original_files()
        images, labels = read_pair(files["train-images-idx3-ubyte"], files["train-labels-idx1-ubyte"])
        if len(images) <= held.max() or not np.array_equal(images[held], held_images):
            raise ModelError(f"{files['train-images-idx3-ubyte']}: is not Fashion-MNIST's; fetch the file again")
        members = np.setdiff1d(np.arange(len(labels)), held)
        return images[members], labels[members], members
    ends = np.cumsum([len(held) * share // 6 for share in SHARES.values()])
    here = np.split(np.arange(len(held)), ends[:-1])[list(SHARES).index(split)]
    return held_images[here], held_labels[here], held[here]


def _embedded(part: str) -> tuple[Pixels, Labels]:
    return read_pair(EMBEDDED / f"{part}-images-idx3-ubyte.xz", EMBEDDED / f"{part}-labels-idx1-ubyte.xz")
