"""The cost of every row for given widths: the table that a design's cost is gathered from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodels import dataflows
from costmodels.equations import energy, memory, timing
from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load
from costmodels.estimation.request import Request, RowInputs
from costmodels.widths import FLOAT
from costmodels.workload.workload import Workload

FloatArray = NDArray[np.float64]

ROW_ENERGIES = energy.COMPONENTS[:-1]  # leakage follows from the latency of the whole design

SUMMED = (
    *("time_resident", "time_streamed", "dynamic", "fetched_bits", "state_bits", "stored_bits"),
    *("bytes", "cores", "too_large", "unsupported"),
)
"""What every estimate sums over rows; the components follow when they are asked for."""
TIME = SUMMED.index("time_resident")
ROW_MEMORIES = memory.COMPONENTS[:-1]  # the buffers are shared by all rows
DETAIL = (*ROW_ENERGIES, *(f"{name}_bytes" for name in ROW_MEMORIES))


@dataclass(frozen=True)
class RowCosts:
    """Costs per row, (..., R) by name: SUMMED and DETAIL (J, bytes); and the buffer of each row (R,) in bit."""

    columns: dict[str, FloatArray]
    buffer_bits: FloatArray

    def stacked(self, names: tuple[str, ...]) -> FloatArray:
        """The named columns, (..., R, Q)."""
        shape = np.broadcast_shapes(*(self.columns[name].shape for name in names))
        out = np.empty((*shape, len(names)))
        for place, name in enumerate(names):
            out[..., place] = self.columns[name]
        return out


def containers(weight_widths: tuple[int, ...]) -> FloatArray:
    """The stored width of each asked width 0..32: the next wider one that the chip has; itself where there is none."""
    stored = np.arange(FLOAT + 1, dtype=np.float64)
    for asked in range(1, FLOAT + 1):
        wide = [w for w in weight_widths if w >= asked]
        stored[asked] = min(wide) if wide and (asked < FLOAT) else asked
    return stored


def load_of(asked: Request, rows: RowInputs) -> Load:
    """The work of one inference at given widths and activity, (..., R).

    Without state_bits rows keep potentials at the chip's width, and at 32 bit where their weights are float.
    """
    work, hardware, (asked_bits, state_bits, activity) = asked.workload, asked.hardware, rows
    chip, shape, column = hardware.chip, work.geometry, work.columns
    is_float = asked_bits >= FLOAT
    stored = containers(hardware.weight_widths)[asked_bits.astype(np.intp)]
    if state_bits is None:
        state_bits = np.where(is_float, float(FLOAT), chip.state_bits)
    inputs = column["input_bits"]
    if asked.activation_bits is not None:
        inputs = np.where(shape.multiplies & ~shape.image, asked.activation_bits, inputs)
    input_bits = np.where(is_float & shape.multiplies, float(FLOAT), inputs)
    return Load(
        geometry=shape,
        macs=column["macs"],
        weights=column["weights"],
        neurons=column["neurons"],
        balance=column["balance"],
        time_steps=float(work.time_steps),
        spikes=activity.spikes,
        lif_spikes=activity.lif_spikes,
        synops=activity.synops,
        weight_bits=stored,
        state_bits=np.broadcast_to(state_bits, np.broadcast_shapes(np.shape(state_bits), asked_bits.shape)),
        input_bits=input_bits,
        buffered_bits=inputs,
        sum_bits=sum_width(work, chip, stored, input_bits, is_float),
        is_float=is_float,
    )


def sum_width(
    work: Workload, chip: Chip, stored: FloatArray, input_bits: FloatArray, is_float: NDArray[np.bool_]
) -> FloatArray:
    """Eq. 33: accumulator width: what fan_in products can need, at most the chip's; its full width where it is fixed.

    A product of b-bit weights (or operands of attention) with a spike has b bits, with an n-bit input b + n; a sum of F
    of them ceil(log2 F) more.
    """
    shape = work.geometry
    term = np.where(shape.attention, shape.operand_bits, stored) + np.where(shape.multiplies, input_bits, 0.0)
    needed = np.minimum(term + shape.log_fan_in, chip.accumulator_bits)
    width = needed if chip.accumulator_grows else np.full_like(needed, chip.accumulator_bits)
    return np.where(is_float, float(FLOAT), width)


def row_costs(asked: Request, rows: RowInputs) -> RowCosts:
    """All costs of the rows at given widths and activity, (..., R)."""
    work, hardware, load = asked.workload, asked.hardware, load_of(asked, rows)
    chip, flow = hardware.chip, dataflows.named(hardware.dataflow)
    counts = flow.counts(load, chip)
    maps = np.broadcast_to(counts.map_bits, (work.rows,))
    spilled = 2 * memory.spilled_maps(maps, chip.spikes.size)  # written to DRAM and read back
    overflow_bits = spilled * (load.time_steps if flow.RESIDENT_STATES else 1.0)
    parts = _energies(load, counts, chip) | {"dram": overflow_bits * chip.dram_energy}
    stored = memory.stored(load, chip)
    fetched = stored * counts.fetches
    kept = memory.states(load, chip) if flow.RESIDENT_STATES else np.zeros_like(stored)
    scales, biases = memory.scales(load, chip), memory.biases(load, chip, work.columns["channel_constants"])
    payload = memory.payload(load, rows.weight_bits)
    used = timing.cores(load, chip) if flow.PIPELINED else np.zeros_like(stored)
    on_chip = timing.on_chip(load, counts, chip, used / chip.cores if flow.PIPELINED else 1.0)
    columns = {
        "dynamic": _total([parts[name] for name in ROW_ENERGIES]),
        "fetched_bits": fetched,
        "state_bits": kept,
        "time_resident": timing.with_dram(on_chip, overflow_bits, chip),
        "time_streamed": timing.with_dram(on_chip, overflow_bits + fetched, chip),
        "cores": used,
        "bytes": (stored + scales + biases + kept) / 8,
        "stored_bits": stored,
        "too_large": (stored > chip.weights.size).astype(np.float64),
        "unsupported": (rows.weight_bits > max(hardware.weight_widths)).astype(np.float64),
    }
    sizes = (payload, stored - payload, scales, biases, kept)
    columns |= {name: parts[name] for name in ROW_ENERGIES}
    columns |= {f"{name}_bytes": bits / 8 for name, bits in zip(ROW_MEMORIES, sizes, strict=True)}
    return RowCosts(columns, memory.buffers(maps))


def _energies(load: Load, counts: Counts, chip: Chip) -> dict[str, FloatArray]:
    """Energy of every component that rows have of their own, except DRAM [J]."""
    neurons = energy.neurons(load, counts, chip)
    arithmetic = energy.integer_compute(load, counts, chip) + neurons
    return {
        "compute": energy.compute(load, counts, chip),
        "control": energy.control(counts, chip, arithmetic),
        "neurons": neurons,
        "rescale": energy.rescale(load, counts, chip),
        "weights": energy.weights(counts, chip),
        "sums": energy.sums(counts, chip),
        "states": energy.states(counts, chip),
        "spikes": energy.spikes(counts, chip),
        "noc": energy.noc(counts, chip),
    }


def _total(parts: list[FloatArray]) -> FloatArray:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
