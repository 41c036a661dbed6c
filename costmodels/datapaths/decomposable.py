"""A wide unit that splits into halves and quarters: narrow operands run side by side, at the next width that it has.

Subword-parallel and fused units: DVAFS (Moons et al., Envision, ISSCC 2017), Bit Fusion (Sharma et al., ISCA 2018).
"""

from __future__ import annotations

import numpy as np

from costmodels.datapaths._unit import fits, sum_width
from costmodels.equations.chip import Chip
from costmodels.equations.counts import FloatArray, Operands, Switching


def split(bits: FloatArray, full: float, smallest: float) -> FloatArray:
    """The narrowest of full, full / 2, full / 4, ... that holds `bits` and is at least `smallest`; else full."""
    width = np.full_like(bits, full)
    while width.size and np.any(narrower := (width / 2 >= np.maximum(bits, smallest))):
        width = np.where(narrower, width / 2, width)
    return width


def switching(operands: Operands, chip: Chip) -> Switching:
    """Eq. 41: widths rounded up to what the unit splits into.

    A cycle does as many products as there are pairs of split operands in the unit, and as many additions as narrow
    sums have room in the full unit's adder. Every sum is kept apart.
    """
    full, other, least = chip.unit_weight_bits, chip.unit_input_bits, chip.unit_smallest_bits
    weights, inputs = split(operands.weights, full, least), split(operands.inputs, other, least)
    sums = sum_width(operands, chip, weights, inputs)
    side_by_side = (full / weights) * (other / inputs)
    adders = np.floor(sum_width(operands, chip, full, other) / sums)
    share = least / full  # potentials split as often as weights do
    return Switching(
        add_bits=sums,
        register_bits=sums,
        product_bits2=weights * inputs,
        product_bits=(weights + inputs) / 2,
        neuron_bits=split(operands.states, chip.state_bits, chip.state_bits * share),
        per_cycle=np.where(operands.multiplies, side_by_side, np.maximum(1.0, adders)),
        runs=fits(operands, chip),
    )
