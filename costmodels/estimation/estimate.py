"""What designs cost on a chip: the same lines for one design and a million."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels import dataflows
from costmodels.equations import energy
from costmodels.estimation.gather import Sums, gather
from costmodels.estimation.request import Request, request
from costmodels.estimation.row_costs import DETAIL, ROW_ENERGIES, ROW_MEMORIES, SUMMED
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Spikes, Workload

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Cost:
    """Costs of designs, arrays of shape (...): J per inference, s, W, bytes, mm2.

    energy_j              one inference: dynamic energy, and leakage during its latency
    latency_s             from the image to the result; inferences do not overlap
    power_w               average at the frame rate: dynamic energy x rate + leakage
    throughput_power_w    average when inferences follow each other without pause: energy / latency
    memory_bytes          everything the design stores = on_chip_bytes + off_chip_bytes
    area_mm2              on-chip memories of the chip; logic is not modelled
    cliff_bytes           room left in the weight memory (negative: bytes to save until the weights stay on the chip)
    feasible              no violation; `violations` names them, one boolean array each
    energy_by_component, memory_by_component   sum to energy_j and memory_bytes; empty unless asked for
    """

    energy_j: FloatArray
    latency_s: FloatArray
    power_w: FloatArray
    throughput_power_w: FloatArray
    memory_bytes: FloatArray
    on_chip_bytes: FloatArray
    off_chip_bytes: FloatArray
    area_mm2: FloatArray
    cliff_bytes: FloatArray
    feasible: BoolArray
    violations: Mapping[str, BoolArray]
    energy_by_component: Mapping[str, FloatArray]
    memory_by_component: Mapping[str, FloatArray]


def estimate(
    workload: Workload,
    hardware: Hardware,
    *,
    weight_bits: ArrayLike,
    state_bits: ArrayLike | None = None,
    activation_bits: ArrayLike | None = None,
    time_steps: int | None = None,
    spikes: Spikes | ArrayLike | Mapping[str, float] | None = None,
    frame_rate: float | None = None,
    components: bool = True,
) -> Cost:
    """The cost of designs on a chip.

    weight_bits      (..., L) in the order of workload.weight_layers, or one number for all; 1 to 16 integer, 32 float
    state_bits       (..., R) in the order of workload.names, (..., LIF layers) in that of workload.lif_layers, or one
                     number; default: the chip's (32 in float rows)
    activation_bits  width of inputs between convolutions without neurons: one number or (R,); default: the table's
    time_steps       default: as measured; other values scale the measured spikes
    spikes           activity of the designs: workload.with_spikes(...), or what that takes; default: as measured
    frame_rate       inferences per second; default: the hardware file's
    components       whether the two component tables are filled

    The leading axes broadcast; row i of a batch equals the single call i to the last bit.  Raises CostError for
    shapes and widths that cannot be.  A design that does not fit is no error: it has feasible = False, and costs what
    it would cost if it streamed from DRAM or had enough cores.
    """
    asked = request(workload, hardware, weight_bits, state_bits, activation_bits, time_steps, spikes, frame_rate)
    names = SUMMED + DETAIL if components else SUMMED
    return assemble(asked, names, gather(asked, names))


@dataclass(frozen=True)
class Whole:
    """What only shows when the rows of a design are added up; arrays (N,)."""

    streamed: BoolArray
    spilled_state_bits: FloatArray
    fetch_j: FloatArray
    spill_j: FloatArray
    latency_s: FloatArray


def whole(asked: Request, total: Mapping[str, FloatArray], slowest: FloatArray) -> Whole:
    """Weights that stream, potentials that spill, and the latency that results (eq. 34 to 36)."""
    chip, flow, steps = asked.hardware.chip, dataflows.load(asked.hardware.dataflow), asked.workload.time_steps
    streamed = (total["stored_bits"] > chip.weights.size) & (total["fetched_bits"] > 0)
    spilled = np.maximum(0.0, total["state_bits"] - chip.states.size)
    spill_bits = 2 * steps * spilled
    if flow.PIPELINED:
        depth = len(asked.workload.weight_rows)
        latency = (steps + depth - 1) * (slowest[:, 0] / steps + chip.synchronisation)
    else:
        latency = np.where(streamed, total["time_streamed"], total["time_resident"]) + steps * chip.synchronisation
    return Whole(
        streamed=streamed,
        spilled_state_bits=spilled,
        fetch_j=np.where(streamed, total["fetched_bits"], 0.0) * energy.fetch_per_bit(chip),
        spill_j=spill_bits * chip.dram_energy,
        latency_s=latency + spill_bits / chip.dram_bandwidth,
    )


def assemble(asked: Request, names: tuple[str, ...], sums: Sums) -> Cost:
    """The cost of designs from the sums over their rows."""
    chip = asked.hardware.chip
    total = {name: sums.totals[:, place] for place, name in enumerate(names)}
    design = whole(asked, total, sums.slowest)
    dynamic = total["dynamic"] + design.fetch_j + design.spill_j
    leaked = chip.leakage * design.latency_s
    energy_j = dynamic + leaked
    buffer_bytes = sums.buffer_bits / 8
    memory_bytes = total["bytes"] + buffer_bytes
    weight_bytes = total["stored_bits"] / 8
    overflow_bytes = max(0.0, sums.buffer_bits - chip.spikes.size) / 8
    off_chip = np.where(design.streamed, weight_bytes, 0.0) + design.spilled_state_bits / 8 + overflow_bytes
    violations = _violations(asked, total, design, overflow_bytes)

    def shaped(values: FloatArray) -> FloatArray:
        return np.ascontiguousarray(values).reshape(asked.shape)

    by_energy: dict[str, FloatArray] = {}
    by_memory: dict[str, FloatArray] = {}
    if len(names) > len(SUMMED):
        by_energy = {name: shaped(total[name]) for name in ROW_ENERGIES}
        by_energy["dram"] = by_energy["dram"] + shaped(design.fetch_j + design.spill_j)
        by_energy["leakage"] = shaped(leaked)
        by_memory = {name: shaped(total[f"{name}_bytes"]) for name in ROW_MEMORIES}
        by_memory["buffers"] = np.full(asked.shape, buffer_bytes)
    return Cost(
        energy_j=shaped(energy_j),
        latency_s=shaped(design.latency_s),
        power_w=shaped(dynamic * asked.frame_rate + chip.leakage),
        throughput_power_w=shaped(_per_time(energy_j, design.latency_s, chip.leakage)),
        memory_bytes=shaped(memory_bytes),
        on_chip_bytes=shaped(memory_bytes - off_chip),
        off_chip_bytes=shaped(off_chip),
        area_mm2=np.full(asked.shape, chip.memory_area),
        cliff_bytes=shaped(chip.weights.size / 8 - weight_bytes),
        feasible=np.asarray(~np.any(np.stack(list(violations.values())), axis=0)).reshape(asked.shape),
        violations={name: flags.reshape(asked.shape) for name, flags in violations.items()},
        energy_by_component=by_energy,
        memory_by_component=by_memory,
    )


def _per_time(energy_j: FloatArray, latency_s: FloatArray, idle_w: float) -> FloatArray:
    """Energy over time; the idle power where nothing happens in no time."""
    return np.divide(energy_j, latency_s, out=np.full_like(energy_j, idle_w), where=latency_s > 0)


def _violations(
    asked: Request, total: Mapping[str, FloatArray], design: Whole, overflow_bytes: float
) -> dict[str, BoolArray]:
    """Why designs do not fit, one flag each; `costmodels.estimation.reasons` puts them into words."""
    chip = asked.hardware.chip
    weights_leave = total["stored_bits"] > chip.weights.size
    fetched_from = chip.has_dram & (total["fetched_bits"] > 0)
    return {
        "weight_width": total["unsupported"] > 0,
        "layer_weights": total["too_large"] > 0,
        "weights": weights_leave & ~fetched_from,
        "states": (design.spilled_state_bits > 0) & (not chip.has_dram),
        "buffers": np.full(asked.designs, overflow_bytes > 0 and not chip.has_dram),
        "cores": total["cores"] > chip.cores,
        "frame_rate": design.latency_s * asked.frame_rate > 1.0,
    }
