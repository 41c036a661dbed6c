"""Comparisons on the same chip: float, uniform widths, and the equivalent non-spiking network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from costmodels.errors import CostError
from costmodels.estimation.cost import Cost
from costmodels.estimation.designs import Designs
from costmodels.estimation.efficiency import bit_budgets
from costmodels.estimation.estimate import estimate
from costmodels.hardware.hardware import Hardware
from costmodels.widths import FLOAT
from costmodels.workload.activity import Activity
from costmodels.workload.propagation import with_spikes
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("memory_bytes", "energy_j", "latency_s", "power_w", "throughput_power_w", "off_chip_bytes")


def activation_width(time_steps: int) -> int:
    """Width [bit] of an activation with as many levels as spike counts over T time steps: ceil(log2(T + 1)).

    time_steps  T

    Yan et al. (arXiv 2409.08290) compare spiking and quantized networks at this width.
    """
    return math.ceil(math.log2(time_steps + 1))


def non_spiking(work: Workload, dense: bool = False) -> Workload:
    """The equivalent quantized non-spiking network: the same shapes, one pass, activations of activation_width(T) bits.

    work   the spiking network with its measured activity
    dense  whether every input counts as non-zero; by default as many are as there are spikes, at most all (each spike
           in an element of its own: the upper bound), and the chip skips the zeros

    Neurons become activation functions without state. Attention products multiply integers, K^T V of full width.
    """
    column, shape = work.columns, work.geometry
    spiking = ~shape.multibit
    elements = shape.in_elements
    per_pass = column["spikes"] / work.time_steps  # multi-bit rows: the steps repeat
    active = elements if dense else np.where(spiking, np.minimum(column["spikes"], elements), per_pass)
    share = np.divide(active, column["spikes"], out=np.zeros_like(active), where=column["spikes"] > 0)
    synops = column["macs"] * active / elements if dense else column["synops"] * share
    density = active / elements
    for row in np.flatnonzero(shape.attention):
        names = [n for n in work.texts["lif"][row].split(";") if n]
        other = column["lif_spikes"][row] - column["spikes"][row]
        second = 1.0 if dense else min(1.0, other / elements[row]) if len(names) == 2 else 1.0
        synops[row] = column["macs"][row] * density[row] * second
    width = float(activation_width(work.time_steps))
    none = np.zeros(work.rows)
    changed = {
        "input_bits": np.where(spiking, width, column["input_bits"]),
        "spikes": active,
        "synops": np.minimum(synops, column["macs"]),
        "neurons": none,
        "lif_spikes": none,
        "level": none,
    }
    texts = {**work.texts, "input": ("multibit",) * work.rows, "lif": ("",) * work.rows}
    has_lif = np.array([bool(lif) for lif in work.texts["lif"]])
    own = np.where(shape.attention, column["neurons"], elements)  # K^T V: both K and V
    written = np.where(spiking & ~has_lif, 0.0, own)  # rows without LIF layers read what another row writes
    return replace(
        work, texts=texts, columns={**column, **changed}, time_steps=1, written_inputs=tuple(written.tolist())
    )


def comparisons(
    workload: Workload,
    hardware: Hardware,
    design: Designs | ArrayLike | None = None,
    *,
    widths: Sequence[int] = (8, 6, 4, 3, 2),
    frame_rate: float | None = None,
) -> pd.DataFrame:
    """The table a reviewer asks for: one row per network, with savings against float.

    workload    the layer table with the measured activity, which all rows but the design's keep
    hardware    the chip
    design      one design as for `estimate`; default: none
    widths      uniform weight widths [bit], a row each
    frame_rate  inferences per second; default: the hardware file's

    Rows are `float`, `uniform 8` and so on, `design`, and for each but float `... as QNN` (zeros skipped) and
    `... as dense QNN`: the equivalent non-spiking network with the same weights. `ace` and `ns_ace` are bit budgets:
    products of operand widths, over all operations and over those that happen (Shen et al., CVPR 2024).
    """
    import pandas as pd

    designs = [(f"uniform {bits}", workload, Designs(bits)) for bits in widths]
    if design is not None:
        designs.append(("design", *with_own_activity(workload, Designs.of(design))))
    base = estimate(workload, hardware, FLOAT, frame_rate=frame_rate)
    rows = [_row("float", workload, base, base) | _budgets(workload, hardware, Designs(FLOAT))]
    for name, network, widths_of in designs:
        cost = estimate(network, hardware, widths_of, frame_rate=frame_rate)
        rows.append(_row(name, network, cost, base) | _budgets(network, hardware, widths_of))
        for suffix, dense in (("as QNN", False), ("as dense QNN", True)):
            equivalent = non_spiking(network, dense=dense)
            cost = estimate(equivalent, hardware, widths_of.weight_bits, frame_rate=frame_rate)
            row = _row(f"{name} {suffix}", equivalent, cost, base)
            rows.append(row | _budgets(equivalent, hardware, Designs(widths_of.weight_bits)))
    return pd.DataFrame(rows)


def with_own_activity(workload: Workload, design: Designs) -> tuple[Workload, Designs]:
    """The layer table over the design's own steps with its own spikes, and the design without them."""
    if design.time_steps is not None:
        workload = workload.with_time_steps(int(np.asarray(design.time_steps).item()))
    if isinstance(design.spikes, Activity):
        raise CostError("comparisons take spikes per LIF layer, not an Activity")
    if design.spikes is not None:
        workload = with_spikes(workload, design.spikes)
    return workload, replace(design, time_steps=None, spikes=None)


def _budgets(network: Workload, hardware: Hardware, design: Designs) -> dict[str, float]:
    found = bit_budgets(network, hardware, design)
    return {"ace": found.dense, "ns_ace": found.happening}


def _row(name: str, network: Workload, cost: Cost, base: Cost) -> dict[str, object]:
    values: dict[str, object] = {"network": name, "time_steps": network.time_steps}
    values |= {column: float(getattr(cost, column)) for column in COLUMNS}
    values["memory_saving"] = 1 - float(cost.memory_bytes / base.memory_bytes)
    values["energy_saving"] = 1 - float(cost.energy_j / base.energy_j)
    values["feasible"] = bool(cost.feasible)
    return values
