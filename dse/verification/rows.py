"""What is measured in verification: a candidate on a batch of unseen images, as values to store and share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.arrays import BoolArray, IntArray


@dataclass(frozen=True)
class Task:
    """A measurement to be made.

    candidate: id of the design; batch: number of the batch; images: positions among the unseen images, ascending.
    """

    candidate: str
    batch: int
    images: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """A measurement that was made: the task, and which of its images changed sides.

    lost: positions of images that the float network gets right and the design wrong; won: the other way round.
    """

    candidate: str
    batch: int
    images: tuple[int, ...]
    lost: tuple[int, ...]
    won: tuple[int, ...]

    @staticmethod
    def of(task: Task, before: BoolArray, after: BoolArray) -> Row:
        """The row of a task, from which of its images float network and design get right, (images,) each."""
        places = np.asarray(task.images, dtype=np.int64)
        lost, won = places[before & ~after], places[~before & after]
        return Row(task.candidate, task.batch, task.images, tuple(lost.tolist()), tuple(won.tolist()))

    def record(self) -> dict[str, Any]:
        """What the task does not say of the row, as JSON values."""
        return {"lost": list(self.lost), "won": list(self.won)}

    @staticmethod
    def from_record(task: Task, record: Mapping[str, Any]) -> Row:
        """The inverse of `record`, for the row's task."""
        return Row(task.candidate, task.batch, task.images, tuple(record["lost"]), tuple(record["won"]))


def table(rows: Iterable[Row], candidates: Sequence[str], images: int) -> tuple[BoolArray, IntArray]:
    """Rows as arrays (K, M) over candidates and unseen images: which were measured, and 1 lost, -1 won, 0 neither.

    A measurement that is there twice counts once; rows of other designs are left out.
    """
    seen = np.zeros((len(candidates), images), dtype=np.bool_)
    changed = np.zeros((len(candidates), images), dtype=np.int64)
    place = {name: k for k, name in enumerate(candidates)}
    for row in rows:
        if (k := place.get(row.candidate)) is None:
            continue
        seen[k, list(row.images)] = True
        changed[k, list(row.lost)], changed[k, list(row.won)] = 1, -1
    return seen, changed
