"""Reading a CSV file of a run directory, as a table and as typed rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from reports.errors import ReportError

Row = TypeVar("Row")


def read_table(path: Path, row: type[Any]) -> pd.DataFrame:
    """The CSV file at `path`, texts as they stand there: a stage named 1 beside an empty cell is no 1.0.

    Raises ReportError when the file is missing, no table, or lacks a column that `row` needs.
    """
    if not path.is_file():
        raise missing(path)
    texts = {field.name: str for field in dataclasses.fields(row) if field.type == "str"}
    try:
        table = pd.read_csv(path, dtype={"id": str, "name": str} | texts)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: is not a table ({str(error).splitlines()[0]}); repeat the search") from None
    needed = [f.name for f in dataclasses.fields(row) if f.default is dataclasses.MISSING]
    for column in needed:
        if column not in table.columns:
            raise ReportError(f"{path}: has no column {column!r}; expected {', '.join(needed)}")
    return table


def missing(path: Path) -> ReportError:
    """The error for a file that every finished run has."""
    return ReportError(f"{path}: no such file; a finished `svit-dse search` writes it, so finish or repeat the search")


def read_rows(path: Path, row: type[Row]) -> tuple[Row, ...]:
    """The rows of the CSV file at `path`; raises ReportError as `read_table`, and for a cell of another type."""
    return rows_of(path, read_table(path, row), row)


def optional_rows(path: Path, row: type[Row]) -> tuple[Row, ...] | None:
    """As `read_rows`; None for a file that is missing or has no rows."""
    return (read_rows(path, row) or None) if path.is_file() else None


def rows_of(path: Path, table: pd.DataFrame, row: type[Row]) -> tuple[Row, ...]:
    """The rows of a table; `path` is named in the ReportError for a cell of another type."""
    columns: dict[str, list[Any]] = {}
    for field in dataclasses.fields(row):  # type: ignore[arg-type]  # a TypeVar cannot ask for a dataclass
        if field.name in table.columns:
            columns[field.name] = _cells(path, field.name, table[field.name].tolist(), str(field.type))
        else:
            columns[field.name] = [field.default] * len(table)
    return tuple(row(**dict(zip(columns, cells, strict=True))) for cells in zip(*columns.values(), strict=True))


def _cells(path: Path, column: str, cells: list[Any], kind: str) -> list[Any]:
    convert, expected = _TYPES[kind]
    out = []
    for n, cell in enumerate(cells, start=2):  # line 1 is the head
        try:
            out.append(convert(cell))
        except (TypeError, ValueError):
            raise ReportError(f"{path}: line {n}, {column} is {cell!r}; expected {expected}") from None
    return out


def _text(cell: Any) -> str:
    """A cell as text; an empty cell, which pandas reads as NaN, is the empty text."""
    return "" if cell is None or cell != cell else str(cell)


def _truth(cell: Any) -> bool:
    if not isinstance(cell, bool):
        raise ValueError
    return cell


def _whole(cell: Any) -> int:
    number = 0.0 if cell != cell else float(cell)  # a layer without neurons may leave its cell empty
    if not math.isfinite(number) or number != int(number):
        raise ValueError
    return int(number)


_TYPES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "str": (_text, "a text"),
    "float": (float, "a number"),
    "int": (_whole, "a whole number"),
    "bool": (_truth, "True or False"),
}
