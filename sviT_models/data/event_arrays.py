"""Samples with a time axis in an `.npz` file: frames (N, T, C, H, W), or the lists of events that become frames.

Lists of events are arrays `x`, `y`, `t` [us] and `p` (0 OFF, 1 ON) of all E events, one sample after the other;
`offsets` (N + 1,), so that sample i has the events offsets[i] to offsets[i + 1] - 1; and `sensor`, (height, width).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sviT_models.data.events import Binning, Events, Sensor, binned, check, frame_size
from sviT_models.data.frames import check_values, room
from sviT_models.errors import ModelError

Content = Mapping[str, NDArray[Any]]

COLUMNS = ("x", "y", "t", "p")
LISTS = (*COLUMNS, "offsets", "sensor")


class Timed(Protocol):
    """Samples of which some can be had as frames."""

    def __len__(self) -> int: ...

    def frames(self, chosen: NDArray[np.int64]) -> NDArray[Any]:
        """Frames (len(chosen), T, C, H, W)."""


def opened(path: Path, content: Content, binning: Binning | None, resolution: int | None) -> Timed | None:
    """The samples in the arrays of `path`; None where these are still images. Raises ModelError for broken ones."""
    if "offsets" in content:
        return EventLists(path, content, binning or Binning(), resolution)
    if content["images"].ndim == 5:
        return StoredFrames(path, content["images"], binning, resolution)
    return None


class StoredFrames:
    """Frames that are in the file as frames, with any number of channels."""

    def __init__(self, path: Path, images: NDArray[Any], binning: Binning | None, resolution: int | None):
        if images.dtype.kind not in "iuf" or 0 in images.shape:
            raise ModelError(f"{path}: 'images' is {images.dtype} {images.shape}; expected numbers (N, T, C, H, W)")
        check_shape(images.shape[1:], binning, resolution, str(path))
        self.path, self.images = path, images

    def __len__(self) -> int:
        return len(self.images)

    def frames(self, chosen: NDArray[np.int64]) -> NDArray[Any]:
        """Frames (len(chosen), T, C, H, W) as they are stored."""
        check_values(self.images, f"{self.path}: 'images'")
        return self.images[chosen]


def check_shape(shape: tuple[int, ...], binning: Binning | None, resolution: int | None, where: str) -> None:
    """Raises ModelError, naming `where`, for frames (T, C, H, W) of another T than asked for, or of another size."""
    steps, _, height, width = shape
    if binning is not None and binning.time_steps != steps:
        wanted = binning.time_steps
        raise ModelError(f"{where}: has {steps} frames per sample, not {wanted}; ask for {steps} time steps")
    side = resolution or height
    if (height, width) != (side, side):
        kind = f"{height} x {width} pixels, not {resolution or 'square'}"
        raise ModelError(f"{where}: frames are {kind}; store them at that size")


class EventLists:
    """Lists of events, each of which is checked and binned when its frames are asked for."""

    def __init__(self, path: Path, content: Content, binning: Binning, resolution: int | None):
        self.path, self.binning = path, binning
        for key in LISTS:
            if key not in content:
                raise ModelError(f"{path}: has 'offsets' but no {key!r}; lists of events are {', '.join(LISTS)}")
            if content[key].dtype.kind not in ("iub" if key == "p" else "iu") or content[key].ndim != 1:
                kind = f"{content[key].dtype} {content[key].shape}"
                raise ModelError(f"{path}: {key!r} is {kind}; expected whole numbers in one dimension")
        self.events = Events(*(content[key] for key in COLUMNS))
        self.offsets, self.sensor = content["offsets"].astype(np.int64), self._sensor(content["sensor"])
        self._check_lengths(content)
        self.size = frame_size(self.sensor, resolution, str(path))

    def _sensor(self, sensor: NDArray[Any]) -> Sensor:
        if sensor.shape != (2,) or not 1 <= sensor.min() <= sensor.max() <= 2**15:
            raise ModelError(f"{self.path}: 'sensor' is {sensor.tolist()}; expected its height and width in pixels")
        return int(sensor[0]), int(sensor[1])

    def _check_lengths(self, content: Content) -> None:
        number = len(self.events)
        for key in COLUMNS:
            if len(content[key]) != number:
                have = f"{key!r} has {len(content[key])} events, 't' has {number}"
                raise ModelError(f"{self.path}: {have}; store as many of both")
        ends = self.offsets
        if len(ends) < 2 or ends[0] != 0 or ends[-1] != number or (ends[1:] < ends[:-1]).any():
            have = f"{len(ends)} entries from {ends[0]} to {ends[-1]}" if len(ends) else "none"
            raise ModelError(
                f"{self.path}: 'offsets' must rise from 0 to the number of events, {number}, with one more entry than "
                f"samples; it has {have}"
            )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def frames(self, chosen: NDArray[np.int64]) -> NDArray[Any]:
        """Frames (len(chosen), T, 2, H, W). Raises ModelError for a sample that is no recording of the sensor."""
        frames = room((len(chosen), self.binning.time_steps, 2, *self.size), np.uint16, str(self.path))
        for place, index in enumerate(chosen):
            where = f"{self.path}: sample {index}"
            events = self.events[self.offsets[index] : self.offsets[index + 1]]
            check(events, self.sensor, where)
            frames[place] = binned(events, self.binning, self.sensor, self.size, where)
        return frames
