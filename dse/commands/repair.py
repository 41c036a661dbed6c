"""`svit-dse repair` keeps what is whole of a damaged journal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON

EXAMPLE = "Example: svit-dse repair runs/first"


def repair(
    run: Annotated[Path, typer.Argument(help="Run directory whose study.journal is damaged.")],
    as_json: JSON = False,
) -> None:
    """Cut a damaged journal before its first damaged line, and keep a copy of the damaged file."""
    from dse.commands._show import print_record
    from dse.errors import ConfigError
    from dse.ledger import JOURNAL
    from dse.ledger.journal import repair as mend
    from dse.ledger.owner import owned

    path = run / JOURNAL
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; is {run} the --out of a `svit-dse search`?")
    with owned(run, option=""):
        done = mend(path)
    record = {"journal": path, "lines": done.lines, "dropped_bytes": done.dropped, "damage": None, "copy": None}
    if done.damage is None:
        print_record(record, [f"{path}: all {done.lines} lines are intact; nothing to repair"], as_json)
        return
    said = [
        f"{path}: line {done.damage.line} {done.damage.why}; kept the {done.lines} lines before it",
        f"{done.dropped} bytes were dropped; copy of the damaged file: {done.copy}",
    ]
    damage = {"line": done.damage.line, "why": done.damage.why}
    print_record(record | {"damage": damage, "copy": done.copy}, said, as_json)
