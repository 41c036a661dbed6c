"""Energy and memory of one design by layer and component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.equations import energy, memory
from costmodels.estimation.designs import Designs
from costmodels.estimation.floorline import resource_times
from costmodels.estimation.gather import Sums, gather
from costmodels.estimation.many_chips import repeated
from costmodels.estimation.request import Request, request
from costmodels.estimation.row_costs import ROW_ENERGIES, ROW_MEMORIES, SUMMED, RowCosts, row_costs, work_of
from costmodels.estimation.spread import spread
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


def breakdown(
    workload: Workload, hardware: Hardware, design: Designs | ArrayLike, *, frame_rate: float | None = None
) -> pd.DataFrame:
    """One design's costs as rows of `layer, stage, quantity, component, value`; zero entries are left out.

    workload    the layer table with the measured activity
    hardware    the chip
    design      one design as for `estimate`
    frame_rate  inferences per second; default: the hardware file's

    `quantity` is energy_j, memory_bytes or time_s; the values of the first two sum to the design's. In time_s the
    component is the resource that binds the layer, and the value the time of the layer for all steps: on data flows
    that run layer by layer they sum to the latency without synchronisation and spilled potentials. Leakage is spread
    over layers by their time, spilled potentials by their size; the buffers, which all layers share, stand at the layer
    that needs the most, event queues at the layer that they belong to.
    """
    import pandas as pd

    asked = request(workload, hardware, Designs.of(design), frame_rate)
    costs = row_costs(asked, asked.only("breakdown is"))
    sums = gather(asked, SUMMED)
    parts = _energies(asked, costs, sums), _memories(asked, costs), _binding(asked, costs, sums)
    layers, stages = np.array(asked.workload.names), np.array(asked.workload.stages)
    tables = []
    for quantity, by_component in zip(("energy_j", "memory_bytes", "time_s"), parts, strict=True):
        for component, values in by_component.items():
            kept = np.flatnonzero(values)
            columns = {"layer": layers[kept], "stage": stages[kept], "quantity": quantity, "component": component}
            tables.append(pd.DataFrame({**columns, "value": values[kept]}))
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def row_energies(
    workload: Workload, chips: Sequence[Hardware], design: Designs
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Energy of every component per row of one design on each of H chips, (H, R) [J], and its operations, (R,).

    workload  the layer table with the measured activity
    chips     the H chips, a group of `many_chips.groups`
    design    one design as for `estimate`

    All components and rows of a chip sum to the design's energy there.
    """
    one = request(workload, chips[0], design, None)
    _, counts, _ = work_of(one, one.only("a breakdown is"))
    operations = np.broadcast_to(counts.additions + counts.multiplications, (workload.rows,))
    asked = repeated(one, chips)
    costs = row_costs(asked, asked.rows(slice(None)))
    return _energies(asked, costs, gather(asked, SUMMED)), operations


def _energies(asked: Request, costs: RowCosts, sums: Sums) -> dict[str, FloatArray]:
    """Energy components per row, what belongs to the whole design spread over the rows that cause it.

    (R,), or (H, R) where the design stands on several chips.
    """
    chip = asked.chip if asked.chips is None else asked.chips.for_rows(slice(None))
    column, design = costs.columns, spread(asked, costs, sums)
    parts = {name: np.broadcast_to(column[name], design.seconds.shape) for name in ROW_ENERGIES}
    parts["spikes"] = parts["spikes"] + design.reread_j
    parts["dram"] = design.fetched_bits * energy.fetch_per_bit(chip) + design.spilled_bits * chip.dram_energy
    parts["leakage"] = design.seconds * chip.leakage
    return parts


def _binding(asked: Request, costs: RowCosts, sums: Sums) -> dict[str, FloatArray]:
    """The time of every row, (R,), under the name of the resource that binds it."""
    times = resource_times(asked, costs, sums)
    stacked = np.stack(list(times.values()))
    longest, first = stacked.max(axis=0), np.argmax(stacked, axis=0)
    return {name: np.where(first == place, longest, 0.0) for place, name in enumerate(times)}


def _memories(asked: Request, costs: RowCosts) -> dict[str, FloatArray]:
    parts = {name: np.broadcast_to(costs.columns[f"{name}_bytes"], (asked.workload.rows,)) for name in ROW_MEMORIES}
    buffers = costs.columns["queue_bits"] / 8 + np.zeros(asked.workload.rows)
    largest = int(np.argmax(costs.buffer_bits))
    buffers[largest] += costs.buffer_bits[largest] / 8
    return parts | {memory.COMPONENTS[-1]: buffers}
