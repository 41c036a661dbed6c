"""Units of one width: a narrow weight passes the multiplier, adder and register of a wide one and saves nothing there.

What spiking-transformer ASICs have (Fang et al., CICC 2024: 8-bit adders); narrow weights save storage and fetches.
"""

import numpy as np

from costmodels.datapaths._unit import fits, sum_width
from costmodels.equations.chip import Chip
from costmodels.equations.counts import Operands, Switching


def switching(operands: Operands, chip: Chip) -> Switching:
    """Eq. 39: sums and products as wide as the unit, potentials as wide as the chip's; one operation per cycle."""
    weights, inputs = chip.unit_weight_bits, chip.unit_input_bits
    same = np.ones_like(operands.sums)
    sums = sum_width(operands, chip, weights, inputs)
    return Switching(
        add_bits=sums,
        register_bits=sums,
        product_bits2=same * weights * inputs,
        product_bits=same * (weights + inputs) / 2,
        neuron_bits=np.maximum(operands.states, chip.state_bits),
        per_cycle=np.ones(()),
        runs=fits(operands, chip),
    )
