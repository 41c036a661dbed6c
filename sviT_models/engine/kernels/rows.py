"""How the compiled passes see memory: sums part by part, several positions to a row where channels are few."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sviT_models.engine.streamed_sums import Later

ROW = 256  # channels that one row of a pass holds at least; narrower tensors take several positions as one row


def parts(sums: np.ndarray | Later, apart: bool = True) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """First position, sums and offset of every part of the sums; see Later."""
    return sums.parts(apart) if isinstance(sums, Later) else iter([(0, sums[None], np.zeros(sums.shape[-1]))])


def as_rows(x: np.ndarray | None, channels: int, dtype: type = np.float32) -> np.ndarray:
    """(T, rows, channels); empty and of `dtype` for None."""
    return np.empty((0, 1, 1), dtype) if x is None else x.reshape(len(x), -1, channels)


def positions_per_row(sums: np.ndarray | Later) -> int:
    """How many positions make one row, so that rows are not shorter than need be: a divisor of those of every part."""
    _, images, height, width, channels = sums.shape
    positions = images * height * width
    if isinstance(sums, Later):
        positions = sums.strip[1] * width
    together = 1
    while channels * together < ROW and positions % (2 * together) == 0:
        together *= 2
    return together


def tiled(constants: np.ndarray, together: int) -> np.ndarray:
    """Constants of the channels, repeated for every position of a row."""
    return constants if together == 1 else np.concatenate([constants] * together)
