"""Which images of which classes lie in a folder: one folder per class, or images beside their ground-truth file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sviT_models.data import ground_truth
from sviT_models.errors import ModelError

ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
TRAINING, EVALUATION = "train", ("val", "validation", "test")  # folders that keep the two apart


def shown(path: Path) -> str:
    """A path as text that can be written anywhere: bytes that are no UTF-8 appear as \\xNN."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def root_of(path: Path, split: str) -> Path:
    """The folder that holds the class folders of `split`; raises ModelError where train has other classes."""
    evaluation = [path / name for name in EVALUATION if (path / name).is_dir()]
    training = path / TRAINING
    if not training.is_dir() or not evaluation:
        return path
    ours, theirs = (set(_classes(root)) for root in (training, evaluation[0]))
    if ours != theirs:
        only = sorted(ours ^ theirs)[0]
        raise ModelError(f"{path}: class folder {only!r} is not in both {TRAINING} and {evaluation[0].name}; add it")
    return training if split == TRAINING else evaluation[0]


def _class_folders(root: Path) -> list[Path]:
    folders = (entry for entry in root.iterdir() if entry.is_dir() and entry.name != ground_truth.KIT)
    return sorted(folder for folder in folders if not folder.name.startswith("."))


def _classes(root: Path) -> list[str]:
    """Names of the class folders, or of the classes of a flat folder."""
    folders = _class_folders(root)
    return [folder.name for folder in folders] if folders else list(_flat(root)[0])


def _flat(root: Path) -> tuple[tuple[str, ...], list[Path], NDArray[np.int64]]:
    """Names of the classes, and the images of a folder with their labels by its ground-truth file."""
    files = sorted(entry for entry in root.iterdir() if entry.is_file() and entry.suffix.lower() in ENDINGS)
    truth = ground_truth.find(root)
    if not files or truth is None:
        known = ", ".join(ground_truth.FILES)
        raise ModelError(
            f"{root}: has no class folders; expected one folder per class with its images inside, or images with their "
            f"ground truth in or above this folder ({known})"
        )
    classes, named = ground_truth.classes_of(truth, files)
    label = {name: place for place, name in enumerate(classes)}
    return classes, files, np.array([label[name] for name in named], np.int64)


def listing(root: Path) -> tuple[tuple[str, ...], list[Path], NDArray[np.int64]]:
    """Names of the classes, and files with their labels, all in sorted order."""
    folders = _class_folders(root)
    if not folders:
        return _flat(root)
    files: list[Path] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        inside = sorted(entry for entry in folder.rglob("*") if entry.is_file() and not entry.name.startswith("."))
        images = [entry for entry in inside if entry.suffix.lower() in ENDINGS]
        if inside and not images:
            raise ModelError(f"{folder}: has no images but {inside[0].name}; expected {', '.join(ENDINGS)}")
        files += images
        labels += [label] * len(images)  # an empty folder still counts as a class, so that the others keep their label
    if not files:
        raise ModelError(f"{root}: its class folders are empty; expected images in them ({', '.join(ENDINGS)})")
    return tuple(shown(Path(folder.name)) for folder in folders), files, np.array(labels, np.int64)
