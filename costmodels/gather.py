"""Sums over rows for many designs: tabulate each row once per width, then look up and add.

Rows are added one after the other in network order, for one design as for a million, so that results are equal to the
last bit however designs are batched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodels import dataflows
from costmodels.requests import WIDTHS, Request
from costmodels.rowcosts import TIMES, RowCosts, load_of, row_costs
from costmodels.workload import Spikes

FloatArray = NDArray[np.float64]

_CHUNK = 2048  # designs at a time: their partial sums stay in the second-level cache
_FEW = 64  # designs that are gathered in one go
_OWN_ACTIVITY = 128  # designs at a time when each has an activity of its own
_FEW_BITS = 200_000  # widths that are cheaper to look through than to tabulate all of WIDTHS


@dataclass(frozen=True)
class Sums:
    """Sums over rows (N, Q), the longest row time resident and streamed (N, 2), and the largest buffer [bit]."""

    totals: FloatArray
    slowest: FloatArray
    buffer_bits: float


def gather(asked: Request, names: tuple[str, ...]) -> Sums:
    """Sums over rows of the named columns for every design."""
    return _directly(asked, names) if asked.own_activity else _by_table(asked, names)


def rows_of(asked: Request, bits: FloatArray, states: FloatArray | None, activity: Spikes) -> RowCosts:
    """The costs of rows at weight widths (..., R) and state widths (..., R) or None."""
    load = load_of(asked.workload, asked.hardware, bits, states, asked.activation_bits, activity)
    return row_costs(asked.workload, asked.hardware, load, bits)


def _by_table(asked: Request, names: tuple[str, ...]) -> Sums:
    work, count = asked.workload, asked.designs
    weights, states = asked.weight_bits, asked.state_bits
    few = weights.size <= _FEW_BITS
    widths = np.unique(weights) if few else np.array(WIDTHS, dtype=np.uint8)
    state_widths = np.unique(states) if states is not None else np.zeros(1, dtype=np.uint8)
    pairs = len(widths) * len(state_widths)
    bits = np.zeros((pairs, work.rows))
    bits[:, work.weight_rows] = np.repeat(widths, len(state_widths))[:, None]
    tabulated = np.tile(state_widths, len(widths))[:, None].astype(np.float64) if states is not None else None
    costs = rows_of(asked, bits, tabulated, asked.activity)
    table = np.ascontiguousarray(np.moveaxis(costs.stacked(names), 0, 1))  # (R, pairs, Q)

    place = np.zeros(256, dtype=np.intp)
    place[widths] = np.arange(len(widths)) * len(state_widths)
    state_place = np.zeros(256, dtype=np.intp)
    state_place[state_widths] = np.arange(len(state_widths))
    totals = np.zeros((count, len(names)))
    slowest = np.zeros((count, 2))
    chunk = count if count <= _FEW else _CHUNK
    for start in range(0, count, chunk):
        part = slice(start, min(start + chunk, count))
        size = part.stop - part.start
        index = np.zeros((work.rows, size), dtype=np.intp)
        index[work.weight_rows] = place[(weights if len(weights) == 1 else weights[part]).T]
        if states is not None:
            index += state_place[(states if len(states) == 1 else states[part]).T]
        (_at_once if count <= _FEW else _row_by_row)(table, index, totals[part], slowest[part], asked)
    return Sums(totals, slowest, float(costs.buffer_bits.max()))


def _at_once(
    table: FloatArray, index: NDArray[np.intp], totals: FloatArray, slowest: FloatArray, asked: Request
) -> None:
    picked = table[np.arange(len(table))[:, None], index]  # (R, n, Q)
    np.add.reduce(picked, axis=0, out=totals)
    np.maximum.reduce(picked[..., TIMES], axis=0, out=slowest)


def _row_by_row(
    table: FloatArray, index: NDArray[np.intp], totals: FloatArray, slowest: FloatArray, asked: Request
) -> None:
    pipelined = dataflows.load(asked.hardware.dataflow).PIPELINED
    picked = np.empty_like(totals)
    for row, at in zip(table, index, strict=True):
        np.take(row, at, axis=0, out=picked, mode="clip")
        totals += picked
        if pipelined:
            np.maximum(slowest, picked[:, TIMES], out=slowest)


def _directly(asked: Request, names: tuple[str, ...]) -> Sums:
    work, count = asked.workload, asked.designs
    totals, slowest, buffer = np.empty((count, len(names))), np.empty((count, 2)), 0.0
    for start in range(0, count, _OWN_ACTIVITY):
        part = slice(start, min(start + _OWN_ACTIVITY, count))
        bits = np.zeros((part.stop - part.start, work.rows))
        bits[:, work.weight_rows] = asked.weight_bits if len(asked.weight_bits) == 1 else asked.weight_bits[part]
        states = asked.state_bits
        if states is not None:
            states = states if len(states) == 1 else states[part]
        given = asked.activity
        activity = Spikes(given.spikes[part], given.lif_spikes[part], given.synops[part])
        costs = rows_of(asked, bits, None if states is None else states.astype(np.float64), activity)
        picked = np.ascontiguousarray(np.moveaxis(costs.stacked(names), 1, 0))  # (R, n, Q)
        np.add.reduce(picked, axis=0, out=totals[part])
        np.maximum.reduce(picked[..., TIMES], axis=0, out=slowest[part])
        buffer = float(costs.buffer_bits.max())
    return Sums(totals, slowest, buffer)
