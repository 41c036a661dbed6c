"""Files of a run directory: written complete or not at all, and read with every mistake on one line."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costmodels.whole_files import formula_safe, replacing, write_text
from dse.errors import ConfigError
from dse.problem.design import is_other_column, is_weight_column

TEXTS = ("id", "origin", "form", "parent", "part", "how", "basis")  # columns that hold no numbers
FLAGS = ("fits", "reaches", "on_front", "feasible")
COMPARED = ("memory_bytes", "energy_j")  # costs by which those of other designs are divided
MOST_BITS, MOST_STEPS = 32, 10_000  # of a width and of a design that anybody would run


def write_json(path: Path, tree: Any) -> None:
    """Write a JSON file, complete or not at all; NaN is refused."""
    write_text(path, json.dumps(tree, indent=2, allow_nan=False) + "\n")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV file, complete or not at all; a text that a spreadsheet would run gets an apostrophe in front."""
    for name in table.select_dtypes(["object", "str"]).columns:
        was = table[name].to_numpy(dtype=object)
        texts = {cell for cell in set(was.tolist()) if isinstance(cell, str) and formula_safe(cell) != cell}
        if texts:
            cells = [formula_safe(cell) if cell in texts else cell for cell in was]
            table = table.assign(**{str(name): pd.Series(cells, table.index, dtype=object)})
    with replacing(path) as part:
        table.to_csv(part, index=False, lineterminator="\n")


def plain(value: Any) -> Any:
    """A tree of mappings, sequences and numpy scalars as JSON values; a number that is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.  Raises ConfigError for what is none."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; search again") from None
    except RecursionError:
        raise ConfigError(f"{path}: is nested deeper than any file of a run; search again") from None
    except ValueError as error:
        raise ConfigError(f"{path}: is no JSON ({error}); search again") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected an object, not {type(tree).__name__}; search again")
    return tree


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file; ids stay text.  Raises ConfigError for what is none."""
    try:
        return pd.read_csv(path, dtype={"id": str})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not a table ({str(error).splitlines()[0]}); search again") from None


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table of designs.  Raises ConfigError where one of `columns` is missing or a cell does not fit its column."""
    table = read_csv(path)
    for column in columns:
        if column not in table.columns:
            raise ConfigError(f"{path}: has no column {column!r}, which every run has; search again")
    for column in table.columns:
        wrong, wanted = _wrong_cells(table[column])
        if wrong.any():
            at = int(wrong.argmax())
            raise ConfigError(f"{path}:{at + 2}: {column} is {table[column].iloc[at]}; expected {wanted}; search again")
    return table


def read_designs(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table with one row per design.  Raises ConfigError as `read_table`, and where a design is listed twice."""
    table = read_table(path, columns)
    if (twice := table["id"].duplicated()).any():
        at = int(twice.to_numpy().argmax())
        raise ConfigError(f"{path}:{at + 2}: design {table['id'].iloc[at]} is listed twice; remove one row")
    return table


def _wrong_cells(column: pd.Series) -> tuple[NDArray[np.bool_], str]:
    """Which cells do not hold what their column holds, and what that is."""
    name, absent = str(column.name), column.isna().to_numpy()
    if name in TEXTS:
        return absent, "a name"
    if name == "reasons":  # any text, empty where a design fits
        return np.zeros(len(column), dtype=np.bool_), "text"
    if name in FLAGS:
        return ~column.isin([True, False]).to_numpy(), "True or False"
    plain = column.dtype.kind in "iuf"  # as pandas read it; converting what is a number takes most of the time
    numbers = column.to_numpy() if plain else pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    if name == "time_steps":
        return ~((numbers >= 1) & (numbers <= MOST_STEPS)), f"1 to {MOST_STEPS} time steps"
    if is_weight_column(name) or is_other_column(name):  # empty where a design's form does not have the layer
        return ~((numbers >= 1) & (numbers <= MOST_BITS) | absent), f"1 to {MOST_BITS} bits"
    if name == "drop":
        return np.isnan(numbers), "a number"
    if name in COMPARED:
        return ~((numbers > 0) | absent), "a number above 0"
    return np.isnan(numbers) & ~absent, "a number"
