"""Events of a dynamic vision sensor, and their sums in T frames: one channel for OFF events and one for ON events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sviT_models.errors import ModelError

Frames = NDArray[np.uint16]
Sensor = tuple[int, int]  # height and width in pixels

RULES = ("count", "time")
MOST_EVENTS = int(np.iinfo(np.uint16).max)  # of one pixel in one frame


@dataclass(frozen=True)
class Binning:
    """How events become frames: `time_steps` frames of as many events each (`count`) or as much time each (`time`).

    With n events, frame j < T - 1 of `count` holds the events j * (n // T) to (j + 1) * (n // T) - 1. With the times
    t_0 to t_end and d = (t_end - t_0) // T, frame j < T - 1 of `time` holds those of t_0 + j d <= t < t_0 + (j + 1) d.
    The last frame holds the rest, so that no event is lost. These are the rules `number` and `time` of SpikingJelly
    (`spikingjelly.datasets.utils.cal_fixed_frames_number_segment_index`); a frame without events is zero here.
    Raises ModelError for fewer than one frame and for an unknown rule.
    """

    time_steps: int = 4
    by: str = "count"

    def __post_init__(self) -> None:
        steps = self.time_steps
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ModelError(f"time_steps is {steps!r}; expected an integer of at least 1")
        if self.by not in RULES:
            raise ModelError(f"events are binned by {self.by!r}; expected {' or '.join(RULES)}")


@dataclass(frozen=True, eq=False)
class Events:
    """Events in order of time: column `x`, row `y`, time `t` [us] and polarity `p`, 0 (OFF) or 1 (ON), each (E,)."""

    x: NDArray[np.integer]
    y: NDArray[np.integer]
    t: NDArray[np.integer]
    p: NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.t)

    def __getitem__(self, part: slice | NDArray[Any]) -> Events:
        return Events(self.x[part], self.y[part], self.t[part], self.p[part])


def check(events: Events, sensor: Sensor, where: str) -> None:
    """Raises ModelError, naming `where`, the event and the value, unless `events` are what a `sensor` can have sent."""
    if not len(events):
        raise ModelError(f"{where}: holds no events; leave it out")
    height, width = sensor
    limits = (("x", events.x, width), ("y", events.y, height), ("p", events.p, 2))
    for name, values, limit in limits:
        wrong = np.flatnonzero((values < 0) | (values >= limit))
        if len(wrong):
            expected = "0 (OFF) or 1 (ON)" if name == "p" else f"0 to {limit - 1} on a sensor of {height} x {width}"
            raise ModelError(f"{where}: event {wrong[0]} has {name} = {values[wrong[0]]}; expected {expected}")
    backwards = np.flatnonzero(events.t[1:] < events.t[:-1])
    if len(backwards):
        before = backwards[0]
        raise ModelError(
            f"{where}: time runs backwards: event {before + 1} is at {events.t[before + 1]} us, the one before it at "
            f"{events.t[before]} us; sort the events by time"
        )


def frame_ends(t: NDArray[np.integer], binning: Binning) -> NDArray[np.int64]:
    """Where the frames end among events at the sorted times `t` (E,), E >= 1: positions (T,), the last one E."""
    steps, number = binning.time_steps, len(t)
    inner = np.arange(1, steps, dtype=np.int64)
    if binning.by == "count":
        ends = inner * (number // steps)
    else:
        times = t.astype(np.int64)
        duration = (times[-1] - times[0]) // steps
        ends = np.searchsorted(times, times[0] + inner * duration, side="left")
    return np.append(ends, number)


def frame_size(sensor: Sensor, side: int | None, where: str) -> Sensor:
    """Height and width of frames: those of the `sensor`, or `side` twice.

    Raises ModelError, naming `where`, for a side beyond the sensor's, and for a sensor that is no square without one.
    """
    height, width = sensor
    if side is None and height != width:
        raise ModelError(f"{where}: the sensor has {height} x {width} pixels; name a resolution, the side of a square")
    if side is not None and side > min(sensor):
        raise ModelError(f"{where}: resolution {side} is above the sensor's {height} x {width}; ask for less")
    return (side, side) if side is not None else sensor


def binned(events: Events, binning: Binning, sensor: Sensor, size: Sensor, where: str) -> Frames:
    """Counts of events (T, 2, *size), OFF before ON; their sum is the number of events.

    Pixel (x, y) of a sensor of H x W is summed into (x * width // W, y * height // H) of a smaller `size`.
    Raises ModelError, naming `where`, for more than 65535 events of one pixel in one frame.
    """
    ends = frame_ends(events.t, binning)
    frame = np.repeat(np.arange(binning.time_steps), np.diff(ends, prepend=0))
    row, column = (
        place.astype(np.int64) * small // large
        for place, small, large in zip((events.y, events.x), size, sensor, strict=True)
    )
    shape = (binning.time_steps, 2, *size)
    at = np.ravel_multi_index((frame, events.p.astype(np.int64), row, column), shape)
    counts = np.bincount(at, minlength=int(np.prod(shape)))
    if counts.max(initial=0) > MOST_EVENTS:
        raise ModelError(f"{where}: a pixel has {counts.max()} events in one frame; ask for more frames")
    return counts.astype(np.uint16).reshape(shape)
