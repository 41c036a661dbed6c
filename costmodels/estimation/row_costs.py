"""The cost of every row for given widths: the table that a design's cost is gathered from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodels import dataflows
from costmodels.equations import energy, memory, timing
from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load
from costmodels.equations.streaming import stream_buffer, streaming
from costmodels.estimation.loads import held_bits, load_of
from costmodels.estimation.request import Request, RowInputs
from costmodels.widths import WIDEST_INTEGER

FloatArray = NDArray[np.float64]

ROW_ENERGIES = energy.COMPONENTS[:-1]  # leakage follows from the latency of the whole design

SUMMED = (
    *("time_resident", "dynamic", "state_bits", "stored_bits", "hidden_bits", "single_bits"),
    *("reread_j", "reread_s", "bytes", "cores", "too_large", "unsupported", "too_wide", "overflows", "idle_j"),
    "queue_bits",
)
"""What every estimate sums over rows; the components follow when they are asked for."""
TIME = SUMMED.index("time_resident")
ROW_MEMORIES = memory.COMPONENTS[:-1]  # the buffers are shared by all rows
DETAIL = (*ROW_ENERGIES, *(f"{name}_bytes" for name in ROW_MEMORIES))


@dataclass(frozen=True)
class RowCosts:
    """Costs per row, (..., R) by name: SUMMED and DETAIL (J, bytes); and what each row holds (..., R) in bit.

    `resources` are the times of timing.RESOURCES [s], `dram_s` that of DRAM without weights, and `reread_port_s` what
    the spike port takes more when all weights stream [s]; `fetches` is how often per inference weights stream.
    """

    columns: dict[str, FloatArray]
    buffer_bits: FloatArray
    resources: dict[str, FloatArray]
    dram_s: FloatArray
    reread_port_s: FloatArray
    fetches: float

    def fill(self, out: FloatArray, names: tuple[str, ...]) -> None:
        """Write the named columns into `out`, (R, n, Q): rows first, as designs are summed."""
        for place, name in enumerate(names):
            values = self.columns[name]
            out[:, :, place] = values[:, None] if values.ndim == 1 else values.T


def row_costs(asked: Request, rows: RowInputs) -> RowCosts:
    """All costs of the rows at given widths and activity, (..., R)."""
    work, hardware = asked.workload, asked.hardware
    chip, flow = rows.chip, dataflows.named(hardware.dataflow)
    load, counts, used = work_of(asked, rows)
    sums = held_bits(work, rows)
    maps = counts.map_bits + np.zeros(work.rows)
    queues = maps if flow.PIPELINED else np.zeros(work.rows)  # of all rows at once; maps stay while a row runs
    kept_bits = maps - queues, sums * counts.stream_copies, work.shortcuts
    held = memory.buffers(*kept_bits)
    spilled = 2 * memory.spilled(held, *kept_bits, chip.spikes.size)  # written to DRAM and read back
    overflow_bits = spilled * (load.time_steps if flow.RESIDENT_STATES else 1.0)
    stored = memory.stored(load, chip)
    kept = memory.states(load, chip) if flow.RESIDENT_STATES else np.zeros_like(stored)
    kept = kept + memory.streams(sums, work.shortcuts) + counts.own_sum_bits if flow.PIPELINED else kept
    scales, biases = memory.scales(load, chip), memory.biases(load, chip, work.columns["channel_constants"])
    resident = stored + scales + biases
    fetched = resident * counts.fetches
    payload = memory.payload(load, rows.weight_bits)
    parts = _energies(load, counts, chip) | {"dram": overflow_bits * chip.dram_energy}
    resources = timing.resources(load, counts, chip, used / chip.cores if flow.PIPELINED else 1.0)
    on_chip = timing.on_chip(resources)
    channel = resident * work.geometry.positions / work.geometry.out_elements
    dram_s = overflow_bits / chip.dram_bandwidth
    times = on_chip, resources[timing.SPIKE_PORT], dram_s
    stream = streaming(chip, counts, resident, times, channel, buffer_of(asked, chip) / 2)
    columns = {
        "idle_j": energy.idle(load, counts, chip) if flow.PIPELINED else np.zeros_like(stored),
        "dynamic": _total([parts[name] for name in ROW_ENERGIES]),
        "fetched_bits": fetched,
        "state_bits": kept,
        "time_resident": timing.with_dram(on_chip, overflow_bits, chip),
        "hidden_bits": stream.hidden_bits,
        "single_bits": stream.single_bits,
        "reread_j": stream.reread_j,
        "reread_s": stream.reread_s,
        "cores": used,
        "bytes": (resident + kept + queues) / 8,
        "queue_bits": queues,
        "stored_bits": resident,
        "too_large": (channel > chip.weights.size).astype(np.float64),
        "too_wide": np.broadcast_to(~load.switching.runs & ~load.is_float, stored.shape).astype(np.float64),
        "overflows": _overflows(load, chip, flow.PIPELINED),
        "unsupported": (rows.weight_bits > max(hardware.weight_widths)).astype(np.float64),
    }
    sizes = (payload, stored - payload, scales, biases, kept)
    columns |= {name: parts[name] for name in ROW_ENERGIES}
    columns |= {f"{name}_bytes": bits / 8 for name, bits in zip(ROW_MEMORIES, sizes, strict=True)}
    return RowCosts(columns, held, resources, dram_s, stream.reread_port_s, float(np.max(counts.fetches)))


def work_of(asked: Request, rows: RowInputs) -> tuple[Load, Counts, FloatArray]:
    """The work of rows, the actions that it takes, and the cores that every row fills (0 where flows have none)."""
    hardware, load = asked.hardware, load_of(asked, rows)
    chip, flow = rows.chip, dataflows.named(hardware.dataflow)
    counts = flow.counts(load, chip)
    if not flow.PIPELINED:
        return load, counts, np.zeros_like(load.weight_bits)
    constants = asked.workload.columns["channel_constants"]
    resident = memory.stored(load, chip) + memory.scales(load, chip) + memory.biases(load, chip, constants)
    used = timing.cores(load, chip, resident, counts.own_sum_bits)
    return load, timing.queued(load, counts, chip, used), used


def buffer_of(asked: Request, chip: Chip) -> float:
    """Bits of the weight memory through which weights stream, the same for all designs (eq. 34)."""
    return stream_buffer(chip, float(asked.workload.columns["fan_in"].max() * WIDEST_INTEGER))


def _energies(load: Load, counts: Counts, chip: Chip) -> dict[str, FloatArray]:
    """Energy of every component that rows have of their own, except DRAM [J]."""
    neurons = energy.neurons(load, counts, chip)
    arithmetic = energy.integer_compute(load, counts, chip) + neurons + energy.stream_arithmetic(counts, chip)
    return {
        "compute": energy.compute(load, counts, chip),
        "control": energy.control(counts, chip, arithmetic),
        "neurons": neurons,
        "rescale": energy.rescale(load, counts, chip),
        "weights": energy.weights(counts, chip),
        "sums": energy.sums(counts, chip),
        "states": energy.states(counts, chip),
        "spikes": energy.spikes(counts, chip),
        "streams": energy.streams(counts, chip),
        "noc": energy.noc(counts, chip),
    }


def _overflows(load: Load, chip: Chip, pipelined: bool) -> FloatArray:
    """Eq. 33: 1 where the chip's accumulator is narrower than the sums of a row can get.

    Potentials that serve as sums have the width that the design says, and chips that state an energy per operation have
    no accumulator of a known width.
    """
    if chip.fixed_operations or (pipelined and chip.sums_in_potentials):
        return np.zeros_like(load.needed_sum_bits)
    return np.asarray((load.needed_sum_bits > chip.accumulator_bits) & ~load.is_float, dtype=np.float64)


def _total(parts: list[FloatArray]) -> FloatArray:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
