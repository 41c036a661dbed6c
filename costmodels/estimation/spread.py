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
    """By row, (R,), of one design; (H, R) of one design on each of H chips.

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
    chip, column = asked.chip, costs.columns
    total = {name: sums.totals[:, place] for place, name in enumerate(SUMMED)}
    design, shape = whole(asked, total, sums), _shape(asked)

    def by_row(values: FloatArray | float) -> FloatArray:
        """A number, one of the design (1,) or of each chip (H,), beside rows."""
        return np.asarray(values)[:, None] if asked.chips is not None and np.ndim(values) else np.asarray(values)

    per_bit = energy.fetch_per_bit(chip)
    again = by_row(design.reread_share) * column["reread_j"]
    time = column["time_resident"] + by_row(design.reread_share) * column["reread_s"]
    spilled = costs.dram_s * by_row(chip.dram_bandwidth) if chip.has_dram else np.zeros(())
    return Spread(
        fetched_bits=np.broadcast_to(share(column["fetched_bits"]) * by_row(_over(design.fetch_j, per_bit)), shape),
        spilled_bits=np.broadcast_to(spilled, shape)
        + 2
        * asked.workload.time_steps
        * chip.has_dram
        * (
            share(column["state_bits"]) * by_row(design.spilled_state_bits)
            + share(column["queue_bits"]) * by_row(design.spilled_queue_bits)
        ),
        reread_j=np.broadcast_to(again, shape),
        reread_words=np.broadcast_to(_over(again, by_row(chip.spikes.read)), shape),
        seconds=np.broadcast_to(share(time) * by_row(design.latency_s), shape),
    )


def _shape(asked: Request) -> tuple[int, ...]:
    return (asked.workload.rows,) if asked.chips is None else (asked.designs, asked.workload.rows)


def _over(values: FloatArray, each: FloatArray | float) -> FloatArray:
    """Values over what one of them takes; 0 where it takes nothing."""
    out: FloatArray = np.zeros(np.broadcast_shapes(np.shape(values), np.shape(each)))
    np.divide(values, each, out=out, where=np.asarray(each) > 0)
    return out


def share(values: FloatArray) -> FloatArray:
    """Values (..., R) over their sum; equal shares where all are zero."""
    total = values.sum(axis=-1, keepdims=True)
    same: FloatArray = np.full_like(values, 1.0 / values.shape[-1])
    np.divide(values, total, out=same, where=total > 0)
    return same
