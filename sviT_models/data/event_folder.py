"""Folders of event data as they are published: N-MNIST, DVS128 Gesture, and the frame folders of SpikingJelly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sviT_models.data import gestures, npz
from sviT_models.data.event_arrays import check_shape
from sviT_models.data.event_files import read_bin
from sviT_models.data.events import Binning, binned, check, frame_size
from sviT_models.data.frames import check_values, from_frames, room
from sviT_models.data.idx_folder import TEST, shared_out
from sviT_models.data.imageset import ImageSet, evaluation_members, first, stratified_order
from sviT_models.errors import ModelError

HALVES = (("Train", "Test"), ("train", "test"))  # of N-MNIST, of SpikingJelly
N_MNIST_SENSOR = (34, 34)
SAMPLE_BYTES = 2**28  # of one file of frames

Files = Sequence[Path]
ToFrames = Callable[[Files, Binning | None, int | None], NDArray[Any]]


@dataclass(frozen=True)
class _Half:
    """Training or test samples: files with their labels in `classes`."""

    files: tuple[Path, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def has_events(path: Path) -> bool:
    """Whether `path` is a folder of event data in one of the layouts."""
    return gestures.is_folder(path) or _ending(path) is not None


def has_test(path: Path) -> bool:
    """Whether the event data in `path` come with a test set."""
    return gestures.is_folder(path) or (_ending(path) is not None and _halves(path) is not None)


def load(
    path: Path, split: str, count: int | None, seed: int, resolution: int | None, binning: Binning | None
) -> ImageSet:
    """A split of the event data in the folder `path`, as frames (N, T, C, H, W).

    `test` is the published test set, and the training set is shared out as that of IDX files. Class folders without a
    test set are shared out among validation, search and verify. Only the samples of the split are read and checked.
    Raises ModelError, naming file, place, value and remedy, for what cannot be read.
    """
    if gestures.is_folder(path):
        recordings = gestures.listing(path, TEST if split == TEST else "train")
        labels = recordings.labels
        chosen = _chosen(path, labels, split, count, seed, halves=True)
        frames = recordings.frames(chosen, binning or Binning(), resolution)
        ids = [recordings.ids[index] for index in chosen]
        return from_frames(str(path), split, frames, labels[chosen], ids, recordings.classes)
    halves, ending = _halves(path), _ending(path) or ""
    half = _listing(path, ending) if halves is None else _checked_half(halves, ending, split)
    chosen = _chosen(path, half.labels, split, count, seed, halves is not None)
    files = [half.files[index] for index in chosen]
    frames = ENDINGS[ending](files, binning, resolution)
    ids = [file.relative_to(path).as_posix() for file in files]
    return from_frames(str(path), split, frames, half.labels[chosen], ids, half.classes)


def _chosen(
    path: Path, labels: NDArray[np.int64], split: str, count: int | None, seed: int, halves: bool
) -> NDArray[np.int64]:
    """Positions of the samples of a split."""
    if not halves:
        members = evaluation_members(labels, split, str(path), "a folder 'train' beside one called 'test'")
    else:
        members = np.arange(len(labels)) if split == TEST else shared_out(labels)[split]
    if not len(members):
        raise ModelError(f"{path}: {len(labels)} samples are too few for a split {split!r}; give at least 60")
    return members[first(stratified_order(labels[members], seed), count, f"{path}, split {split}")]


def _frames_of_bin(files: Files, binning: Binning | None, resolution: int | None) -> NDArray[Any]:
    """Frames (N, T, 2, H, W) of files of N-MNIST, whose sensor was cut to 34 x 34 pixels."""
    rule, sensor = binning or Binning(), N_MNIST_SENSOR
    size = frame_size(sensor, resolution, str(files[0].parent))
    frames = room((len(files), rule.time_steps, 2, *size), np.uint16, str(files[0].parent))
    for place, file in enumerate(files):
        events = read_bin(file)
        check(events, sensor, str(file))
        frames[place] = binned(events, rule, sensor, size, str(file))
    return frames


def _frames_of_npz(files: Files, binning: Binning | None, resolution: int | None) -> NDArray[Any]:
    """Frames (N, T, C, H, W) of files with an array `frames` (T, C, H, W) each."""
    frames = None
    for place, file in enumerate(files):
        own = _stored(file)
        check_shape(own.shape, binning, resolution, str(file))
        if frames is None:
            frames = room((len(files), *own.shape), np.float32, str(file.parent))
        if own.shape != frames.shape[1:]:
            raise ModelError(
                f"{file}: 'frames' is {own.shape}, in {files[0]} it is {frames.shape[1:]}; give every sample as many "
                "frames of one size"
            )
        frames[place] = own
    assert frames is not None  # nobody asks for no files
    return frames


def _stored(file: Path) -> NDArray[Any]:
    content = npz.read(file, SAMPLE_BYTES)
    if "frames" not in content:
        have = ", ".join(content) or "nothing"
        raise ModelError(f"{file}: has no array 'frames' (it has {have}); store the frames of the sample there")
    frames = content["frames"]
    if frames.dtype.kind not in "iuf" or frames.ndim != 4 or 0 in frames.shape:
        raise ModelError(f"{file}: 'frames' is {frames.dtype} {frames.shape}; expected numbers (T, C, H, W)")
    check_values(frames, f"{file}: 'frames'")
    return frames


ENDINGS: dict[str, ToFrames] = {".bin": _frames_of_bin, ".npz": _frames_of_npz}


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    try:
        return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except PermissionError:  # whoever opens the path says so
        return []


def _halves(path: Path) -> tuple[Path, Path] | None:
    """The folders with the training and the test samples, where there are both."""
    named = {entry.name for entry in _folders(path)}
    return next(((path / train, path / test) for train, test in HALVES if {train, test} <= named), None)


def _ending(path: Path) -> str | None:
    """Which kind of sample the class folders of `path` hold; None where it is none of these."""
    halves = _halves(path)
    for folder in _folders(halves[0] if halves else path):
        endings = (file.suffix.lower() for file in sorted(folder.iterdir()) if file.is_file())
        found = next((ending for ending in endings if ending in ENDINGS), None)
        if found is not None:
            return found
    return None


def _checked_half(halves: tuple[Path, Path], ending: str, split: str) -> _Half:
    """The half that a split belongs to. Raises ModelError where the other half has other classes."""
    train, test = ({entry.name for entry in _folders(half)} for half in halves)
    if train != test:
        only = sorted(train ^ test)[0]
        raise ModelError(f"{halves[0].parent}: class folder {only!r} is not in both halves; add it to the other one")
    return _listing(halves[1] if split == TEST else halves[0], ending)


def _listing(root: Path, ending: str) -> _Half:
    """The samples under `root`, class folders and files in sorted order."""
    files: list[Path] = []
    labels: list[int] = []
    folders = _folders(root)
    for label, folder in enumerate(folders):
        inside = sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
        samples = [entry for entry in inside if entry.suffix.lower() == ending]
        if inside and not samples:
            raise ModelError(f"{folder}: has no {ending} files but {inside[0].name}; expected one kind of samples")
        files += samples
        labels += [label] * len(samples)
    return _Half(tuple(files), np.array(labels, np.int64), tuple(folder.name for folder in folders))
