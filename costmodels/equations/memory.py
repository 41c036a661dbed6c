"""Bits that a design stores [bit], elementwise over rows and designs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from costmodels.equations.chip import Chip
from costmodels.equations.counts import Load
from costmodels.equations.terms import words
from costmodels.widths import FLOAT

FloatArray = NDArray[np.float64]

COMPONENTS = ("weights", "packing", "scales", "biases", "states", "buffers")
"""Memory components in the order in which they are summed."""


def payload(load: Load, asked_bits: FloatArray) -> FloatArray:
    """Eq. 25: weights at the width that was asked for."""
    return load.weights * asked_bits


def stored(load: Load, chip: Chip) -> FloatArray:
    """Eq. 26: weights as stored: in the next width that the chip has, whole weights per word of its memory."""
    if math.isinf(chip.weights.size):  # the chip describes no weight memory, hence no words
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


def buffers(map_bits: FloatArray) -> FloatArray:
    """Eq. 11: what a row holds while it runs: its input and that of the next row. (R,)."""
    return np.asarray(map_bits + np.append(map_bits[1:], 0.0))


def spilled_maps(map_bits: FloatArray, size: float) -> FloatArray:
    """Eq. 37: bits of each input map that lie in DRAM when the spike memory has `size` bits, (R,); the least in sum.

    While a row runs, what is left of its input and of the next row's must fit. From left to right the later map gives
    way first, because that also makes room for the row after it.
    """
    spilled = np.zeros_like(map_bits)
    for row in np.flatnonzero(buffers(map_bits) > size):
        following = map_bits[row + 1] if row + 1 < len(map_bits) else 0.0
        excess = map_bits[row] - spilled[row] + following - size
        if excess > 0:
            later = min(excess, following)
            spilled[row] += excess - later
            if later:
                spilled[row + 1] = later
    return spilled
