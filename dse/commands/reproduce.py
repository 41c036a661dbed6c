"""`svit-dse reproduce` searches again what a run directory records, and compares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON, TRUST

EXAMPLE = "Example: svit-dse reproduce runs/first --out runs/again"


def reproduce(
    run: Annotated[Path, typer.Argument(help="Run directory of a finished search.")],
    out: Annotated[Path, typer.Option(help="New run directory for the repetition.")],
    trust: TRUST = False,
    as_json: JSON = False,
) -> None:
    """Repeat a finished search and compare every table byte by byte; exit status 1 if one differs."""
    import sys

    from dse.commands._options import trusted
    from dse.commands._progress import Meter, SearchProgress
    from dse.commands._show import print_record, say
    from dse.ledger.owner import owned
    from dse.workflows import reproduce as workflow
    from dse.workflows.search_values import Listener

    trusted(run, trust)
    with owned(out), Meter() as advance:
        hear = Listener(say, SearchProgress, advance)
        done = workflow.reproduce(run, out, ["svit-dse", *sys.argv[1:]], hear)
    count = len(done.same) + len(done.different)
    said = [f"{name}: {why}" for name, why in done.different.items()]
    said.append(f"{len(done.same)} of {count} files of {run} are the same, byte by byte (times left out)")
    if done.different and (workers := done.workers) > 1:
        said.append(f"{workers} processes took part, and the order of their designs cannot be repeated")
    record = {"run": run, "out": out, "same": done.same, "different": done.different, "workers": done.workers}
    print_record(record, said, as_json)
    if done.different:
        raise typer.Exit(1)
