"""`svit-dse report` builds the report of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: svit-dse report runs/demo-fashion_mnist"


def report(
    run: Annotated[Path, typer.Argument(help="Run directory that `svit-dse search` wrote.")],
    hardware: Annotated[str | None, typer.Option(help="Cost the run again on this chip (name or file).")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the report goes; default RUN/report.")] = None,
) -> None:
    """Build the report of a run: index.html, report.json and figures."""
    import reports
    from dse.commands._progress import Meter
    from dse.progress import within

    if hardware is not None:
        from dse.workflows.recost import recost

        target = out or run.resolve().with_name(f"{run.resolve().name}-{Path(hardware).stem}")
        recost(run, hardware, target)
        run, out = target, None
    with Meter() as advance:
        index = reports.build(run, out, within(advance, "sections and figures"))
    typer.echo(index)
