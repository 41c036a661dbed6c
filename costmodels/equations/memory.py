"""Bits that a design stores [bit], elementwise over rows and designs."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from costmodels.equations.chip import Chip
from costmodels.equations.counts import Load
from costmodels.equations.terms import words
from costmodels.widths import FLOAT
from costmodels.workload.streams import Shortcuts

FloatArray = NDArray[np.float64]

COMPONENTS = ("weights", "packing", "scales", "biases", "states", "buffers")
"""Memory components in the order in which they are summed."""


def payload(load: Load, asked_bits: FloatArray) -> FloatArray:
    """Eq. 25: weights at the width that was asked for."""
    return load.weights * asked_bits


def stored(load: Load, chip: Chip) -> FloatArray:
    """Eq. 26: weights as stored: in the next width that the chip has, whole weights per word of its memory."""
    if np.all(np.isinf(chip.weights.size)):  # the chip describes no weight memory, hence no words
        return load.weights * load.weight_bits
    return words(load.weights, load.weight_bits, chip.weights.word) * chip.weights.word


def scales(load: Load, chip: Chip) -> FloatArray:
    """Eq. 27: one scale per output channel of an integer layer; float layers need none."""
    channels = np.where(load.geometry.has_weights, load.geometry.out_elements / load.geometry.positions, 0.0)
    return np.where(load.is_float, 0.0, channels * chip.scale_bits)


def biases(load: Load, chip: Chip, constants: FloatArray) -> FloatArray:
    """Eq. 28: one constant per output channel behind which batch norm or bias was folded; 32 bit in float layers."""
    return constants * np.where(load.is_float, float(FLOAT), chip.bias_bits)


def states(load: Load, chip: Chip) -> FloatArray:
    """Eq. 29: membrane potentials that are kept between time steps, packed into words of the state memory."""
    return words(load.neurons, load.state_bits, chip.states.word) * chip.states.word


def streams(stream_bits: FloatArray, shortcuts: Shortcuts) -> FloatArray:
    """Eq. 29: residual streams that stay in the state memory, (..., R), in the rows where they begin."""
    return shortcuts.resident(stream_bits)


def buffers(map_bits: FloatArray, stream_bits: FloatArray, shortcuts: Shortcuts) -> FloatArray:
    """Eq. 11: what a row holds while it runs, (..., R): its input, that of the next row, and sums held for additions.

    map_bits (..., R); stream_bits (..., A) of the held sums.
    """
    held = stream_bits @ shortcuts.alive + map_bits  # whole bits, whose sums are exact in any order
    held[..., :-1] += map_bits[..., 1:]
    return held


def spilled(
    held: FloatArray, map_bits: FloatArray, stream_bits: FloatArray, shortcuts: Shortcuts, size: float
) -> FloatArray:
    """Eq. 37: bits that lie in DRAM when the spike memory has `size` bits, (..., R), the least in sum.

    `held` are the `buffers` of the same maps and sums. Maps are charged to the row that reads them, held sums to the
    row whose result they are added to. While a row runs, what is left of its input, of the next row's and of the held
    sums must fit. From left to right, what is needed last gives way first, because that also makes room for the rows
    until then.
    """
    crowded = np.flatnonzero((held > size).reshape(-1, shortcuts.rows).any(axis=0))
    axes = held.shape[:-1]
    out = np.zeros(held.shape)
    if not len(crowded):
        return out
    if not axes:
        return np.array(
            _spilled_alone((*map_bits.tolist(), *stream_bits.tolist()), tuple(crowded.tolist()), shortcuts, size)
        )
    bits = [
        *np.moveaxis(np.broadcast_to(map_bits, held.shape), -1, 0),
        *np.moveaxis(stream_bits, -1, 0),
    ]
    for row in crowded.tolist():
        excess = sum(bits[place] for place, _ in shortcuts.held[row]) - size
        for place, until in shortcuts.held[row]:
            leaves = np.maximum(0.0, np.minimum(excess, bits[place]))
            bits[place], excess = bits[place] - leaves, excess - leaves
            out[..., until] += leaves
    return out


@lru_cache(maxsize=64)
def _spilled_alone(bits: tuple[float, ...], crowded: tuple[int, ...], shortcuts: Shortcuts, size: float) -> list[float]:
    """Eq. 37 of one set of maps and sums: designs of one network that differ in weights have the same."""
    left, out = list(bits), [0.0] * shortcuts.rows
    for row in crowded:
        excess = sum([left[place] for place, _ in shortcuts.held[row]]) - size
        for place, until in shortcuts.held[row]:
            if excess <= 0:
                break
            leaves = min(excess, left[place])
            left[place], excess = left[place] - leaves, excess - leaves
            out[until] += leaves
    return out
