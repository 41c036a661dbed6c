"""What binds every layer, and what to change first: the times of all resources of one design, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels import dataflows
from costmodels.equations import timing
from costmodels.equations.streaming import by_row
from costmodels.estimation.designs import Designs
from costmodels.estimation.estimate import whole
from costmodels.estimation.gather import Sums, gather
from costmodels.estimation.loads import load_of
from costmodels.estimation.request import Request, request
from costmodels.estimation.row_costs import SUMMED, RowCosts, row_costs
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

DRAM = "dram"
RESOURCES = (*timing.RESOURCES, DRAM)
"""What can set the time of a layer, in the order in which ties are decided."""


def floorline(workload: Workload, hardware: Hardware, design: Designs | ArrayLike) -> pd.DataFrame:
    """One design's layers with the resource that binds each: the floorline of Yik et al. (arXiv 2511.21549).

    workload  the layer table with the measured activity
    hardware  the chip
    design    one design as for `estimate`

    Columns: layer, stage, `binding` (the resource whose time is the longest), `time_s` (that time, all steps), a column
    per resource (`compute`, `weight port`, `sum and state port`, `spike port`, `noc`, `dram`) with the time that it
    needs [s], `utilisation` (share of the processing elements that have work), `operations` (per inference),
    `intensity` (operations per word of the weight memory). On pipelined data flows layers work at the same time.
    """
    import pandas as pd

    asked = request(workload, hardware, Designs.of(design), None)
    load = load_of(asked, asked.only("a floorline is"))
    times, stacked = _times(asked, gather(asked, SUMMED))
    counts = dataflows.named(hardware.dataflow).counts(load, hardware.chip)
    rows = (asked.workload.rows,)
    operations = np.broadcast_to(counts.additions + counts.multiplications, rows)
    words = np.broadcast_to(counts.weight_words, rows)
    columns = {
        "layer": asked.workload.names,
        "stage": asked.workload.stages,
        "binding": np.array(RESOURCES)[np.argmax(stacked, axis=0)],
        "time_s": stacked.max(axis=0),
        **times,
        "utilisation": np.broadcast_to(load.utilisation, rows),
        "operations": operations,
        "intensity": np.divide(operations, words, out=np.full(rows, np.inf), where=words > 0),
    }
    return pd.DataFrame(columns)


def binding(workload: Workload, hardware: Hardware, design: Designs | ArrayLike) -> tuple[str, float]:
    """The resource that binds one design's layers for most of their time, and its share of it; without pandas.

    workload  the layer table with the measured activity
    hardware  the chip
    design    one design as for `estimate`
    """
    asked = request(workload, hardware, Designs.of(design), None)
    _, stacked = _times(asked, gather(asked, SUMMED))
    longest = stacked.max(axis=0)
    bound = np.bincount(np.argmax(stacked, axis=0), weights=longest, minlength=len(RESOURCES))
    most = int(np.argmax(bound))
    return RESOURCES[most], float(bound[most] / longest.sum()) if longest.sum() > 0 else 0.0


def change_first(workload: Workload, hardware: Hardware, design: Designs | ArrayLike) -> pd.DataFrame:
    """What makes one design faster: the latency with each resource twice as fast, the most useful one first.

    workload  the layer table with the measured activity
    hardware  the chip
    design    one design as for `estimate`

    Columns: resource, `layers` (how many it binds), `share` (of the layers' time), `latency_s` (with twice of it),
    `saving` (share of the latency).
    """
    import pandas as pd

    asked = request(workload, hardware, Designs.of(design), None)
    sums = gather(asked, SUMMED)
    _, stacked = _times(asked, sums)
    binding, longest = np.argmax(stacked, axis=0), stacked.max(axis=0)
    base = _latency(asked, longest)
    total = {name: sums.totals[:, place] for place, name in enumerate(SUMMED)}
    rest = float(whole(asked, total, sums).latency_s[0]) - base  # synchronisation, and potentials that spill
    rows = []
    for place, name in enumerate(RESOURCES):
        faster = stacked.copy()
        faster[place] /= 2
        saved = base - _latency(asked, faster.max(axis=0))
        bound = binding == place
        share = float(longest[bound].sum() / longest.sum()) if longest.sum() > 0 else 0.0
        latency = base + rest - saved
        row = {"resource": name, "layers": int(bound.sum()), "share": share, "latency_s": latency}
        rows.append(row | {"saving": saved / (base + rest) if base + rest > 0 else 0.0})
    return pd.DataFrame(rows).sort_values("saving", ascending=False, kind="stable", ignore_index=True)


def _times(asked: Request, sums: Sums) -> tuple[dict[str, FloatArray], FloatArray]:
    """`resource_times` of the one design that is asked for, by name and stacked (resources, R) [s]."""
    times = resource_times(asked, row_costs(asked, asked.only("a floorline is")), sums)
    return times, np.stack(list(times.values()))


def resource_times(asked: Request, costs: RowCosts, sums: Sums) -> dict[str, FloatArray]:
    """The time that every resource needs for every row of one design, (R,) each [s]."""
    total = {name: sums.totals[:, place] for place, name in enumerate(SUMMED)}
    rows, chip = (asked.workload.rows,), asked.hardware.chip
    fetched, hidden = (np.broadcast_to(costs.columns[name], rows) for name in ("fetched_bits", "hidden_bits"))
    design = whole(asked, total, sums)
    bits = design.streamed_bits[0] * fetched.sum() / costs.columns["stored_bits"].sum()
    port = costs.resources[timing.SPIKE_PORT] + design.reread_share[0] * costs.reread_port_s
    own = {timing.SPIKE_PORT: port, DRAM: costs.dram_s + by_row(bits, fetched, hidden) / chip.dram_bandwidth}
    times = costs.resources | own
    return {name: np.array(np.broadcast_to(times[name], rows)) for name in RESOURCES}


def _latency(asked: Request, row_times: FloatArray) -> float:
    if dataflows.named(asked.hardware.dataflow).PIPELINED:
        return float(timing.pipeline(row_times[:, None], asked.workload.time_steps)[0])
    return float(row_times.sum())
