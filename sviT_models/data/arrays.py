"""Images in an `.npz` file: arrays `images` and `labels`, and if you like `classes` and `split`.

Samples that change over time are read by `event_arrays`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sviT_models.data import event_arrays, npz
from sviT_models.data.events import Binning
from sviT_models.data.frames import from_frames
from sviT_models.data.imageset import (
    IMAGENET,
    SPLITS,
    ImageSet,
    content_hash,
    evaluation_members,
    first,
    from_pixels,
    stratified_order,
)
from sviT_models.errors import ModelError

MOST_CLASSES = 1_000_000  # a label beyond is no class index: every class has a name in memory


def load(
    path: Path, split: str, count: int | None, seed: int, resolution: int | None, binning: Binning | None
) -> ImageSet:
    """A split of the arrays in `path`.

    `images` is uint8, (N, H, W, 3), (N, 3, H, W) or grey (N, H, W), and is normalised like ImageNet's; or it is
    floating-point (N, 3, H, W), and is taken as it is. `labels` are integers (N,) from 0. `classes` are their names;
    `split` (N,) names the split of every image, and without it the images are shared out among validation, search and
    verify. With frames (N, T, C, H, W) or lists of events (see `event_arrays`), the samples are these, not
    normalised. Raises ModelError for anything else.
    """
    content = _read(path)
    samples = event_arrays.opened(path, content, binning, resolution) or _images(path, content, resolution)
    labels = _labels(path, content, len(samples))
    names = _classes(path, content, labels)
    members = _members(path, content, labels, split)
    order = stratified_order(labels[members], seed)
    chosen = members[first(order, count, f"{path}, split {split}")]
    ids = [f"{path.name}/{index:06d}" for index in chosen]
    targets = labels[chosen]
    if not isinstance(samples, np.ndarray):
        return from_frames(str(path), split, samples.frames(chosen), targets, ids, names)
    picked = samples[chosen]
    if picked.dtype == np.uint8:
        return from_pixels(str(path), split, picked, targets, ids, names, IMAGENET)
    values = picked.astype(np.float32)
    if not np.isfinite(values).all():
        raise ModelError(f"{path}: 'images' holds NaN or infinity; remove the images or repair them")
    digest = content_hash(values, targets, ids, names, "as stored")
    return ImageSet(
        str(path), split, torch.from_numpy(values), torch.from_numpy(targets), tuple(ids), tuple(names), digest
    )


def _read(path: Path) -> Mapping[str, NDArray[Any]]:
    content = npz.read(path)
    for key in ("labels",) if "offsets" in content else ("images", "labels"):
        if key not in content:
            have = ", ".join(content) or "nothing"
            raise ModelError(f"{path}: has no array {key!r} (it has {have}); expected 'images' and 'labels'")
    return content


def _images(path: Path, content: Mapping[str, NDArray[Any]], resolution: int | None) -> NDArray[Any]:
    """(N, 3, H, W), uint8 or floating-point."""
    images = _channels_first(content["images"])
    if images is None:
        images = content["images"]
        raise ModelError(
            f"{path}: 'images' is {images.dtype} {images.shape}; expected uint8 (N, H, W, 3), (N, 3, H, W) or "
            "(N, H, W), normalised floating-point (N, 3, H, W), or frames (N, T, C, H, W)"
        )
    if images.shape[2:] != (resolution or images.shape[2],) * 2:
        have = f"{images.shape[2]} x {images.shape[3]}"
        raise ModelError(f"{path}: images are {have} pixels, not {resolution or 'square'}; store them at that size")
    return images


def _channels_first(images: NDArray[Any]) -> NDArray[Any] | None:
    """Images as (N, 3, H, W); None for another shape or type."""
    if images.dtype == np.uint8:
        if images.ndim == 3:
            return np.repeat(images[:, None], 3, axis=1)
        if images.ndim == 4 and images.shape[3] == 3:
            return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    known = images.ndim == 4 and images.shape[1] == 3 and (images.dtype == np.uint8 or images.dtype.kind == "f")
    return images if known else None


def _labels(path: Path, content: Mapping[str, NDArray[Any]], number: int) -> NDArray[np.int64]:
    labels = content["labels"]
    if labels.dtype.kind not in "iu" or labels.shape != (number,) or number == 0 or labels.min() < 0:
        raise ModelError(
            f"{path}: 'labels' is {labels.dtype} {labels.shape} for {number} images; expected one integer from 0 each"
        )
    if labels.max() >= MOST_CLASSES:
        raise ModelError(f"{path}: 'labels' goes to {labels.max()}; expected class indices below {MOST_CLASSES}")
    return labels.astype(np.int64)


def _classes(path: Path, content: Mapping[str, NDArray[Any]], labels: NDArray[np.int64]) -> list[str]:
    if "classes" not in content:
        return [str(label) for label in range(labels.max() + 1)]
    names = content["classes"]
    if names.dtype.kind != "U" or names.ndim != 1 or len(names) <= labels.max():
        raise ModelError(f"{path}: 'classes' is {names.dtype} {names.shape}; expected a name for each of the labels")
    return [str(name) for name in names]


def _members(
    path: Path, content: Mapping[str, NDArray[Any]], labels: NDArray[np.int64], split: str
) -> NDArray[np.int64]:
    if "split" not in content:
        return evaluation_members(labels, split, str(path), "an array 'split' that names the split of every image")
    splits = content["split"]
    if splits.shape != labels.shape or not np.isin(splits, SPLITS).all():
        raise ModelError(f"{path}: 'split' must hold one of {', '.join(SPLITS)} for each of the {len(labels)} images")
    members = np.flatnonzero(splits == split)
    if len(members) == 0:
        raise ModelError(f"{path}: 'split' names no image {split!r}; it has {', '.join(sorted(set(splits.tolist())))}")
    return members
