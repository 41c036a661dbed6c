"""How often each action happens: the counting terms that data flows are put together from.

Every function is elementwise over rows and designs, so that a million designs are one table look-up per row.
The equations are numbered as in docs/cost-models.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from costmodels.equations.counts import Load, Steps

FloatArray = NDArray[np.float64]


def split_operations(load: Load, operations: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eq. 1: operations as additions (spikes, attention) and multiplications (multi-bit input), (..., R) each.

    Those with weights that are zero are left out where the chip skips them.
    """
    multiplies, operations = load.multiplies, operations * load.nonzero
    return np.where(multiplies, 0.0, operations), np.where(multiplies, operations, 0.0)


def image_once(load: Load) -> Load:
    """Eq. 85: the work where rows that see a still image run in one step: their results are the same in all others."""
    steps = np.where(load.geometry.image, 1.0, load.time_steps)
    share = steps / load.time_steps
    return replace(load, time_steps=steps, synops=load.synops * share, spikes=load.spikes * share)


def literature_operations(load: Load) -> FloatArray:
    """Eq. 2: rate x FLOPs, summed over time steps; T x FLOPs with multi-bit input. (..., R).

    The convention of SDTv1 (supplement S1, S2) and its followers: borders ignored, one FLOP is one MAC.
    """
    rate_times_steps = load.spikes / load.geometry.in_elements
    return load.macs * np.where(load.geometry.multiplies, load.time_steps, rate_times_steps)


def words(elements: FloatArray, bits: FloatArray, word: float) -> FloatArray:
    """Eq. 3: words that `elements` of `bits` occupy when whole elements are packed into words.

    floor(word / bits) elements share a word; an element wider than the word takes several.  0 bits take no word.
    """
    bits = np.asarray(bits, dtype=np.float64)
    some = np.maximum(bits, 1.0)
    per_word = np.maximum(np.floor(word / some), 1.0)
    return np.where(bits > 0, np.ceil(elements / per_word) * np.ceil(some / word), 0.0)


def weight_words(load: Load, operations: FloatArray, word: float) -> FloatArray:
    """Eq. 4: words read from the weight memory for `operations` whose weights are fetched anew. (..., R).

    An input fetches runs of weights that lie side by side; operations / run of them, each words(run) long.
    """
    run = load.geometry.weight_run
    return operations / run * words(run, load.weight_bits, word)


def shared_operations(load: Load, tile: float, steps_together: Steps) -> FloatArray:
    """Eq. 5: operations that need a weight fetch when `tile` output positions and some steps share it. (..., R).

    At most one fetch per spike, and at most one per tile of output positions and group of steps that run together.
    """
    shared = np.minimum(tile, load.geometry.positions)
    return np.minimum(load.synops, load.macs * (load.time_steps / steps_together) / shared)


def sum_words(load: Load, operations: FloatArray, bits: FloatArray, word: float) -> FloatArray:
    """Eq. 6: words of partial sums of `bits` that are read and written when sums live in memory. (..., R)."""
    run = load.geometry.sum_run
    return operations / run * words(run, bits, word)


def swept_sums(load: Load, word: float) -> FloatArray:
    """Eq. 64: words of sums beside the potentials; a sweep reads, adds and clears them all. (..., R)."""
    return words(load.geometry.out_elements, load.sum_bits, word)


def state_words(load: Load, steps: Steps, word: float) -> FloatArray:
    """Eq. 7: words of membrane potentials that one sweep in each of `steps` reads and writes. (..., R)."""
    return steps * words(load.neurons, load.state_bits, word)


def traffic_bits(
    events: FloatArray, address_bits: FloatArray, elements: FloatArray, bits: FloatArray, steps: Steps
) -> FloatArray:
    """Eq. 8: bits that carry a layer's activity: address events or a bitmap, whichever is smaller.

    Multi-bit elements (bits > 1) travel as they are. The bitmap wins above a rate of 1 / address_bits.
    """
    bitmap = elements * bits * steps
    return np.where(bits > 1, bitmap, np.minimum(events * address_bits, bitmap))


def spike_words_read(load: Load, word: float) -> FloatArray:
    """Eq. 9: words of the spike memory read: the input once, and the second operand of attention products. (..., R).

    An event of K or Q meets the row of V or of K^T V that belongs to its token or channel.
    """
    shape = load.geometry
    operand = np.where(shape.attention, load.spikes * words(shape.weight_run, shape.operand_bits, word), 0.0)
    return input_words(load, word) + operand


def input_words(load: Load, word: float) -> FloatArray:
    """Eq. 9: words of the spike memory that hold a row's input, as often as it is read. (..., R)."""
    shape = load.geometry
    bits = traffic_bits(load.spikes, shape.address_bits, shape.in_elements, load.input_bits, load.time_steps)
    return bits / word * load.rereads


def spike_words_written(load: Load, word: float) -> FloatArray:
    """Eq. 10: words written into the spike memory: what the row's neurons emit, or its multi-bit input. (..., R)."""
    shape = load.geometry
    emitted = traffic_bits(
        load.lif_spikes, shape.neuron_address_bits, load.neurons, np.ones_like(load.neurons), load.time_steps
    )
    dense = shape.written_inputs * load.input_bits * load.time_steps
    return (np.where(load.neurons > 0, emitted, 0.0) + dense) / word


def map_bits(load: Load, steps_together: Steps) -> FloatArray:
    """Eq. 11: bits of spike memory that a row's input takes while it is held, (..., R).

    Held as bitmaps, since a buffer must take the worst case. Between convolutions without a neuron only as many rows
    of the map are held as the kernel is high (line buffer).
    """
    shape = load.geometry
    held = np.where(shape.multiplies & ~shape.image, shape.line_elements, shape.in_elements)
    return np.asarray(held * load.buffered_bits * steps_together)


class StreamCounts(TypedDict):
    """Counts of residual streams by their names in `Counts`."""

    stream_additions: FloatArray
    stream_bit_additions: FloatArray


def stream_additions(load: Load) -> StreamCounts:
    """Eq. 50: additions of a row's results to held sums of residual streams, and the bits that they add. (..., R)."""
    return {
        "stream_additions": load.stream_elements * load.time_steps,
        "stream_bit_additions": load.stream_bits * load.time_steps,
    }


def stream_words(load: Load, word: float) -> FloatArray:
    """Eq. 50: words of held sums, which are written once and read once per step, packed without gaps. (..., R)."""
    return load.stream_bits * load.time_steps / word


def rescales(load: Load) -> FloatArray:
    """Eq. 12: outputs of weight layers per inference, each scaled and shifted by its channel's constants. (..., R)."""
    return np.where(load.geometry.has_weights, load.geometry.out_elements * load.time_steps, 0.0)
