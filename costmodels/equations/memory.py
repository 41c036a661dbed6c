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
