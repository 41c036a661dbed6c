"""Files that appear complete or not at all, and values as JSON has them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A path beside the target that takes its place when the block ends well."""
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, complete or not at all."""
    with _replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, tree: Any) -> None:
    """Write a JSON file, complete or not at all; NaN is refused."""
    write_text(path, json.dumps(tree, indent=2, allow_nan=False) + "\n")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV file, complete or not at all."""
    with _replacing(path) as part:
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
