"""Images and labels that a caller gives as arrays, checked and named as a data set's `.npz` file has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dse.arrays import IntArray
from dse.errors import ConfigError

Pair = tuple[Any, Any]
Images = Pair | Mapping[str, Pair]
SPLITS = ("search", "verify", "validation")


def arrays_of(given: Images) -> dict[str, Any]:
    """`images`, `labels` and, where the splits are given, `split`, as `sviT_models.load_data` reads them.

    given  (images, labels), or such a pair for each of the three splits

    Raises ConfigError for another shape or type, and for splits that are missing.
    """
    if not isinstance(given, Mapping):
        images, labels = _pair(given, "images")
        return {"images": images, "labels": labels}
    if set(given) != set(SPLITS):
        raise ConfigError(
            f"images: has the splits {', '.join(map(str, given)) or 'none'}; expected {', '.join(SPLITS)}"
        )
    pairs = {split: _pair(given[split], f"images[{split!r}]") for split in SPLITS}
    shapes = {images.shape[1:] for images, _ in pairs.values()}
    if len(shapes) > 1:
        raise ConfigError(f"images: the splits have the shapes {', '.join(map(str, sorted(shapes)))}; expected one")
    return {
        "images": np.concatenate([images for images, _ in pairs.values()]),
        "labels": np.concatenate([labels for _, labels in pairs.values()]),
        "split": np.concatenate([np.full(len(labels), split) for split, (_, labels) in pairs.items()]),
    }


def _pair(given: Any, name: str) -> tuple[Any, IntArray]:
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise ConfigError(f"{name}: is {type(given).__name__}; expected a pair (images, labels)")
    images = np.asarray(given[0])
    if images.dtype.kind != "f" or not (images.ndim == 5 or (images.ndim == 4 and images.shape[1] == 3)):
        raise ConfigError(
            f"{name}: are {images.dtype} {images.shape}; expected floating-point (N, 3, H, W), as the network "
            "takes them, or frames (N, T, C, H, W)"
        )
    if not np.isfinite(images).all():
        raise ConfigError(f"{name}: hold NaN or infinity; remove these images or repair them")
    return images.astype(np.float32), labels_of(given[1], len(images))


def labels_of(labels: Any, images: int) -> IntArray:
    """Labels (N,) as integers.  Raises ConfigError for anything but one class index from 0 per image.

    labels  what was given
    images  how many images there are
    """
    found = np.asarray(labels)
    if found.shape != (images,):
        raise ConfigError(f"labels: have shape {found.shape} for {images} images; give one class index per image")
    if found.dtype.kind not in "iu":
        raise ConfigError(f"labels: are {found.dtype}; give class indices, which are integers from 0")
    if images and found.min() < 0:
        raise ConfigError(f"labels: the least is {found.min()}; class indices start at 0, leave unlabelled images out")
    return found.astype(np.int64)
