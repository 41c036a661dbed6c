"""The cost of every row for given widths: the table that a design's cost is gathered from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodels import dataflows
from costmodels.equations import energy, memory, timing
from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load
from costmodels.estimation.loads import held_bits, load_of
from costmodels.estimation.request import Request, RowInputs

FloatArray = NDArray[np.float64]

ROW_ENERGIES = energy.COMPONENTS[:-1]  # leakage follows from the latency of the whole design

SUMMED = (
    *("time_resident", "time_streamed", "dynamic", "fetched_bits", "state_bits", "stored_bits"),
    *("bytes", "cores", "too_large", "unsupported", "too_wide"),
)
"""What every estimate sums over rows; the components follow when they are asked for."""
TIME = SUMMED.index("time_resident")
ROW_MEMORIES = memory.COMPONENTS[:-1]  # the buffers are shared by all rows
DETAIL = (*ROW_ENERGIES, *(f"{name}_bytes" for name in ROW_MEMORIES))


@dataclass(frozen=True)
class RowCosts:
    """Costs per row, (..., R) by name: SUMMED and DETAIL (J, bytes); and what each row holds (..., R) in bit.

    `resources` are the times of timing.RESOURCES [s], `dram_s` those of DRAM with all weights on the chip, and without.
    """

    columns: dict[str, FloatArray]
    buffer_bits: FloatArray
    resources: dict[str, FloatArray]
    dram_s: tuple[FloatArray, FloatArray]

    def stacked(self, names: tuple[str, ...]) -> FloatArray:
        """The named columns, (..., R, Q)."""
        shape = np.broadcast_shapes(*(self.columns[name].shape for name in names))
        out = np.empty((*shape, len(names)))
        for place, name in enumerate(names):
            out[..., place] = self.columns[name]
        return out


def row_costs(asked: Request, rows: RowInputs) -> RowCosts:
    """All costs of the rows at given widths and activity, (..., R)."""
    work, hardware, load = asked.workload, asked.hardware, load_of(asked, rows)
    chip, flow = hardware.chip, dataflows.named(hardware.dataflow)
    counts = flow.counts(load, chip)
    sums = held_bits(work, rows)
    held = counts.map_bits + np.zeros(work.rows), sums * counts.stream_copies, work.shortcuts
    spilled = 2 * memory.spilled(*held, chip.spikes.size)  # written to DRAM and read back
    overflow_bits = spilled * (load.time_steps if flow.RESIDENT_STATES else 1.0)
    parts = _energies(load, counts, chip) | {"dram": overflow_bits * chip.dram_energy}
    stored = memory.stored(load, chip)
    kept = memory.states(load, chip) if flow.RESIDENT_STATES else np.zeros_like(stored)
    kept = kept + memory.streams(sums, work.shortcuts) if flow.PIPELINED else kept
    scales, biases = memory.scales(load, chip), memory.biases(load, chip, work.columns["channel_constants"])
    resident = stored + scales + biases
    fetched = resident * counts.fetches
    payload = memory.payload(load, rows.weight_bits)
    used = timing.cores(load, chip, resident) if flow.PIPELINED else np.zeros_like(stored)
    resources = timing.resources(load, counts, chip, used / chip.cores if flow.PIPELINED else 1.0)
    on_chip = timing.on_chip(resources)
    columns = {
        "dynamic": _total([parts[name] for name in ROW_ENERGIES]),
        "fetched_bits": fetched,
        "state_bits": kept,
        "time_resident": timing.with_dram(on_chip, overflow_bits, chip),
        "time_streamed": timing.with_dram(on_chip, overflow_bits + fetched, chip),
        "cores": used,
        "bytes": (resident + kept) / 8,
        "stored_bits": resident,
        "too_large": (resident > chip.weights.size).astype(np.float64),
        "too_wide": np.broadcast_to(~load.switching.runs & ~load.is_float, stored.shape).astype(np.float64),
        "unsupported": (rows.weight_bits > max(hardware.weight_widths)).astype(np.float64),
    }
    sizes = (payload, stored - payload, scales, biases, kept)
    columns |= {name: parts[name] for name in ROW_ENERGIES}
    columns |= {f"{name}_bytes": bits / 8 for name, bits in zip(ROW_MEMORIES, sizes, strict=True)}
    dram = overflow_bits / chip.dram_bandwidth, (overflow_bits + fetched) / chip.dram_bandwidth
    return RowCosts(columns, memory.buffers(*held), resources, dram)


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


def _total(parts: list[FloatArray]) -> FloatArray:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
