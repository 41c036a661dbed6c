"""`svit-dse reproduce` searches again what a run directory records, and compares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import TRUST

EXAMPLE = "Example: svit-dse reproduce runs/first --out runs/again"


def reproduce(
    run: Annotated[Path, typer.Argument(help="The --out of a finished search.")],
    out: Annotated[Path, typer.Option(help="Run directory of the second time; a new folder.")],
    trust: TRUST = False,
) -> None:
    """Make a finished search again and compare every table byte by byte; exit status 1 where one differs."""
    import sys

    from dse.commands._options import trusted
    from dse.commands._progress import Meter, SearchProgress
    from dse.commands._show import say
    from dse.ledger.owner import owned
    from dse.workflows import reproduce as workflow
    from dse.workflows.search_values import Listener

    trusted(run, trust)
    with owned(out), Meter() as advance:
        hear = Listener(say, SearchProgress, advance)
        done = workflow.reproduce(run, out, ["svit-dse", *sys.argv[1:]], hear)
    for name, why in done.different.items():
        typer.echo(f"{name}: {why}")
    count = len(done.same) + len(done.different)
    typer.echo(f"{len(done.same)} of {count} files of {run} are the same, byte by byte (times left out)")
    if done.different:
        if (workers := done.workers) > 1:
            typer.echo(f"{workers} processes took part, and the order of their designs is no one's choice")
        raise typer.Exit(1)
