"""Sums over rows for many designs: tabulate each row once per width, then look up and add.

Two neighbouring rows are added first and then pair after pair in network order, for one design as for a million, so
that results are equal to the last bit however designs are batched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodels import dataflows
from costmodels.equations import timing
from costmodels.estimation.given_widths import WidthArray
from costmodels.estimation.request import Request, RowInputs, some
from costmodels.estimation.row_costs import TIME, RowCosts, row_costs
from costmodels.widths import FLOAT, WEIGHT_WIDTHS

FloatArray = NDArray[np.float64]

_CHUNK = 4096  # designs at a time: their partial sums stay in the second-level cache
_FEW = 64  # designs for which a table of pairs does not pay
_OWN_ACTIVITY = 128  # designs at a time when each has an activity of its own
_SMALL = 4096  # numbers whose running sums are cheaper than a loop
_FEW_BITS = 200_000  # widths that are cheaper to look through than to tabulate all of WEIGHT_WIDTHS


@dataclass(frozen=True)
class Sums:
    """Sums over rows (N, Q), the time of rows at work at the same time (N,) [s], that of the slowest of them (N,) [s],
    and the largest buffer (N,) [bit].

    `fetches` is how often per inference weights that do not fit are fetched. The times are those of equation 36, and
    zero where rows run one after the other.
    """

    totals: FloatArray
    pipeline_s: FloatArray
    slowest_s: FloatArray
    buffer_bits: FloatArray
    fetches: float


def gather(asked: Request, names: tuple[str, ...]) -> Sums:
    """Sums over rows of the named columns for every design."""
    alone = asked.nothing_in_common or asked.designs == 1 or asked.chips is not None
    return _directly(asked, names) if alone else _by_table(asked, names)


def _by_table(asked: Request, names: tuple[str, ...]) -> Sums:
    """Look up every row's costs by the codes of its widths, and add."""
    weights, states = asked.weight_bits, asked.state_bits
    widths = np.unique(weights) if weights.size <= _FEW_BITS else np.array(WEIGHT_WIDTHS, dtype=np.uint8)
    state_widths = np.unique(states) if states is not None else np.zeros(1, dtype=np.uint8)
    table, costs = _tabulate(asked, names, widths, state_widths)
    largest = np.broadcast_to(float(costs.buffer_bits.max()), (asked.designs,))
    totals, (pipeline, slowest) = np.zeros((asked.designs, len(names))), np.zeros((2, asked.designs))
    sums = Sums(totals, pipeline, slowest, largest, costs.fetches)
    if asked.designs > _FEW and states is None and not dataflows.named(asked.hardware.dataflow).PIPELINED:
        _by_pairs(asked, table, widths, sums)
        return sums
    place, state_place = (np.zeros(256, dtype=np.intp) for _ in range(2))
    place[widths] = np.arange(len(widths)) * len(state_widths)
    state_place[state_widths] = np.arange(len(state_widths))
    for part in _parts(asked.designs, _CHUNK):
        index = np.zeros((len(table), part.stop - part.start), dtype=np.intp)
        index[asked.workload.weight_rows] = place[some(weights, part).T]
        if states is not None:
            index[: asked.workload.rows] += state_place[some(states, part).T]
        picked = table[np.arange(len(table))[:, None], index]  # (R, n, Q)
        _add(asked, picked, sums, part)
    return sums


def _tabulate(
    asked: Request, names: tuple[str, ...], widths: WidthArray, state_widths: WidthArray
) -> tuple[FloatArray, RowCosts]:
    """Costs (R, pairs, Q) of each row at each pair of weight and state width, padded to an even R, and as they are."""
    work = asked.workload
    bits = asked.spread(np.repeat(widths, len(state_widths))[:, None])
    states = None
    if asked.state_bits is not None:
        states = np.tile(state_widths, len(widths))[:, None].astype(np.float64)
    costs = row_costs(asked, RowInputs(bits, states, asked.activity, asked.chip, **asked.common_widths))
    table = np.zeros((work.rows + work.rows % 2, len(bits), len(names)))
    costs.fill(table[: work.rows], names)
    return table, costs


def _by_pairs(asked: Request, table: FloatArray, widths: WidthArray, sums: Sums) -> None:
    """Many designs: look up the sum of two neighbouring rows at once, which halves the work."""
    codes, (rows, _, quantities) = FLOAT + 1, table.shape
    wide = np.zeros((rows, codes, quantities))
    wide[:, 0] = table[:, 0]  # the code of rows without weights, whose costs are the same at every width
    wide[:, widths] = table
    pairs = (wide[0::2, :, None] + wide[1::2, None, :]).reshape(rows // 2, codes * codes, quantities)
    for part in _parts(asked.designs, _CHUNK):
        code = np.zeros((rows, part.stop - part.start), dtype=np.uint16)
        code[asked.workload.weight_rows] = some(asked.weight_bits, part).T
        index = code[0::2] * np.uint16(codes) + code[1::2]
        totals = sums.totals[part]
        picked = np.empty_like(totals)
        for costs, at in zip(pairs, index, strict=True):
            np.take(costs, at, axis=0, out=picked, mode="clip")
            totals += picked


def _directly(asked: Request, names: tuple[str, ...]) -> Sums:
    """Designs with an activity of their own have nothing in common to tabulate, and one alone has no more widths."""
    work = asked.workload
    totals, fetches = np.zeros((asked.designs, len(names))), 0.0
    pipeline, slowest, largest = np.zeros((3, asked.designs))
    for part in _parts(asked.designs, _OWN_ACTIVITY):
        costs = row_costs(asked, asked.rows(part))
        fetches = costs.fetches
        picked = np.zeros((work.rows + work.rows % 2, part.stop - part.start, len(names)))
        costs.fill(picked[: work.rows], names)
        _add(asked, picked, Sums(totals, pipeline, slowest, largest, fetches), part)
        largest[part] = costs.buffer_bits.max(axis=-1)
    return Sums(totals, pipeline, slowest, largest, fetches)


def _add(asked: Request, picked: FloatArray, sums: Sums, part: slice) -> None:
    """Add picked (R, n, Q) up into the sums of a part of the designs: neighbours first, then pair after pair."""
    totals, pairs = sums.totals[part], picked[0::2] + picked[1::2]
    if totals.size <= _SMALL:
        totals += np.cumsum(pairs, axis=0)[-1]  # one after the other, as below
    else:
        for pair in pairs:  # not np.add.reduce, whose order depends on the shape
            totals += pair
    if dataflows.named(asked.hardware.dataflow).PIPELINED:
        times = picked[: asked.workload.rows, :, TIME]
        sums.pipeline_s[part] = timing.pipeline(times, asked.workload.time_steps)
        sums.slowest_s[part] = times.max(axis=0)


def _parts(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
