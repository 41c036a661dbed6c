"""Weights that do not fit: what is pinned, what streams through a double buffer, and what is read again for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Streaming:
    """What it takes to stream the weights of rows, (..., R).

    hidden_bits    transferred bits behind which the row's own work goes on: they take no time of their own
    single_bits    weights that stream in one piece, for which the input is read once
    reread_j       energy of reading the input again for every further piece, when all weights of the row stream
    reread_port_s  time that the spike port needs for that
    reread_s       what of it lies beyond the row's own work and takes time
    """

    hidden_bits: FloatArray
    single_bits: FloatArray
    reread_j: FloatArray
    reread_port_s: FloatArray
    reread_s: FloatArray


def stream_buffer(chip: Chip, largest_channel: float) -> float:
    """Bits of the weight memory through which weights stream in two halves (eq. 34).

    Each half holds at least one output channel of every row; largest_channel is the widest of them [bit].
    """
    buffer: float = np.minimum(max(chip.stream_buffer, 2 * largest_channel), chip.weights.size)
    return buffer


def streaming(
    chip: Chip,
    counts: Counts,
    stored: FloatArray,
    times: tuple[FloatArray, FloatArray, FloatArray],
    channel: FloatArray,
    half: float,
) -> Streaming:
    """Eq. 52: rows whose weights stream in pieces of at most `half` bits, whole output channels each.

    stored   bits of weights, scales and constants (..., R)
    times    the row's work on the chip, its spike port's part of that, its DRAM time without weights [s], (..., R)
    channel  bits of one output channel (..., R); where two do not fit the memory, no transfer overlaps

    A piece reads its input while it works, so that reads take time only where the spike port binds.
    """
    if not (chip.has_dram and counts.fetches):
        none = np.zeros_like(stored)
        return Streaming(none, none, none, none, none)
    on_chip, port, dram = times
    again = (np.maximum(1.0, np.ceil(stored / half)) - 1.0) * counts.spike_words_read
    overlaps = 2 * channel <= chip.weights.size
    room = np.where(overlaps, np.maximum(0.0, on_chip - dram) * chip.dram_bandwidth, 0.0)
    again_s = again / chip.spikes.words_per_second(chip.clock)
    return Streaming(
        hidden_bits=np.minimum(stored * counts.fetches, room),
        single_bits=np.minimum(stored, half),
        reread_j=again * chip.spikes.read,
        reread_port_s=again_s,
        reread_s=np.maximum(0.0, port + again_s - np.maximum(on_chip, dram)),
    )


def streamed_bits(chip: Chip, stored: FloatArray, buffer: float) -> FloatArray:
    """Eq. 34: bits of all weights `stored` (...,) that are not pinned.

    Beyond the memory, as much again as the buffer takes from what is pinned, at most the excess itself.
    """
    excess = np.maximum(0.0, stored - chip.weights.size)
    wanted = excess + np.minimum(buffer, excess) if chip.pins else np.where(excess > 0, stored, 0.0)
    return np.asarray(np.minimum(stored, wanted))


def whole_bursts(chip: Chip, bits: FloatArray) -> FloatArray:
    """Eq. 34: bits (...,) that DRAM transfers for `bits`."""
    return np.asarray(np.ceil(bits / chip.dram_burst) * chip.dram_burst)


def exposed(chip: Chip, fetched: FloatArray, hidden: FloatArray) -> FloatArray:
    """Eq. 52: time of transferred bits (...,) behind which no work goes on [s]; what can be hidden streams first."""
    return np.asarray(np.maximum(0.0, fetched - hidden) / chip.dram_bandwidth)


def by_row(bits: float, fetched: FloatArray, hidden: FloatArray) -> FloatArray:
    """Eq. 52: `bits` that are transferred as those of rows (R,): what can be hidden first, and equal shares of each."""
    first, rest = float(hidden.sum()), float((fetched - hidden).sum())
    own = hidden * min(1.0, bits / first) if first > 0 else np.zeros_like(hidden)
    return np.asarray(own + ((fetched - hidden) * max(0.0, bits - first) / rest if rest > 0 else 0.0))


def reread_share(streamed: FloatArray, stored: FloatArray, single: FloatArray) -> FloatArray:
    """Eq. 52: share of the further pieces that stream, (...,); what needs one piece streams first."""
    rest = stored - single
    share = np.divide(streamed - single, rest, out=np.zeros_like(rest), where=rest > 0)
    return np.asarray(np.clip(share, 0.0, 1.0))
