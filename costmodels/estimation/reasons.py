"""Why a design does not fit a chip, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costmodels import dataflows
from costmodels.estimation.designs import Designs
from costmodels.estimation.estimate import assemble
from costmodels.estimation.gather import Sums, gather
from costmodels.estimation.loads import load_of
from costmodels.estimation.request import Request, RowInputs, request
from costmodels.estimation.row_costs import SUMMED, row_costs
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload


def reasons(
    workload: Workload, hardware: Hardware, design: Designs | ArrayLike, *, frame_rate: float | None = None
) -> list[str]:
    """Why one design does not fit, one line each with what would do; empty for a feasible design.

    workload    the layer table with the measured activity
    hardware    the chip
    design      one design as for `estimate`
    frame_rate  inferences per second; default: the hardware file's
    """
    asked = request(workload, hardware, Designs.of(design), frame_rate)
    rows = asked.only("reasons are")
    sums = gather(asked, SUMMED)
    cost = assemble(asked, SUMMED, sums)
    texts = _of_rows(asked, rows) | _of_design(asked, sums, float(cost.interval_s.flat[0]))
    return [texts[name] for name, broken in cost.violations.items() if bool(broken.any())]


def _of_rows(asked: Request, rows: RowInputs) -> dict[str, str]:
    """What is said when a single row does not fit, by the name of the violation."""
    hardware, names, shape = asked.hardware, asked.workload.names, asked.workload.geometry
    column = row_costs(asked, rows).columns
    unsupported, wide, over = (int(np.argmax(column[n])) for n in ("unsupported", "too_wide", "overflows"))
    needed = load_of(asked, rows).needed_sum_bits[over]
    channel = column["stored_bits"] * shape.positions / shape.out_elements
    largest = int(np.argmax(channel))
    bits, widths = rows.weight_bits[unsupported], ", ".join(map(str, hardware.weight_widths))
    need, room = channel[largest] / 8, hardware.chip.weights.size / 8
    return {
        "weight_width": f"{names[unsupported]} has {bits:g}-bit weights; {hardware.name} stores {widths} bits",
        "datapath": f"{names[wide]} has operands or potentials wider than the {hardware.datapath} datapath of "
        f"{hardware.name} ({hardware.chip.unit_weight_bits:g} x {hardware.chip.unit_input_bits:g} bits, potentials of "
        f"{hardware.chip.state_bits:g}): use fewer bits or a wider unit",
        "accumulator": f"{names[over]} has sums of up to {needed:.0f} bits; compute.accumulator_bits is "
        f"{hardware.chip.accumulator_bits:g}: use fewer bits for weights or inputs, or a wider accumulator",
        "layer_weights": f"{names[largest]} needs {need:.0f} bytes for the weights of one output channel; "
        f"memories.weights.size is {room:.0f} bytes: use fewer bits or a larger memory",
    }


def _of_design(asked: Request, sums: Sums, interval_s: float) -> dict[str, str]:
    """What is said when the rows together do not fit, by the name of the violation."""
    chip, flow = asked.hardware.chip, dataflows.named(asked.hardware.dataflow)
    total = dict(zip(SUMMED, sums.totals[0], strict=True))

    def memory(what: str, bits: float, name: str, size: float, remedy: str) -> str:
        return f"{what} {bits / 8:.0f} bytes; memories.{name}.size is {size / 8:.0f} bytes: {remedy}"

    weights = "use fewer bits or a larger memory" + ("" if flow.PIPELINED else ", or add dram")
    states = "use fewer state bits, a larger memory, or data flow tick_batched"
    buffers = "use a larger memory or add dram"
    held = "the event queues need" if flow.PIPELINED else "the largest feature map needs"
    return {
        "weights": memory("all weights need", total["stored_bits"], "weights", chip.weights.size, weights),
        "states": memory("all potentials need", total["state_bits"], "states", chip.states.size, states),
        "buffers": memory(held, sums.buffer_bits[0] + total["queue_bits"], "spikes", chip.spikes.size, buffers),
        "cores": f"the layers need {total['cores']:.0f} cores; cores is {chip.cores:.0f}: use fewer bits or more chips",
        "frame_rate": f"an inference takes {interval_s:.4g} s; at {asked.frame_rate:g} per second there are "
        f"{1 / asked.frame_rate:.4g} s: lower the frame rate or add processing elements and ports",
    }
