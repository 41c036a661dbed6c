"""Energy of the counted actions [J]: one function per component, elementwise over rows and designs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load

FloatArray = NDArray[np.float64]

COMPONENTS = (
    *("compute", "control", "neurons", "rescale", "weights", "sums", "states", "spikes", "streams", "noc", "dram"),
    "leakage",
)
"""Energy components in the order in which they are summed."""
NEURON_ADDITIONS = 3.0  # leak (a shift and a subtraction), integration, comparison with the threshold


def addition(chip: Chip, bits: FloatArray) -> FloatArray:
    """Eq. 13: an integer addition of `bits` [J]; linear in width (Horowitz 2014 as fitted by QKeras)."""
    return chip.add_per_bit * bits


def multiplication(chip: Chip, a_bits: FloatArray, b_bits: FloatArray) -> FloatArray:
    """Eq. 14: an integer multiplication [J]; bilinear in the two widths, through Horowitz's 8 and 32 bit points."""
    return product(chip, a_bits * b_bits, (a_bits + b_bits) / 2)


def product(chip: Chip, bits2: FloatArray, bits: FloatArray) -> FloatArray:
    """Eq. 14 of the product and the mean of two operand widths [J]."""
    return chip.multiply_per_bit2 * bits2 + chip.multiply_per_bit * bits


def compute(load: Load, counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 15: synaptic operations [J].

    Integer adders at accumulator width, a multiplier before them where the input has several bits; fp32 units in rows
    with 32-bit weights; or the chip's own energy per operation.
    """
    if chip.fixed_operations:
        add = np.where(load.geometry.convolution, chip.accumulate_convolution, chip.accumulate)
        return np.asarray(counts.additions * add + counts.multiplications * chip.multiply_accumulate)
    as_float = counts.additions * chip.float_add + counts.multiplications * (chip.float_multiply + chip.float_add)
    return np.where(load.is_float, as_float, integer_compute(load, counts, chip))


def integer_compute(load: Load, counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 15 for integers of the given widths, whatever the number format [J]; the datapath says what switches."""
    unit = load.switching
    add = addition(chip, unit.add_bits)
    multiply = product(chip, unit.product_bits2, unit.product_bits)
    return counts.additions * add + counts.multiplications * (multiply + add)


def neurons(load: Load, counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 16: neuron updates, and where the chip states an energy for them, spikes [J]."""
    steps = counts.neuron_steps + counts.idle_neuron_steps
    updates = steps * per_update(load, chip)
    if not chip.fixed_neuron:
        return updates
    return updates + np.where(steps > 0, load.lif_spikes, 0.0) * chip.neuron_spike


def per_update(load: Load, chip: Chip) -> FloatArray:
    """Eq. 16: one neuron update [J]: three integer additions at state width, or the chip's own energies per event.

    A leak that is no shift multiplies where the other one subtracts.
    """
    if chip.fixed_neuron:
        return np.full_like(load.neurons, chip.neuron_access + chip.neuron_update)
    bits = load.switching.neuron_bits
    add = addition(chip, bits)
    leak = np.where(load.leak_bits > 0, multiplication(chip, bits, load.leak_bits) - add, 0.0)
    return np.asarray(NEURON_ADDITIONS * add + leak)


def rescale(load: Load, counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 17: scale and constant of each output [J]: one multiplication and one addition at accumulator width."""
    if chip.fixed_operations:
        return np.zeros_like(load.sum_bits)
    scale = np.full_like(load.sum_bits, chip.scale_bits)
    integer = multiplication(chip, load.sum_bits, scale) + addition(chip, load.sum_bits)
    return counts.rescales * np.where(load.is_float, chip.float_multiply + chip.float_add, integer)


def control(counts: Counts, chip: Chip, arithmetic: FloatArray) -> FloatArray:
    """Eq. 18: fetching, decoding and sequencing [J]: a multiple of the arithmetic, or an energy per operation.

    `arithmetic` is that of integers also in float rows: sequencing does not depend on the number format. Source of the
    multiple: SENECA (PMC10326429, table 8), 1.2 pJ for an instruction whose arithmetic takes 0.3 pJ.
    """
    operations = counts.additions + counts.multiplications + counts.stream_additions
    operations = operations + counts.neuron_steps + counts.idle_neuron_steps
    return (chip.control_factor - 1.0) * arithmetic + chip.control_per_operation * operations


def weights(counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 19: reads of the weight memory [J]."""
    return counts.weight_words * chip.weights.read


def sums(counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 20: partial sums, read and written in the state memory or kept in registers [J]."""
    in_memory = counts.sum_words * (chip.states.read + chip.states.write)
    return in_memory + counts.register_bits * chip.register_per_bit


def states(counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 21: membrane potentials, read and written once per neuron and step [J]."""
    return (counts.state_words + counts.idle_state_words) * (chip.states.read + chip.states.write)


def idle(load: Load, counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 65: sweeps in steps in which only other rows are at work [J], with their control.

    A part of neurons, states and control; inferences that follow each other without pause leave no such steps.
    """
    update = chip.control_factor * per_update(load, chip) + chip.control_per_operation
    swept = counts.idle_state_words * (chip.states.read + chip.states.write)
    return np.asarray(counts.idle_neuron_steps * update + swept)


def spikes(counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 22: spike memory traffic [J]."""
    return counts.spike_words_read * chip.spikes.read + counts.spike_words_written * chip.spikes.write


def stream_arithmetic(counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 51: additions to residual streams at their width, or at the chip's energy per accumulation [J]."""
    if chip.fixed_operations:
        return counts.stream_additions * chip.accumulate
    return addition(chip, counts.stream_bit_additions)


def streams(counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 51: residual streams: their additions, and what is held of them written once and read once [J]."""
    in_spikes = counts.stream_words * (chip.spikes.read + chip.spikes.write)
    in_states = counts.stream_state_words * (chip.states.read + chip.states.write)
    return np.asarray(stream_arithmetic(counts, chip) + in_spikes + in_states)


def noc(counts: Counts, chip: Chip) -> FloatArray:
    """Eq. 23: packets on the network on chip, made, moved over the mean distance and received [J]."""
    return counts.packets * (chip.message + chip.hops * chip.hop)


def fetch_per_bit(chip: Chip) -> float:
    """Eq. 24: energy of bringing one bit of weights from DRAM into the weight memory [J/bit]."""
    return chip.dram_energy + chip.weights.write / chip.weights.word
