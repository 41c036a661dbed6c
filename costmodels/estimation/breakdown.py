"""Where a design's energy and memory go: layer by layer, component by component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.equations import energy, memory
from costmodels.errors import CostError
from costmodels.estimation.estimate import whole
from costmodels.estimation.gather import Sums, gather, rows_of
from costmodels.estimation.request import Request, request
from costmodels.estimation.row_costs import ROW_ENERGIES, ROW_MEMORIES, SUMMED, RowCosts
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Spikes, Workload

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


def breakdown(
    workload: Workload,
    hardware: Hardware,
    *,
    weight_bits: ArrayLike,
    state_bits: ArrayLike | None = None,
    activation_bits: ArrayLike | None = None,
    time_steps: int | None = None,
    spikes: Spikes | ArrayLike | Mapping[str, float] | None = None,
    frame_rate: float | None = None,
) -> pd.DataFrame:
    """One design's costs as rows of `layer, stage, quantity, component, value`; zero entries are left out.

    Arguments as for `estimate`, for one design.  `quantity` is energy_j or memory_bytes; the values of a quantity sum
    to the design's.  Leakage is spread over layers by their time, spilled potentials by their size; the buffers, which
    all layers share, stand at the layer that needs the most.
    """
    import pandas as pd

    asked = request(workload, hardware, weight_bits, state_bits, activation_bits, time_steps, spikes, frame_rate)
    if asked.designs != 1:
        raise CostError(f"breakdown is for one design, not {asked.designs}; call it once per design")
    costs = _rows(asked)
    sums = gather(asked, SUMMED)
    parts = _energies(asked, costs, sums), _memories(asked, costs)
    layers, stages = np.array(asked.workload.names), np.array(asked.workload.stages)
    tables = []
    for quantity, by_component in zip(("energy_j", "memory_bytes"), parts, strict=True):
        for component, values in by_component.items():
            kept = np.flatnonzero(values)
            columns = {"layer": layers[kept], "stage": stages[kept], "quantity": quantity, "component": component}
            tables.append(pd.DataFrame({**columns, "value": values[kept]}))
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def _rows(asked: Request) -> RowCosts:
    bits = np.zeros(asked.workload.rows)
    bits[asked.workload.weight_rows] = asked.weight_bits[0]
    activity = asked.activity
    if asked.own_activity:
        activity = Spikes(activity.spikes[0], activity.lif_spikes[0], activity.synops[0])
    return rows_of(asked, bits, None if asked.state_bits is None else asked.state_bits[0].astype(np.float64), activity)


def _energies(asked: Request, costs: RowCosts, sums: Sums) -> dict[str, FloatArray]:
    """Energy components per row (R,), what belongs to the whole design spread over the rows that cause it."""
    chip, column = asked.hardware.chip, costs.columns
    total = {name: sums.totals[:, place] for place, name in enumerate(SUMMED)}
    design = whole(asked, total, sums.slowest)
    streamed = bool(design.streamed[0])
    fetched = column["fetched_bits"] * energy.fetch_per_bit(chip) * streamed
    spilled = _share(column["state_bits"]) * design.spill_j[0]
    time = column["time_streamed" if streamed else "time_resident"]
    parts = {name: np.broadcast_to(column[name], (asked.workload.rows,)) for name in ROW_ENERGIES}
    parts["dram"] = parts["dram"] + fetched + spilled
    parts["leakage"] = _share(time) * chip.leakage * design.latency_s[0]
    return parts


def _memories(asked: Request, costs: RowCosts) -> dict[str, FloatArray]:
    parts = {name: np.broadcast_to(costs.columns[f"{name}_bytes"], (asked.workload.rows,)) for name in ROW_MEMORIES}
    buffers = np.zeros(asked.workload.rows)
    largest = int(np.argmax(costs.buffer_bits))
    buffers[largest] = costs.buffer_bits[largest] / 8
    return parts | {memory.COMPONENTS[-1]: buffers}


def _share(values: FloatArray) -> FloatArray:
    """Values over their sum; equal shares where all are zero."""
    total = float(values.sum())
    return values / total if total > 0 else np.full_like(values, 1.0 / values.size)
