"""What designs cost on a chip: the same lines for one design and a million."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike

from costmodels import dataflows
from costmodels.equations import energy
from costmodels.equations.chip import Chip
from costmodels.equations.streaming import exposed, reread_share, streamed_bits, whole_bursts
from costmodels.estimation.cost import BoolArray, Cost, FloatArray, joined
from costmodels.estimation.designs import Designs
from costmodels.estimation.gather import Sums, gather
from costmodels.estimation.request import Request, request
from costmodels.estimation.row_costs import DETAIL, ROW_ENERGIES, ROW_MEMORIES, SUMMED, buffer_of
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload


def estimate(
    workload: Workload,
    hardware: Hardware,
    designs: Designs | ArrayLike,
    *,
    frame_rate: float | None = None,
    components: bool = True,
) -> Cost:
    """The cost of designs of a network on a chip.

    workload    the layer table with the measured activity
    hardware    the chip
    designs     `Designs`, or weight widths [bit] alone: one number, (L,) or (..., L)
    frame_rate  inferences per second at which power is stated; default: the hardware file's
    components  whether the two component tables are filled

    Row i of a batch equals the single call i to the last bit. Raises CostError for shapes and widths that cannot be.
    A design that does not fit is no error: it has feasible = False, and costs what it would cost if it streamed from
    DRAM or had enough cores.
    """
    asked = Designs.of(designs)
    names = SUMMED + DETAIL if components else SUMMED
    parts = []
    for places, part in asked.by_time_steps():
        one = request(workload, hardware, part, frame_rate)
        parts.append((places, assemble(one, names, gather(one, names))))
    return joined(parts, asked.shape)


@dataclass(frozen=True)
class Whole:
    """Quantities of a design as a whole, which no single row has; arrays (N,).

    `streamed_bits` are weights that are not pinned, and `reread_share` says how much of what rows would read again is
    read again (eq. 34, 52).
    """

    streamed_bits: FloatArray
    reread_share: FloatArray
    spilled_state_bits: FloatArray
    spilled_queue_bits: FloatArray
    fetch_j: FloatArray
    reread_j: FloatArray
    spill_j: FloatArray
    latency_s: FloatArray
    interval_s: FloatArray


def whole(asked: Request, total: Mapping[str, FloatArray], sums: Sums) -> Whole:
    """Weights that stream, potentials that spill, and the latency that results (eq. 34 to 36, 52)."""
    chip, flow, steps = asked.chip, dataflows.named(asked.hardware.dataflow), asked.workload.time_steps
    stored, fetches = total["stored_bits"], sums.fetches
    streamed = np.where(fetches > 0, streamed_bits(chip, stored, buffer_of(asked, chip)), 0.0)
    share = reread_share(streamed, stored, total["single_bits"])
    fetched_bits = fetches * whole_bursts(chip, streamed)
    spilled = np.maximum(0.0, total["state_bits"] - chip.states.size)
    queues = np.maximum(0.0, total["queue_bits"] - chip.spikes.size)
    spill_bits = 2 * steps * (spilled + queues)
    if flow.PIPELINED:
        latency = sums.pipeline_s + (steps + asked.workload.rows - 1) * chip.synchronisation
        interval = sums.slowest_s + steps * chip.synchronisation
    else:
        waits = exposed(chip, fetches * streamed, total["hidden_bits"]) + share * total["reread_s"]
        interval = latency = total["time_resident"] + waits + steps * chip.synchronisation
    return Whole(
        streamed_bits=streamed,
        reread_share=share,
        spilled_state_bits=spilled,
        spilled_queue_bits=queues,
        fetch_j=fetched_bits * energy.fetch_per_bit(chip),
        reread_j=share * total["reread_j"],
        spill_j=spill_bits * chip.dram_energy,
        latency_s=latency + spill_bits / chip.dram_bandwidth,
        interval_s=interval + spill_bits / chip.dram_bandwidth,
    )


def assemble(asked: Request, names: tuple[str, ...], sums: Sums) -> Cost:
    """The cost of designs from the sums over their rows."""
    chip = asked.chip
    total = {name: sums.totals[:, place] for place, name in enumerate(names)}
    design = whole(asked, total, sums)
    dynamic = total["dynamic"] + design.fetch_j + design.reread_j + design.spill_j
    leaked = chip.leakage * design.latency_s
    energy_j = dynamic + leaked
    buffer_bytes = (sums.buffer_bits + total["queue_bits"]) / 8
    memory_bytes = total["bytes"] + sums.buffer_bits / 8
    weight_bytes = total["stored_bits"] / 8
    overflow_bytes = (np.maximum(0.0, sums.buffer_bits - chip.spikes.size) + design.spilled_queue_bits) / 8
    off_chip = (design.streamed_bits + design.spilled_state_bits) / 8 + overflow_bytes
    violations = _violations(asked, total | {"fetches": np.asarray(sums.fetches)}, design, overflow_bytes)

    def shaped(values: FloatArray) -> FloatArray:
        return np.ascontiguousarray(values).reshape(asked.shape)

    by_energy: dict[str, FloatArray] = {}
    by_memory: dict[str, FloatArray] = {}
    if len(names) > len(SUMMED):
        added = {"spikes": design.reread_j, "dram": design.fetch_j + design.spill_j, "leakage": leaked}
        by_energy, by_memory = _by_component(total, added, buffer_bytes)
    return Cost(
        energy_j=shaped(energy_j),
        latency_s=shaped(design.latency_s),
        interval_s=shaped(design.interval_s),
        power_w=shaped(_power(dynamic, design.latency_s, chip, asked.frame_rate)),
        throughput_power_w=shaped(_per_time(dynamic - total["idle_j"], design.interval_s) + chip.leakage),
        memory_bytes=shaped(memory_bytes),
        on_chip_bytes=shaped(memory_bytes - off_chip),
        off_chip_bytes=shaped(off_chip),
        area_mm2=shaped(np.broadcast_to(chip.area, energy_j.shape)),
        room_bytes=shaped(chip.weights.size / 8 - weight_bytes),
        feasible=np.asarray(~reduce(np.logical_or, violations.values())).reshape(asked.shape),
        violations={name: flags.reshape(asked.shape) for name, flags in violations.items()},
        streams=asked.workload.streams is not None,
        energy_by_component={name: shaped(values) for name, values in by_energy.items()},
        memory_by_component={name: shaped(values) for name, values in by_memory.items()},
    )


def _by_component(
    total: Mapping[str, FloatArray], added: Mapping[str, FloatArray], buffer_bytes: FloatArray
) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Energy [J] and memory [byte] by component, (N,); `added` is the energy that only whole designs have."""
    by_energy = {name: total[name] for name in ROW_ENERGIES}
    by_energy |= {name: by_energy.get(name, 0.0) + values for name, values in added.items()}
    by_memory = {name: total[f"{name}_bytes"] for name in ROW_MEMORIES}
    by_memory["buffers"] = np.broadcast_to(buffer_bytes, total["bytes"].shape)
    return by_energy, by_memory


def _power(dynamic: FloatArray, latency_s: FloatArray, chip: Chip, frame_rate: float) -> FloatArray:
    """Eq. 68: average power at a frame rate [W]; a gated clock runs during inferences only."""
    per_inference = dynamic + chip.gated_power * latency_s if np.any(chip.gated_power) else dynamic
    return per_inference * frame_rate + (chip.leakage - chip.gated_power)


def _per_time(energy_j: FloatArray, time_s: FloatArray) -> FloatArray:
    """Energy over time; 0 where nothing happens in no time."""
    return np.divide(energy_j, time_s, out=np.zeros_like(energy_j), where=time_s > 0)


def _violations(
    asked: Request, total: Mapping[str, FloatArray], design: Whole, overflow_bytes: FloatArray
) -> dict[str, BoolArray]:
    """Why designs do not fit, one flag each; `costmodels.estimation.reasons` puts them into words."""
    chip = asked.chip
    weights_leave = total["stored_bits"] > chip.weights.size
    fetched_from = chip.has_dram & (total["fetches"] > 0)
    return {
        "weight_width": total["unsupported"] > 0,
        "datapath": total["too_wide"] > 0,
        "accumulator": total["overflows"] > 0,
        "layer_weights": total["too_large"] > 0,
        "weights": weights_leave & ~fetched_from,
        "states": (design.spilled_state_bits > 0) & (not chip.has_dram),
        "buffers": (overflow_bytes > 0) & (not chip.has_dram),
        "cores": total["cores"] > chip.cores,
        "frame_rate": design.interval_s * asked.frame_rate > 1.0,
    }
