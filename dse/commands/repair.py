"""`svit-dse repair` keeps what is whole of a damaged journal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: svit-dse repair runs/first"


def repair(run: Annotated[Path, typer.Argument(help="Run directory whose study.journal is damaged.")]) -> None:
    """Keep the lines of a damaged journal before the damage, and a copy of the file as it was."""
    from dse.errors import ConfigError
    from dse.ledger.journal import NAME
    from dse.ledger.journal import repair as mend

    path = run / NAME
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; is {run} the --out of a `svit-dse search`?")
    done = mend(path)
    if done.damage is None:
        typer.echo(f"{path}: its {done.lines} lines are whole; nothing to repair")
        return
    typer.echo(f"{path}: line {done.damage.line} {done.damage.why}; kept the {done.lines} lines before it")
    typer.echo(f"{done.dropped} bytes were dropped; the file as it was: {done.copy}")
