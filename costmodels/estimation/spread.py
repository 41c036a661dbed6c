"""What only a whole design has, spread over the rows that cause it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodels.equations import energy
from costmodels.estimation.estimate import whole
from costmodels.estimation.gather import Sums
from costmodels.estimation.request import Request
from costmodels.estimation.row_costs import SUMMED, RowCosts

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spread:
    """Of one design, by row (R,).

    fetched_bits  weights that DRAM transfers
    spilled_bits  feature maps, held sums and potentials that DRAM transfers, out and in
    reread_j      energy of inputs that are read again because weights stream in pieces [J]
    reread_words  words of the spike memory of that
    seconds       share of the latency, by the time of the rows
    """

    fetched_bits: FloatArray
    spilled_bits: FloatArray
    reread_j: FloatArray
    reread_words: FloatArray
    seconds: FloatArray


def spread(asked: Request, costs: RowCosts, sums: Sums) -> Spread:
    """The quantities of a design as a whole by row: transfers by what is stored, leakage by time."""
    chip, column = asked.hardware.chip, costs.columns
    total = {name: sums.totals[:, place] for place, name in enumerate(SUMMED)}
    design = whole(asked, total, sums)
    per_bit = energy.fetch_per_bit(chip)
    fetched = design.fetch_j[0] / per_bit if per_bit > 0 else 0.0
    states = design.spill_j[0] / chip.dram_energy if chip.dram_energy > 0 else 0.0
    again = design.reread_share[0] * column["reread_j"]
    time = column["time_resident"] + design.reread_share[0] * column["reread_s"]
    rows = (asked.workload.rows,)
    return Spread(
        fetched_bits=np.broadcast_to(share(column["fetched_bits"]) * fetched, rows),
        spilled_bits=np.broadcast_to(costs.dram_s * chip.dram_bandwidth if chip.has_dram else 0.0, rows)
        + share(column["state_bits"]) * states,
        reread_j=np.broadcast_to(again, rows),
        reread_words=np.broadcast_to(again / chip.spikes.read if chip.spikes.read > 0 else 0.0, rows),
        seconds=share(time) * design.latency_s[0],
    )


def share(values: FloatArray) -> FloatArray:
    """Values over their sum; equal shares where all are zero."""
    total = float(values.sum())
    return values / total if total > 0 else np.full_like(values, 1.0 / values.size)
