"""What commands share for printing: tables that fit 80 columns, JSON for scripts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dse.errors import ConfigError

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """A text with the characters written out that would steer a terminal: names in files may hold any."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def say(line: str) -> None:
    """A line of progress on stderr, so that stdout stays for results."""
    print(printable(line), file=sys.stderr, flush=True)


def check_out(path: Path | None) -> None:
    """Raises ConfigError before anything is computed when a file cannot be written there."""
    if path is None:
        return
    if path.is_dir():
        raise ConfigError(f"--out {path}: is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise ConfigError(f"--out {path}: the folder {path.parent} does not exist; make it first")


def print_record(record: Mapping[str, Any], lines: Sequence[str], as_json: bool) -> None:
    """What a command has done: in words, a line each, or as one JSON object."""
    if as_json:
        from dse.results.files import plain

        print(json.dumps(plain(dict(record)), indent=2, default=str, allow_nan=False), flush=True)
        return
    for line in lines:
        print(printable(line), flush=True)


def print_rows(rows: Sequence[Mapping[str, Any]], title: str = "", as_json: bool = False) -> None:
    """Rows as an 80-column table, or as JSON."""
    if as_json:
        from dse.results.files import plain

        print(json.dumps(plain(list(rows)), indent=2, default=str, allow_nan=False))
        return
    if not rows:
        print(printable(title))
        return
    console = Console(width=None if sys.stdout.isatty() else 80)
    table = Table(header_style="bold")
    for name in rows[0] if rows else ():
        numeric = all(isinstance(r[name], int | float) and not isinstance(r[name], bool) for r in rows)
        heading = Text(printable(str(name)), style="bold")
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_cell(v))) for v in row.values()))
    if title:
        console.print(printable(title), style="italic", markup=False, highlight=False)
    console.print(table)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
