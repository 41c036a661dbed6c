"""An array of processing elements, output positions x output channels: how full it is and what it reads again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Array:
    """Processing elements that work on a tile of output positions and some output channels at a time."""

    positions: float
    channels: float

    @property
    def tile(self) -> tuple[int, int]:
        """Height and width of the tile of positions: as square as whole numbers allow, the width the larger."""
        height = max(n for n in range(1, math.isqrt(int(self.positions)) + 1) if self.positions % n == 0)
        return height, int(self.positions) // height


def utilisation(columns: Mapping[str, FloatArray], array: Array) -> FloatArray:
    """Eq. 42: share of the elements that have work, the mean over the passes of a row, (R,).

    A row takes ceil(positions / tile) x ceil(channels / array) passes, and the last of each may be partly empty.
    """
    positions = columns["out_height"] * columns["out_width"]
    share = np.ones_like(positions)
    for outputs, room in ((positions, array.positions), (columns["out_channels"], array.channels)):
        share *= outputs / (np.ceil(outputs / room) * room)
    return share


def rereads(columns: Mapping[str, FloatArray], array: Array) -> FloatArray:
    """Eq. 43: how often an input element is read, the mean over a row's input, (R,); at least once.

    Every group of output channels reads the input again (in depthwise rows its own channels only), and neighbouring
    tiles read the inputs that both need (halo). A map of one row, as tokens are, is cut along its length.
    """
    rows = len(columns["out_channels"])
    height, width = array.tile
    depthwise = (columns["groups"] > 1) & (columns["groups"] == columns["in_channels"])
    groups = np.where(depthwise, 1.0, np.ceil(columns["out_channels"] / array.channels))
    halo = np.ones(rows)
    for row in range(rows):
        shape = tuple(float(columns[name][row]) for name in ("kernel", "stride", "padding"))
        if shape[0] == 1.0:
            continue
        for axis, tile in (("height", height), ("width", width)):
            size, outputs = float(columns[f"in_{axis}"][row]), float(columns[f"out_{axis}"][row])
            halo[row] *= _read(size, outputs, tile, shape) / size
    return np.maximum(1.0, groups * halo)


@lru_cache(maxsize=4096)
def _read(size: float, outputs: float, tile: int, shape: tuple[float, ...]) -> float:
    """Inputs that all tiles along one axis read, padding left out."""
    kernel, stride, padding = shape
    read = 0.0
    for first in range(0, int(outputs), tile):
        last = min(first + tile, int(outputs)) - 1
        begin, end = first * stride - padding, last * stride - padding + kernel
        read += max(0.0, min(end, size) - max(begin, 0.0))
    return read
