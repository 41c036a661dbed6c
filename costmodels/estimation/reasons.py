"""Why a design does not fit a chip, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costmodels import dataflows
from costmodels.estimation.designs import Designs
from costmodels.estimation.estimate import assemble
from costmodels.estimation.gather import gather, rows_of
from costmodels.estimation.request import request
from costmodels.estimation.row_costs import SUMMED
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
    work, chip, flow = asked.workload, hardware.chip, dataflows.load(hardware.dataflow)
    sums = gather(asked, SUMMED)
    cost = assemble(asked, SUMMED, sums)
    total = dict(zip(SUMMED, sums.totals[0], strict=True))
    broken = {name for name, flag in cost.violations.items() if bool(flag.any())}
    bits, column = rows.weight_bits, rows_of(asked, rows).columns
    name = hardware.name
    found = []
    if "weight_width" in broken:
        row = int(np.argmax(column["unsupported"]))
        widths = ", ".join(map(str, hardware.weight_widths))
        found.append(f"{work.names[row]} has {bits[row]:g}-bit weights; {name} stores {widths} bits")
    if "layer_weights" in broken:
        row = int(np.argmax(column["stored_bits"]))
        need, room = column["stored_bits"][row] / 8, chip.weights.size / 8
        found.append(
            f"{work.names[row]} needs {need:.0f} bytes of weights; memories.weights.size is {room:.0f} bytes: "
            "use fewer bits or a larger memory"
        )
    if "weights" in broken:
        need, room = total["stored_bits"] / 8, chip.weights.size / 8
        remedy = "use fewer bits or a larger memory" + ("" if flow.PIPELINED else ", or add dram")
        found.append(f"all weights need {need:.0f} bytes; memories.weights.size is {room:.0f} bytes: {remedy}")
    if "states" in broken:
        need, room = total["state_bits"] / 8, chip.states.size / 8
        found.append(
            f"all potentials need {need:.0f} bytes; memories.states.size is {room:.0f} bytes: "
            "use fewer state bits, a larger memory, or data flow tick_batched"
        )
    if "buffers" in broken:
        need, room = sums.buffer_bits / 8, chip.spikes.size / 8
        found.append(
            f"the largest feature map needs {need:.0f} bytes; memories.spikes.size is {room:.0f} bytes: "
            "use a larger memory or add dram"
        )
    if "cores" in broken:
        found.append(
            f"the layers need {total['cores']:.0f} cores; cores is {chip.cores:.0f}: use fewer bits or more chips"
        )
    if "frame_rate" in broken:
        found.append(
            f"an inference takes {float(cost.latency_s.flat[0]):.4g} s; at {asked.frame_rate:g} per second there are "
            f"{1 / asked.frame_rate:.4g} s: lower the frame rate or add processing elements and ports"
        )
    return found
