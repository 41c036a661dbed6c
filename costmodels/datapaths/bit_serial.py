"""One bit of the weight per cycle: time and energy of an operation are proportional to the weight's width.

Units in the style of Stripes (Judd et al., MICRO 2016) and UNPU (JSSC 2019), whose measured efficiency rises 16.4 times
from 16-bit to 1-bit weights.
"""

import numpy as np

from costmodels.equations.chip import Chip
from costmodels.equations.counts import Operands, Switching


def switching(operands: Operands, chip: Chip) -> Switching:
    """Eq. 40: as many steps as the weight has bits; in each a tree adds up some inputs, gated by one bit each.

    What the tree gives is added to the sum of that bit, which is as wide as fan_in inputs need. The sums of all bits
    are put together once per output, which is not charged. In attention the second operand takes the weight's place.
    """
    steps, lanes = np.maximum(operands.weights, 1.0), chip.serial_lanes
    plane = operands.inputs + operands.growth
    width = np.minimum(plane, chip.accumulator_bits) if chip.accumulator_grows else chip.accumulator_bits
    tree = operands.inputs + np.ceil(np.log2(lanes)) if lanes > 1 else 0.0
    none = np.zeros_like(operands.sums)
    return Switching(
        add_bits=steps * (tree + width / lanes),
        register_bits=steps * width / lanes,
        product_bits2=none,
        product_bits=none,
        neuron_bits=operands.states,
        per_cycle=1.0 / steps,
        runs=np.ones((), dtype=np.bool_),
    )
