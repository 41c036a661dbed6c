"""Time of the counted actions [s], elementwise over rows and designs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load
from costmodels.equations.terms import input_words

FloatArray = NDArray[np.float64]


def cores(load: Load, chip: Chip, weight_bits: FloatArray, sum_bits: FloatArray) -> FloatArray:
    """Eq. 30: cores that a row occupies when all rows are placed at once: by weights, by states and by neurons.

    weight_bits (..., R): stored weights, scales and biases; sum_bits (..., R): sums beside the potentials.
    """
    per_core = chip.cores
    by_weights = weight_bits / (chip.weights.size / per_core)
    states = load.geometry.out_elements * load.state_bits + sum_bits
    by_states = states / (chip.states.size / per_core)
    by_neurons = load.geometry.out_elements / chip.neurons_per_core
    return np.maximum(1.0, np.ceil(np.maximum(by_weights, np.maximum(by_states, by_neurons))))


SPIKE_PORT = "spike port"
RESOURCES = ("compute", "weight port", "sum and state port", SPIKE_PORT, "noc")
"""What sets the time of a row on the chip."""


def copies(load: Load, used: FloatArray) -> FloatArray:
    """Eq. 53: messages of one spike (..., R): to each of the `used` cores if outputs read it, at most one per output.

    A core has whole channels, so that all cores of a row read the same inputs.
    """
    reach = load.geometry.reach
    outputs = np.maximum(1.0, np.ceil(load.geometry.fan_out / np.maximum(reach, 1e-9) - 1e-9))
    return np.asarray(reach * np.minimum(used, outputs))


def queued(load: Load, counts: Counts, chip: Chip, used: FloatArray) -> Counts:
    """Eq. 53 and eq. 69: counts of rows on `used` cores each: the messages, and the queues of the cores that get them.

    Every message is written into the queue of a core and read from it; a queue holds the events of one time step, at
    worst all.
    """
    each = copies(load, used)
    arriving = input_words(load, chip.spikes.word)
    return replace(
        counts,
        packets=counts.packets * each,
        spike_words_read=counts.spike_words_read + arriving * (each - 1),
        spike_words_written=arriving * each,
        map_bits=counts.map_bits * each,
    )


def resources(load: Load, counts: Counts, chip: Chip, share: FloatArray | float) -> dict[str, FloatArray]:
    """Eq. 31: the time that compute, memory ports and network need, for a row that has `share` of the chip [s].

    The utilisation is that of the array of processing elements, or, where the chip states none, the measured balance
    (mean over max of the per-channel spikes).
    """
    operations = counts.additions + counts.multiplications
    units = chip.processing_elements * share * chip.clock
    compute = operations / (units * load.utilisation * load.switching.per_cycle) + counts.stream_additions / units
    weight_port = counts.weight_words / (chip.weights.words_per_second(chip.clock) * share)
    state_words = counts.sum_words + counts.state_words + counts.stream_state_words
    state_port = 2 * state_words / (chip.states.words_per_second(chip.clock) * share)
    spike_words = counts.spike_words_read + counts.spike_words_written + 2 * counts.stream_words
    spike_port = spike_words / (chip.spikes.words_per_second(chip.clock) * share)
    network = counts.packets / chip.packet_rate
    return dict(zip(RESOURCES, (compute, weight_port, state_port, spike_port, network), strict=True))


def on_chip(times: Mapping[str, FloatArray]) -> FloatArray:
    """Eq. 31: the longest of the times of all resources [s]."""
    longest = times[RESOURCES[0]]
    for name in RESOURCES[1:]:
        longest = np.maximum(longest, times[name])
    return longest


def with_dram(on_chip_time: FloatArray, dram_bits: FloatArray, chip: Chip) -> FloatArray:
    """Eq. 32: DRAM transfers overlap with the work on the chip; the longer one counts [s]."""
    return np.maximum(on_chip_time, dram_bits / chip.dram_bandwidth)


def pipeline(row_times: FloatArray, time_steps: int) -> FloatArray:
    """Eq. 36: time in which the T steps of one inference pass through R rows at work at the same time [s].

    row_times are those of all T steps, (R, ...). In step s of R + T - 1 the rows l with 0 <= s - l < T are at work, and
    the slowest of them ends the step.
    """
    rows, idle = len(row_times), time_steps - 1
    padded = np.zeros((rows + 2 * idle, *row_times.shape[1:]))
    padded[idle : idle + rows] = row_times
    slowest = padded[: rows + idle].copy()
    for shift in range(1, time_steps):
        np.maximum(slowest, padded[shift : shift + rows + idle], out=slowest)
    return np.asarray(np.cumsum(slowest, axis=0)[-1] / time_steps)  # a running sum: its order depends on no shape
