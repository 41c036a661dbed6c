"""Additive cost tables per layer and width, with which a search bounds and ranks designs without costing each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels import dataflows
from costmodels.equations import energy
from costmodels.errors import CostError
from costmodels.estimation.designs import Designs
from costmodels.estimation.request import Request, request
from costmodels.estimation.row_costs import row_costs
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SeparableTables:
    """quantity(design) = offsets[quantity] + sum over layers of tables[quantity][layer, option of the layer].

    layers   the L rows with weights
    tables   (L, B): memory_bytes and weight_bytes [byte], energy_j and dynamic_j [J], latency_s [s], power_w [W];
             without latency_s and energy_j on pipelined data flows, where the slowest rows set the time
    offsets  what does not depend on weight widths, in the same units
    """

    layers: tuple[str, ...]
    tables: Mapping[str, FloatArray]
    offsets: Mapping[str, float]


def separable_tables(
    workload: Workload,
    hardware: Hardware,
    designs: Designs | ArrayLike,
    *,
    streamed: bool | None = None,
    frame_rate: float | None = None,
) -> SeparableTables:
    """Costs as additive tables: what each layer costs at each of B options for its weight width.

    workload    the layer table with the measured activity
    hardware    the chip
    designs     B designs with weight widths (B, L) and the rest in common: design b gives layer l its option b
    streamed    whether the weights are fetched from DRAM; default: they are, unless the widest options all fit
    frame_rate  inferences per second; default: the hardware file's
    """
    asked = request(workload, hardware, Designs.of(designs), frame_rate)
    if asked.nothing_in_common:
        raise CostError("separable tables need one activity and one width of numbers between layers for all designs")
    work = asked.workload
    costs = row_costs(asked, asked.rows(slice(0, asked.designs)))
    shape = (asked.designs, work.rows)
    column = {name: np.broadcast_to(values, shape) for name, values in costs.columns.items()}
    largest = column["stored_bits"].max(0).sum()
    fetches = bool(np.any(column["fetched_bits"] > 0))
    side = fetches and bool(largest > hardware.chip.weights.size) if streamed is None else streamed
    tables, offsets = _quantities(asked, column, float(costs.buffer_bits.max()), side)
    without = np.setdiff1d(np.arange(work.rows), work.weight_rows)
    return SeparableTables(
        layers=work.weight_layers,
        tables={name: np.ascontiguousarray(values[:, work.weight_rows].T) for name, values in tables.items()},
        offsets={name: offsets[name] + float(values[0, without].sum()) for name, values in tables.items()},
    )


def _quantities(
    asked: Request, column: Mapping[str, FloatArray], buffer_bits: float, streamed: bool
) -> tuple[dict[str, FloatArray], dict[str, float]]:
    """Every quantity per option and row, (B, R), and what it is beside its rows."""
    chip, flow, steps = asked.hardware.chip, dataflows.named(asked.hardware.dataflow), asked.workload.time_steps
    spill = 2 * steps * max(0.0, float(column["state_bits"].max(0).sum()) - chip.states.size)
    dynamic = column["dynamic"] + (column["fetched_bits"] * energy.fetch_per_bit(chip) if streamed else 0.0)
    tables = {"memory_bytes": column["bytes"], "weight_bytes": column["stored_bits"] / 8, "dynamic_j": dynamic}
    offsets = {"memory_bytes": buffer_bits / 8, "weight_bytes": 0.0, "dynamic_j": spill * chip.dram_energy}
    tables["power_w"] = dynamic * asked.frame_rate
    offsets["power_w"] = offsets["dynamic_j"] * asked.frame_rate + chip.leakage
    if not flow.PIPELINED:
        tables["latency_s"] = column["time_streamed" if streamed else "time_resident"]
        offsets["latency_s"] = steps * chip.synchronisation + spill / chip.dram_bandwidth
        tables["energy_j"] = dynamic + chip.leakage * tables["latency_s"]
        offsets["energy_j"] = offsets["dynamic_j"] + chip.leakage * offsets["latency_s"]
    return tables, offsets
