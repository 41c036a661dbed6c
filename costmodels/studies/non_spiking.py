"""What a design is compared with, on the same silicon: float, uniform widths, and the non-spiking equivalent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from costmodels.estimation.estimate import Cost, estimate
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("memory_bytes", "energy_j", "latency_s", "power_w", "throughput_power_w", "off_chip_bytes")


def activation_width(time_steps: int) -> int:
    """Width of an activation that tells as many levels apart as spikes over T steps: ceil(log2(T + 1)).

    Yan et al. (arXiv 2409.08290) compare spiking and quantized networks at this width.
    """
    return math.ceil(math.log2(time_steps + 1))


def non_spiking(work: Workload, dense: bool = False) -> Workload:
    """The equivalent quantized non-spiking network: the same shapes, one pass, activations of activation_width(T) bits.

    Neurons become activation functions without state.  By default as many inputs are non-zero as there are spikes, at
    most all (each spike in an element of its own: the upper bound), and the chip skips the zeros; with `dense` every
    input is non-zero.  Attention products multiply integers.
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
    }
    texts = {**work.texts, "input": ("multibit",) * work.rows, "lif": ("",) * work.rows}
    shares = tuple(bool(s and not lif) for s, lif in zip(spiking, work.texts["lif"], strict=True))
    return replace(work, texts=texts, columns={**column, **changed}, time_steps=1, shares_input=shares)


def comparisons(
    workload: Workload,
    hardware: Hardware,
    *,
    weight_bits: ArrayLike | None = None,
    widths: Sequence[int] = (8, 6, 4, 3, 2),
    time_steps: int | None = None,
    state_bits: ArrayLike | None = None,
    spikes: ArrayLike | Mapping[str, float] | None = None,
    frame_rate: float | None = None,
) -> pd.DataFrame:
    """The table a reviewer asks for: one row per network, with savings against float.

    Rows are `float`, `uniform 8` and so on, `design` (if weight_bits, (L,), is given), and for each but float
    `... as QNN` (zeros skipped) and `... as dense QNN`: the equivalent non-spiking network with the same weights.
    `time_steps`, `state_bits` and `spikes` are the design's own; the other rows keep the measured activity.
    """
    import pandas as pd

    designs: list[tuple[str, Workload, ArrayLike, ArrayLike | None]]
    designs = [(f"uniform {bits}", workload, bits, None) for bits in widths]
    if weight_bits is not None:
        own = workload if time_steps is None else workload.with_time_steps(time_steps)
        own = own if spikes is None else own.with_activity(spikes)
        designs.append(("design", own, weight_bits, state_bits))
    base = estimate(workload, hardware, weight_bits=32, frame_rate=frame_rate)
    rows = [_row("float", workload, base, base)]
    for name, network, bits, states in designs:
        cost = estimate(network, hardware, weight_bits=bits, state_bits=states, frame_rate=frame_rate)
        rows.append(_row(name, network, cost, base))
        for suffix, dense in (("as QNN", False), ("as dense QNN", True)):
            equivalent = non_spiking(network, dense=dense)
            cost = estimate(equivalent, hardware, weight_bits=bits, frame_rate=frame_rate)
            rows.append(_row(f"{name} {suffix}", equivalent, cost, base))
    return pd.DataFrame(rows)


def _row(name: str, network: Workload, cost: Cost, base: Cost) -> dict[str, object]:
    values: dict[str, object] = {"network": name, "time_steps": network.time_steps}
    values |= {column: float(getattr(cost, column)) for column in COLUMNS}
    values["memory_saving"] = 1 - float(cost.memory_bytes / base.memory_bytes)
    values["energy_saving"] = 1 - float(cost.energy_j / base.energy_j)
    values["feasible"] = bool(cost.feasible)
    return values
