"""What the datapaths with units of fixed width have in common."""

import numpy as np

from costmodels.equations.chip import Chip
from costmodels.equations.counts import BoolArray, FloatArray, Operands


def sum_width(operands: Operands, chip: Chip, weights: FloatArray | float, inputs: FloatArray | float) -> FloatArray:
    """The adder behind a unit whose operands are that wide, (..., R): as wide as its sums can get, or the chip's.

    Never narrower than the sums of the row (attention adds up operands that no multiplier sees).
    """
    grown = weights + np.where(operands.multiplies, inputs, 0.0) + operands.growth
    width = np.minimum(grown, chip.accumulator_bits) if chip.accumulator_grows else chip.accumulator_bits
    return np.maximum(width, operands.sums)


def fits(operands: Operands, chip: Chip) -> BoolArray:
    """Whether the unit is wide enough for weights, products and potentials of a row, (..., R).

    The two operands of a product of streams may change places.
    """
    wide, narrow = chip.unit_weight_bits, chip.unit_input_bits
    weights, inputs = operands.weights, operands.inputs
    straight = (weights <= wide) & (inputs <= narrow)
    swapped = operands.attention & (weights <= narrow) & (inputs <= wide)
    adds = np.where(operands.attention, True, weights <= wide)  # additions need no multiplier
    return np.where(operands.multiplies, straight | swapped, adds) & (operands.states <= chip.state_bits)
