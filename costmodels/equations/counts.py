"""What a data flow is told about the work, and what it says about the actions; arrays are (..., R)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from costmodels.workload.geometry import Geometry

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Steps = float | FloatArray  # time steps of all rows, or of each (R,)


@dataclass(frozen=True, eq=False)
class Operands:
    """What the operations of a row work on, widths in bit; arrays that broadcast to (..., R).

    weights     of a stored weight, or of the second operand of an attention product
    inputs      of one input element; 1 for spikes
    sums        of the accumulator that the row has (eq. 33)
    needed      of the accumulator that never overflows
    states      of a membrane potential
    growth      ceil(log2(fan_in)), (R,)
    multiplies  rows whose operations are multiplications, (R,)
    attention   rows that are products of two streams, (R,)
    """

    weights: FloatArray
    inputs: FloatArray
    sums: FloatArray
    needed: FloatArray
    states: FloatArray
    growth: FloatArray
    multiplies: BoolArray
    attention: BoolArray


@dataclass(frozen=True, eq=False)
class Switching:
    """What a processing element switches for one operation; arrays that broadcast to (..., R).

    add_bits       bits that the adder switches for one operation
    register_bits  bits that one operation writes into a register
    product_bits2  product of the operand widths of one multiplication (eq. 14)
    product_bits   mean of the two
    neuron_bits    bits that one addition of a neuron switches
    per_cycle      operations of one processing element in a cycle
    runs           whether the unit is wide enough for the row
    """

    add_bits: FloatArray
    register_bits: FloatArray
    product_bits2: FloatArray
    product_bits: FloatArray
    neuron_bits: FloatArray
    per_cycle: FloatArray
    runs: BoolArray


@dataclass(frozen=True, eq=False)
class Load:
    """The work of one inference: geometry and columns (R,), activity and widths (..., R).

    `weight_bits` are the widths as stored, 0 in rows without weights; `is_float` marks 32-bit weights; `input_bits`
    are the widths of one input element (1 for spikes; 32 at a float multiplier), `buffered_bits` (..., R) those in its
    buffer, and `sum_bits` those of the accumulators. `utilisation` (R,) is the share of the processing elements that
    have work, `rereads` (R,) is how often an input element is read. `multiplies` (R,) marks rows whose operations are
    multiplications on this chip, `leak_bits` (R,) are the widths of factors of leaks that are no shift, and `switching`
    is what the chip's datapath makes of all these. `stream_elements` (R,) are elements of residual streams to which the
    row's results are added in one step, and `stream_bits` (..., R) their bits. `product_share` and `product_sums_share`
    (R,) say what product sparsity leaves of an operation and how many sums it moves for one; NaN: not measured.
    `nonzero` (..., R) is the share of operations that happen where those with zero weights are left out.
    `idle_steps` are further time steps in which other rows of a pipeline are at work (eq. 36). `needed_sum_bits`
    (..., R) are those of sums that never overflow.
    """

    geometry: Geometry
    macs: FloatArray
    weights: FloatArray
    neurons: FloatArray
    time_steps: Steps
    spikes: FloatArray
    lif_spikes: FloatArray
    synops: FloatArray
    weight_bits: FloatArray
    state_bits: FloatArray
    input_bits: FloatArray
    buffered_bits: FloatArray
    sum_bits: FloatArray
    is_float: BoolArray
    utilisation: FloatArray
    rereads: FloatArray
    multiplies: BoolArray
    leak_bits: FloatArray
    switching: Switching
    stream_elements: FloatArray
    stream_bits: FloatArray
    product_share: FloatArray
    product_sums_share: FloatArray
    nonzero: FloatArray
    idle_steps: float
    needed_sum_bits: FloatArray


_NOTHING: FloatArray = np.zeros(())
_NOTHING.setflags(write=False)


def _never() -> FloatArray:
    """No action, in any row and design."""
    return _NOTHING


@dataclass(frozen=True, eq=False, kw_only=True)
class Counts:
    """Actions of one inference per row; each broadcasts to (..., R). What a data flow does not mention never happens.

    additions, multiplications   synaptic operations with spikes and with multi-bit inputs
    weight_words                 words read from the weight memory
    sum_words                    words of partial sums read and written in the state memory
    register_bits                bits of partial sums and potentials written into registers
    state_words                  words of membrane potentials read and written in the state memory
    spike_words_read, _written   words of the spike memory
    packets                      messages on the network on chip
    idle_state_words             the same in steps in which only other rows are at work
    neuron_steps                 neuron updates
    idle_neuron_steps            neuron updates in steps in which only other rows are at work
    own_sum_bits                 what sums beside the potentials take in the state memory
    rescales                     outputs that a channel's scale and constant are applied to
    stream_additions             additions of results to residual streams
    stream_bit_additions         the same times their widths
    stream_words                 words of held sums that are written and read, in the spike memory
    stream_state_words           the same in the state memory, where the stream is resident
    map_bits                     what the input takes in the spike memory while it is held
    stream_copies                time steps of a stream that are held in the spike memory; 0: resident
    fetches                      how often per inference a weight that does not stay on the chip is fetched
    """

    additions: FloatArray
    multiplications: FloatArray
    weight_words: FloatArray = field(default_factory=_never)
    sum_words: FloatArray = field(default_factory=_never)
    register_bits: FloatArray = field(default_factory=_never)
    state_words: FloatArray = field(default_factory=_never)
    idle_state_words: FloatArray = field(default_factory=_never)
    own_sum_bits: FloatArray = field(default_factory=_never)
    spike_words_read: FloatArray = field(default_factory=_never)
    spike_words_written: FloatArray = field(default_factory=_never)
    packets: FloatArray = field(default_factory=_never)
    neuron_steps: FloatArray = field(default_factory=_never)
    idle_neuron_steps: FloatArray = field(default_factory=_never)
    rescales: FloatArray = field(default_factory=_never)
    stream_additions: FloatArray = field(default_factory=_never)
    stream_bit_additions: FloatArray = field(default_factory=_never)
    stream_words: FloatArray = field(default_factory=_never)
    stream_state_words: FloatArray = field(default_factory=_never)
    map_bits: FloatArray = field(default_factory=_never)
    stream_copies: float = 0.0
    fetches: float = 0.0
