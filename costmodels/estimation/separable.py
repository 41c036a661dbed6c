"""Additive cost tables per layer and width: what a search needs to bound and rank designs without costing each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels import dataflows
from costmodels.equations import energy
from costmodels.errors import CostError
from costmodels.estimation.gather import rows_of
from costmodels.estimation.request import request
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Spikes, Workload

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SeparableTables:
    """quantity(design) = offsets[quantity] + sum over layers of tables[quantity][layer, width of the layer].

    tables           memory_bytes, weight_bytes, energy_j, dynamic_j, latency_s and power_w, each (L, B)
    streamed         whether the tables hold for designs whose weights are fetched from DRAM, or that stay on the chip
    capacity_bytes   weight memory: a design streams when its weight_bytes exceed it (inf: it never does)
    mixed            whether the widths allow designs of both kinds; a search then needs both tables
    additive         quantities that are exact; latency_s and energy_j of pipelined data flows are not (the slowest
                     layer sets the pace): their tables are then absent
    """

    layers: tuple[str, ...]
    widths: tuple[int, ...]
    tables: Mapping[str, FloatArray]
    offsets: Mapping[str, float]
    streamed: bool
    capacity_bytes: float
    mixed: bool

    @property
    def additive(self) -> tuple[str, ...]:
        """The quantities that have a table."""
        return tuple(self.tables)


def separable_tables(
    workload: Workload,
    hardware: Hardware,
    widths: Sequence[int],
    *,
    streamed: bool | None = None,
    state_bits: ArrayLike | None = None,
    activation_bits: ArrayLike | None = None,
    time_steps: int | None = None,
    spikes: Spikes | ArrayLike | Mapping[str, float] | None = None,
    frame_rate: float | None = None,
) -> SeparableTables:
    """Costs of each layer at each of `widths` as additive tables.

    Other arguments as for `estimate`, the same for all designs.  `streamed` picks the side of the cliff at the weight
    memory's size; by default streaming, unless every design over `widths` stays on the chip.
    """
    if not len(widths):
        raise CostError("widths is empty; expected at least one weight width")
    grid = np.repeat(np.asarray(widths)[:, None], len(workload.weight_layers), axis=1)
    asked = request(workload, hardware, grid, state_bits, activation_bits, time_steps, spikes, frame_rate)
    if asked.own_activity and len(asked.activity.synops) not in (1, len(widths)):
        raise CostError("separable tables need one activity for all designs")
    work, chip = asked.workload, hardware.chip
    flow = dataflows.load(hardware.dataflow)
    bits = np.zeros((len(widths), work.rows))
    bits[:, work.weight_rows] = asked.weight_bits
    states = None if asked.state_bits is None else asked.state_bits.astype(np.float64)
    costs = rows_of(asked, bits, states, asked.activity)
    shape = bits.shape
    column = {name: np.broadcast_to(values, shape) for name, values in costs.columns.items()}  # (B, R)

    smallest, largest = column["stored_bits"].min(0).sum(), column["stored_bits"].max(0).sum()
    fetches = bool(np.any(column["fetched_bits"] > 0))
    side = fetches and bool(largest > chip.weights.size) if streamed is None else streamed
    spill = 2 * work.time_steps * max(0.0, float(column["state_bits"].max(0).sum()) - chip.states.size)
    dynamic = column["dynamic"] + (column["fetched_bits"] * energy.fetch_per_bit(chip) if side else 0.0)
    quantities = {"memory_bytes": column["bytes"], "weight_bytes": column["stored_bits"] / 8, "dynamic_j": dynamic}
    constant = {"memory_bytes": float(costs.buffer_bits.max()) / 8, "weight_bytes": 0.0}
    constant["dynamic_j"] = spill * chip.dram_energy
    quantities["power_w"] = dynamic * asked.frame_rate
    constant["power_w"] = constant["dynamic_j"] * asked.frame_rate + chip.leakage
    if not flow.PIPELINED:
        quantities["latency_s"] = column["time_streamed" if side else "time_resident"]
        constant["latency_s"] = work.time_steps * chip.synchronisation + spill / chip.dram_bandwidth
        quantities["energy_j"] = dynamic + chip.leakage * quantities["latency_s"]
        constant["energy_j"] = constant["dynamic_j"] + chip.leakage * constant["latency_s"]
    without = np.setdiff1d(np.arange(work.rows), work.weight_rows)
    return SeparableTables(
        layers=work.weight_layers,
        widths=tuple(int(w) for w in widths),
        tables={name: np.ascontiguousarray(values[:, work.weight_rows].T) for name, values in quantities.items()},
        offsets={name: constant[name] + float(values[0, without].sum()) for name, values in quantities.items()},
        streamed=side,
        capacity_bytes=chip.weights.size / 8,
        mixed=fetches and bool(smallest <= chip.weights.size < largest),
    )
