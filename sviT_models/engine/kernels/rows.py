"""How the compiled passes see memory: sums part by part, several positions to a row where channels are few."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sviT_models.engine.kernel_protocol import Fired
from sviT_models.engine.streamed_sums import Later

Array = NDArray[Any]
ROW = 256  # channels that one row of a pass holds at least; narrower tensors take several positions as one row


def parts(sums: Array | Later, apart: bool = True) -> Iterator[tuple[int, Array, Array]]:
    """First position, sums and offset of every part of the sums; see Later."""
    return sums.parts(apart) if isinstance(sums, Later) else iter([(0, sums[None], np.zeros(sums.shape[-1]))])


class Rows(NamedTuple):
    """What a pass of neurons adds to its sums and writes, (T or 1, all rows, C) each, from row `start`; empty: none.

    `counts` (T,) takes the number of spikes by step.
    """

    rest: Array
    kept: Array
    spikes: Array
    counts: NDArray[np.int64]
    start: int


def rows_of(rest: Array | None, fired: Fired[Array], channels: int, start: int, kind: type = np.float32) -> Rows:
    """The arrays of a layer of neurons, seen as rows of so many channels; `kind` is the type of numbers."""
    rest, kept = (_as_rows(x, channels, kind) for x in (rest, fired.kept))
    return Rows(rest, kept, _as_rows(fired.spikes, channels, np.uint8), fired.counts, start)


def _as_rows(x: Array | None, channels: int, kind: type) -> Array:
    return np.empty((0, 1, 1), kind) if x is None else x.reshape(len(x), -1, channels)


def repeated(sums: Array | Later, rest: Array | None) -> Array | Later:
    """Sums that are the same in all steps, for every step where what is added to them is not."""
    if isinstance(sums, Later) or len(sums) > 1 or rest is None or len(rest) == 1:
        return sums
    return np.repeat(sums, len(rest), axis=0)


def positions_per_row(sums: Array | Later) -> int:
    """How many positions make one row, so that rows are not shorter than need be: a divisor of those of every part."""
    _, images, height, width, channels = sums.shape
    positions = images * height * width
    if isinstance(sums, Later):
        positions = sums.strip[1] * width
    together = 1
    while channels * together < ROW and positions % (2 * together) == 0:
        together *= 2
    return together


def tiled(constants: Array, together: int) -> Array:
    """Constants of the channels, repeated for every position of a row."""
    return constants if together == 1 else np.concatenate([constants] * together)
