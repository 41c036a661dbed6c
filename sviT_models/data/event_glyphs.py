"""Generated characters seen by a moving event camera: the shapes of `glyphs`, three saccades, ON and OFF events.

The camera moves as it did for N-MNIST (Orchard et al., "Converting Static Image Datasets to Spiking Neuromorphic
Datasets Using Saccades", Front. Neurosci. 9, 2015): along the three sides of a triangle, 100 ms each. A pixel fires as
one of a dynamic vision sensor does (Lichtsteiner et al., IEEE JSSC 43, 2008): whenever its log intensity has moved by
a threshold from where it fired last, ON for brighter and OFF for darker. Sample i of a split is a pure function of
(seed, split, i). Random numbers become whole numbers before anything is drawn, as in `glyphs`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sviT_models.data import glyphs
from sviT_models.data.events import Binning, Events, Frames, binned
from sviT_models.data.frames import from_frames, room
from sviT_models.data.imageset import ImageSet
from sviT_models.errors import ModelError
from sviT_models.inventory import EVENTS

SACCADES = 3
POSITIONS = 8  # of the camera in each saccade
STEP_US = 12_500  # from one position to the next, so that a saccade takes 100 ms
FINE = 2  # positions per pixel
FIELD = 1.5  # width of what is drawn, in image sides; the camera moves within it
OCTAVE = 256  # a factor of two in intensity, as the whole numbers of this file count it

Counts = NDArray[np.uint8]
Drawn = NDArray[np.int32]


def load(split: str, count: int | None, seed: int, resolution: int | None, binning: Binning | None) -> ImageSet:
    """The first `count` samples of a split, (N, T, 2, S, S) counts of OFF and ON events; see `load_data`."""
    count = glyphs.SIZES[split] if count is None else count
    where = f"{EVENTS}, split {split}"
    if not 1 <= count <= glyphs.LARGEST:
        raise ModelError(f"{where}: asked for {count} samples; expected 1 to {glyphs.LARGEST}")
    side, rule = resolution or glyphs.RESOLUTION, binning or Binning()
    frames = room((count, rule.time_steps, 2, side, side), np.uint16, where)
    for begin in range(0, count, glyphs.CHUNK):
        end = min(begin + glyphs.CHUNK, count)
        for index, fired in enumerate(draw(seed, split, begin, end, side), start=begin):
            frames[index] = sample_frames(fired, rule)
    ids = [f"{EVENTS}/{seed}/{split}/{index:06d}" for index in range(count)]
    return from_frames(EVENTS, split, frames, glyphs.labels(0, count), ids, glyphs.CLASSES)


def sample_frames(fired: Counts, binning: Binning) -> Frames:
    """Frames (T, 2, S, S) of a sample as `draw` gives it; all zero where nothing fired."""
    events, size = events_of(fired), (fired.shape[2], fired.shape[3])
    if not len(events):
        return np.zeros((binning.time_steps, *fired.shape[1:]), np.uint16)
    return binned(events, binning, size, size, EVENTS)


def events_of(fired: Counts) -> Events:
    """The events of a sample in order of time, then of polarity, row and column, from its counts (24, 2, S, S)."""
    step, polarity, row, column = (np.repeat(axis, fired[fired > 0]) for axis in np.nonzero(fired))
    return Events(column, row, (step + 1) * STEP_US, polarity)


def draw(seed: int, split: str, begin: int, end: int, side: int = glyphs.RESOLUTION) -> Counts:
    """Counts of events (end - begin, 24, 2, side, side) of the samples `begin` to `end`, OFF before ON.

    Step k holds what fires when the camera gets to its k-th position. Up to 3 bytes in 256 of the noise make a pixel
    fire without a reason, as often OFF as ON.
    """
    random = glyphs.Draws(glyphs.random_words(f"events/{seed}/{split}/shape", begin, end, glyphs.WORDS))
    font = random.uniform(0, len(glyphs.FONTS)).astype(np.int64)
    cells = font * len(glyphs.CLASSES) + glyphs.labels(begin, end)
    drawn = glyphs.characters(random, cells, round(FINE * FIELD * side), FIELD)  # coverage 0..256
    contrast = np.rint(random.uniform(0.8, 2.0) * OCTAVE).astype(np.int32)
    contrast = np.where(random.uniform(0, 1) < 0.5, -contrast, contrast)  # dark on light, or light on dark
    threshold = np.rint(random.uniform(0.2, 0.4) * OCTAVE).astype(np.int32)
    path = _path(random, side)
    fired = _fired(_log_intensity(drawn, contrast), path, threshold, side)
    noise = _noise(random, f"events/{seed}/{split}/noise/{side}", begin, fired.shape)
    return fired + noise


def _path(random: glyphs.Draws, side: int) -> NDArray[np.int64]:
    """Positions of the camera (N, 25, 2), row before column, from the centre in half pixels: round a triangle."""
    angle = random.uniform(0, 2 * np.pi)
    turn = np.where(random.uniform(0, 1) < 0.5, -1, 1) * (2 * np.pi / SACCADES)
    radius = FINE * side * random.uniform(0.08, 0.16)
    corner = angle[:, None] + turn[:, None] * (np.arange(SACCADES + 1) % SACCADES)  # back to the first at the end
    corners = radius[:, None, None] * np.stack([np.sin(corner), np.cos(corner)], axis=2)  # (N, 4, 2)
    share = np.arange(1, POSITIONS + 1)[:, None] / POSITIONS
    sides = corners[:, :-1, None] + (corners[:, 1:] - corners[:, :-1])[:, :, None] * share  # (N, 3, 8, 2)
    walked = sides.reshape(len(angle), SACCADES * POSITIONS, 2)
    path: NDArray[np.int64] = np.rint(np.concatenate([corners[:, :1], walked], axis=1)).astype(np.int64)
    return path


def _fired(level: Drawn, path: NDArray[np.int64], threshold: Drawn, side: int) -> Counts:
    """What fires on the way: whole thresholds between the log intensity and that at which a pixel fired last."""
    number, positions = path.shape[:2]
    fired = np.zeros((number, positions - 1, 2, side, side), np.uint8)
    step = threshold[:, None, None]
    last = _seen(level, path[:, 0], side)
    for k in range(1, positions):
        change = _seen(level, path[:, k], side) - last
        times = np.abs(change) // step
        fired[:, k - 1, 0] = np.where(change < 0, times, 0)
        fired[:, k - 1, 1] = np.where(change > 0, times, 0)
        last = last + np.sign(change) * times * step
    return fired


def _log_intensity(drawn: Drawn, contrast: Drawn) -> Drawn:
    """Log intensity [1/256 octave] against the background, of a pixel with its corner at every half pixel."""
    covered = (drawn[:, :-1, :-1] + drawn[:, :-1, 1:] + drawn[:, 1:, :-1] + drawn[:, 1:, 1:]) // FINE**2
    found: Drawn = (contrast[:, None, None] * covered) >> 8
    return found


def _seen(level: Drawn, position: NDArray[np.int64], side: int) -> Drawn:
    """What the pixels (N, S, S) see of `level` when the camera is at `position` (N, 2)."""
    corner = (level.shape[1] + 1 - FINE * side) // 2 + position
    at = corner[:, :, None] + FINE * np.arange(side)  # (N, 2, S)
    seen: Drawn = level[np.arange(len(level))[:, None, None], at[:, 0, :, None], at[:, 1, None, :]]
    return seen


def _noise(random: glyphs.Draws, stream: str, begin: int, shape: tuple[int, ...]) -> Counts:
    """Events (N, 24, 2, S, S) without a reason; a pixel has at most one of them in a step."""
    number, steps, _, side, _ = shape
    limit = np.rint(random.uniform(0, 3)).astype(np.int32)[:, None, None, None]
    words = glyphs.random_words(stream, begin, begin + number, -(-steps * side * side // 32) * 4)
    drawn = words.view(np.uint8)[:, : steps * side * side].reshape(number, steps, side, side)
    return np.stack([drawn < limit, drawn >= 256 - limit], axis=2).astype(np.uint8)
