"""The folder of DVS128 Gesture: recordings of many gestures, and for each a table of which one was made when.

Source: Amir et al., "A Low Power, Fully Event-Based Gesture Recognition System", CVPR 2017. `trials_to_train.txt` and
`trials_to_test.txt` name the recordings; `NAME.aedat` has its gestures in `NAME_labels.csv`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sviT_models.data.event_files import Gesture, read_aedat, read_labels
from sviT_models.data.events import Binning, Events, Frames, Sensor, binned, check, frame_size
from sviT_models.data.frames import room
from sviT_models.errors import ModelError

SENSOR = (128, 128)
TRIALS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
ENDING = ".aedat"


@dataclass(frozen=True)
class Recordings:
    """Gestures in recordings: gesture i is `gestures[i]` of the recording `files[i]`, and so for `ids`."""

    files: tuple[Path, ...]
    gestures: tuple[Gesture, ...]
    ids: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Classes from 0, (N,)."""
        return np.array([gesture.label - 1 for gesture in self.gestures], np.int64)

    def frames(self, chosen: NDArray[np.int64], binning: Binning, resolution: int | None) -> Frames:
        """Frames (len(chosen), T, 2, H, W) of some gestures; every recording is read once.

        Raises ModelError, naming recording and gesture, for events that the sensor cannot have sent and for a gesture
        without events.
        """
        folder = str(self.files[0].parent)
        size = frame_size(SENSOR, resolution, folder)
        frames = room((len(chosen), binning.time_steps, 2, *size), np.uint16, folder)
        for file in dict.fromkeys(self.files[index] for index in chosen):
            events = read_aedat(file)
            check(events, SENSOR, str(file))
            for place, index in enumerate(chosen):
                if self.files[index] == file:
                    frames[place] = _frames(events, file, self.gestures[index], binning, size)
        return frames


def is_folder(path: Path) -> bool:
    """Whether `path` is the folder of DVS128 Gesture."""
    return all((path / name).is_file() for name in TRIALS.values())


def listing(path: Path, part: str) -> Recordings:
    """The gestures of `part`, train or test; the classes are those of both. Raises ModelError for broken tables."""
    rows = {each: _rows(path, name) for each, name in TRIALS.items()}
    most = max(gesture.label for each in rows.values() for _, gesture, _ in each)
    files, gestures, ids = zip(*rows[part], strict=True)
    return Recordings(files, gestures, ids, tuple(str(label) for label in range(1, most + 1)))


def _rows(path: Path, trials: str) -> list[tuple[Path, Gesture, str]]:
    """Recording, gesture and id of every gesture in the recordings that the file `trials` names."""
    lines = (path / trials).read_text(encoding="utf-8", errors="replace").splitlines()
    names = [line.strip() for line in lines if line.strip()]
    rows = []
    for name in names:
        file = path / name
        if Path(name).name != name or file.suffix != ENDING or not file.is_file():
            raise ModelError(f"{path / trials}: names {name[:80]!r}, which is no {ENDING} file beside it; put it there")
        found = read_labels(path / f"{file.stem}_labels.csv")
        rows += [(file, gesture, f"{file.stem}/{number:02d}") for number, gesture in enumerate(found)]
    if not rows:
        raise ModelError(f"{path / trials}: names no recordings; expected one {ENDING} file per line")
    return rows


def _frames(events: Events, file: Path, gesture: Gesture, binning: Binning, size: Sensor) -> Frames:
    where = f"{file}: gesture {gesture.label} from {gesture.begin} to {gesture.end} us"
    begin, end = np.searchsorted(events.t, (gesture.begin, gesture.end))
    if begin == end:
        raise ModelError(f"{where}: the recording has no events then; it runs from {events.t[0]} to {events.t[-1]} us")
    return binned(events[begin:end], binning, SENSOR, size, where)
