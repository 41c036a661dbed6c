"""Residual streams: what is held for every addition of a shortcut, from the `add` rows of a layer table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from costmodels.errors import CostError
from costmodels.widths import ACTIVATION_BITS, FLOAT

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

ADDITION = "add"  # the kind of these rows, which stand behind all others
PLACES = ("after", "since")


@dataclass(frozen=True)
class Stream:
    """What an addition holds: the sum that went around some rows, until it is added to their result.

    name      of the addition
    after     position of the row whose result is added; the addition happens as this result comes
    since     name of the row or of the addition that writes the held sum
    begins    position of the row whose result the stream begins with
    first     the first row while which the held sum takes room; a sum that an addition writes takes the place of the
              sum that it read
    elements  of the stream, per time step
    bits      width of an element [bit]
    """

    name: str
    after: int
    since: str
    begins: int
    first: int
    elements: float
    bits: float


@dataclass(frozen=True, eq=False)
class Shortcuts:
    """The additions of a network as arrays, (A,) each, and how they fall on its R rows.

    `first`, `after` and `begins` are rows as in `Stream`.
    """

    elements: FloatArray
    bits: FloatArray
    rows: int
    first: tuple[int, ...]
    after: tuple[int, ...]
    begins: tuple[int, ...]

    @classmethod
    def of(cls, streams: tuple[Stream, ...], rows: int) -> Shortcuts:
        """The arrays of some additions among `rows` rows."""
        elements = np.array([each.elements for each in streams], dtype=np.float64)
        bits = np.array([each.bits for each in streams], dtype=np.float64)
        places = zip(*((each.first, each.after, each.begins) for each in streams), strict=True)
        first, after, begins = places if streams else ((), (), ())
        return cls(elements, bits, rows, tuple(first), tuple(after), tuple(begins))

    @cached_property
    def table_bits(self) -> FloatArray:
        """Bits of every held sum per step at the widths of the layer table, (A,)."""
        return self.elements * self.bits

    @cached_property
    def elements_at(self) -> FloatArray:
        """Elements to which a row's results are added in one step, (R,)."""
        return self.at_rows(self.elements)

    @cached_property
    def table_bits_at(self) -> FloatArray:
        """The same in bits at the widths of the layer table, (R,)."""
        return self.at_rows(self.table_bits)

    @cached_property
    def alive(self) -> FloatArray:
        """Which sums take room while each row runs, (A, R): 1 or 0."""
        rows = np.arange(self.rows)
        first, after = (np.array(places, dtype=np.intp)[:, None] for places in (self.first, self.after))
        return np.asarray((first <= rows) & (rows <= after), dtype=np.float64)

    @cached_property
    def held(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """What is held while each row runs, what is needed last first: place among R maps and A sums, and last row."""
        found = []
        for row in range(self.rows):
            alive = [(row, row)] + ([(row + 1, row + 1)] if row + 1 < self.rows else [])
            lives = enumerate(zip(self.first, self.after, strict=True))
            alive += [(self.rows + place, after) for place, (first, after) in lives if first <= row <= after]
            found.append(tuple(sorted(alive, key=lambda each: each[1], reverse=True)))
        return tuple(found)

    def at_rows(self, values: FloatArray) -> FloatArray:
        """Values of additions (..., A) at the rows whose results they add, (..., R)."""
        out = np.zeros((*values.shape[:-1], self.rows))
        for place, row in enumerate(self.after):  # one after the other: the order of a sum depends on no shape
            out[..., row] += values[..., place]
        return out

    def resident(self, bits: FloatArray) -> FloatArray:
        """Bits (..., A) of held sums as those of whole streams in the rows where they begin, (..., R).

        All sums of a stream take the same place: it is as large as the largest of them.
        """
        out = np.zeros((*bits.shape[:-1], self.rows))
        for place, row in enumerate(self.begins):
            np.maximum(out[..., row], bits[..., place], out=out[..., row])
        return out


def streams_of(table: pd.DataFrame, names: tuple[str, ...], source: str) -> tuple[Stream, ...] | None:
    """The additions of a layer table in its order; None where the table does not say what happens to shortcuts.

    table   all rows
    names   of the rows that are no additions
    source  what messages call the table

    Raises CostError for an addition whose places or shape cannot be.
    """
    if any(column not in table.columns for column in PLACES):
        return None
    place = {name: row for row, name in enumerate(names)}
    found: dict[str, Stream] = {}
    for line, (is_add, row) in enumerate(zip(table["kind"] == ADDITION, table.to_dict("records"), strict=True)):
        if is_add:
            each = _stream(row, place, found, f"{source}:{line + 2}")
            found[each.name] = each
    return tuple(found.values())


def _stream(row: Mapping[Any, Any], place: Mapping[str, int], found: Mapping[str, Stream], where: str) -> Stream:
    name, after, since = (_text(row.get(column)) for column in ("name", *PLACES))
    if not name or name in place or name in found:
        _fail(where, "name", name, "expected a unique name")
    if after not in place:
        _fail(where, "after", after, "expected the name of the row whose result is added")
    before = found.get(since)
    if before is None and since not in place:
        _fail(where, "since", since, "expected the name of the row or of an addition above whose result is held")
    written = place[since] if before is None else before.after
    if written > place[after]:
        _fail(where, "since", since, f"expected a row before {after}, or that row")
    elements = 1.0
    for column in ("in_channels", "in_height", "in_width"):
        elements *= _number(row, column, 1.0 if column != "in_channels" else np.nan, where)
    bits = _number(row, "input_bits", float(ACTIVATION_BITS), where)
    if bits > FLOAT:
        _fail(where, "input_bits", f"{bits:g}", f"expected 1 to {FLOAT}")
    first = written if before is None else min(written + 1, place[after])
    return Stream(name, place[after], since, written if before is None else before.begins, first, elements, bits)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(row: Mapping[Any, Any], column: str, default: float, where: str) -> float:
    given = row.get(column)
    try:
        value = float(default if given is None or given != given else given)
    except (TypeError, ValueError):
        value = np.nan
    if not (np.isfinite(value) and value > 0 and value % 1 == 0):
        _fail(where, column, str(given), "expected a whole number above 0")
    return value


def _fail(where: str, column: str, value: str, remedy: str) -> NoReturn:
    raise CostError(f"{where}: {column} is {value!r}; {remedy}")


def stream_rows(streams: tuple[Stream, ...], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows of a layer table for some additions; their elements stand in one row of channels."""
    return [
        {
            **{"name": each.name, "kind": ADDITION, "group": each.name, "stage": each.name.split(".")[0]},
            **{"input": "multibit", "input_bits": each.bits, "in_channels": each.elements},
            **{"out_channels": each.elements, "after": names[each.after], "since": each.since},
        }
        for each in streams
    ]
