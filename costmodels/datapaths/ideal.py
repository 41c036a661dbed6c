"""Every width has units of its own: adders, registers and multipliers switch as many bits as the operands have.

The least that any silicon can need, and the form in which narrow operands save most.
"""

import numpy as np

from costmodels.equations.chip import Chip
from costmodels.equations.counts import Operands, Switching


def switching(operands: Operands, chip: Chip) -> Switching:
    """Eq. 38: sums, operands and potentials at the widths that they have; one operation per cycle."""
    return Switching(
        add_bits=operands.sums,
        register_bits=operands.sums,
        product_bits2=operands.weights * operands.inputs,
        product_bits=(operands.weights + operands.inputs) / 2,
        neuron_bits=operands.states,
        per_cycle=np.ones(()),
        runs=np.ones((), dtype=np.bool_),
    )
