"""1797 handwritten digits of 8 x 8 pixels, shown at 32 x 32 in RGB; they come with this package.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository 1998 (its test part, in
scikit-learn's order); `embedded/digits/README.md` has the licence.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sviT_models.data.idx_folder import read_pair
from sviT_models.data.imageset import CENTRED, SPLIT_SEED, ImageSet, first, from_pixels, stratified_order

EMBEDDED = Path(__file__).parent / "embedded" / "digits"
RESOLUTION = 32
DARKEST = 16  # value of a fully inked pixel
SIZES = {"train": 997, "validation": 200, "search": 300, "verify": 300}


def load(split: str, count: int | None, seed: int, resolution: int | None) -> ImageSet:
    """`count` images of a split in stratified order by `seed`; see `load_data`."""
    images, labels = read_pair(EMBEDDED / "images-idx3-ubyte.xz", EMBEDDED / "labels-idx1-ubyte.xz")
    members = _members(labels, split)
    chosen = members[first(stratified_order(labels[members], seed), count, f"digits, split {split}")]
    side = resolution or RESOLUTION
    pixels = np.stack([_enlarged(image, side) for image in images[chosen]])  # (N, side, side)
    return from_pixels(
        name="digits",
        split=split,
        pixels=np.repeat(pixels[:, None], 3, axis=1),
        labels=labels[chosen],
        ids=[f"digits/{index:04d}" for index in chosen],  # position in scikit-learn's array
        classes=[str(digit) for digit in range(10)],
        normalisation=CENTRED,
    )


def _members(labels: NDArray[np.int64], split: str) -> NDArray[np.int64]:
    """Indices of a split: consecutive parts of one fixed stratified order, hence disjoint and balanced."""
    ends = np.cumsum(list(SIZES.values()))
    return np.split(stratified_order(labels, SPLIT_SEED), ends[:-1])[list(SIZES).index(split)]


def _enlarged(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    grey = np.rint(image * (255 / DARKEST)).astype(np.uint8)
    return np.asarray(Image.fromarray(grey).resize((side, side), Image.Resampling.BICUBIC))
