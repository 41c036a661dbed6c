"""`svit-dse report` builds the report of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dse.commands._options import JSON, TRUST

EXAMPLE = "Example: svit-dse report runs/demo-fashion_mnist"


def report(
    run: Annotated[Path, typer.Argument(help="Run directory that `svit-dse search` wrote.")],
    hardware: Annotated[str | None, typer.Option(help="Cost the run again on this chip (name or file).")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report; default: RUN/report.")] = None,
    section: Annotated[
        list[str] | None, typer.Option(help="A section of your own, FILE.py or FILE.py:NAME; may be repeated.")
    ] = None,
    trust: TRUST = False,
    as_json: JSON = False,
) -> None:
    """Build the report of a run, finished or interrupted: index.html, report.json and figures."""
    from dse.commands._show import print_record
    from dse.errors import ConfigError
    from dse.results.start import is_unfinished

    own = tuple(section or ())
    if is_unfinished(run):
        if hardware is not None:
            raise ConfigError(f"--hardware {hardware}: {run} is not finished; finish the search first")
        print_record({"report": (index := _so_far(run, out, own, trust))}, [str(index)], as_json)
        return
    index = _built(run, out, own) if hardware is None else _recosted(run, hardware, out, own)
    print_record({"report": index}, [str(index)], as_json)


def _recosted(run: Path, hardware: str, out: Path | None, own: Sequence[str]) -> Path:
    """The index of the report of a run that was costed again on another chip."""
    import shutil

    from dse.workflows.recost import recost

    target = out or run.resolve().with_name(f"{run.resolve().name}-{Path(hardware).stem}")
    there = target.exists()
    try:
        recost(run, hardware, target)
        return _built(target, None, own)
    except BaseException:
        if not there:  # a run without its report is no result
            shutil.rmtree(target, ignore_errors=True)
        raise


def _so_far(run: Path, out: Path | None, own: Sequence[str], trust: bool) -> Path:
    """The index of the report on a search that is not finished."""
    import reports
    from dse.commands._progress import Meter
    from dse.commands._show import say
    from dse.progress import within
    from dse.workflows.search_values import Listener
    from dse.workflows.unfinished import so_far

    with Meter() as advance:
        tables = so_far(run, Listener(say, advance=advance), trust).path
        return reports.build(tables, out or run / "report", within(advance, "sections and figures"), own)


def _built(run: Path, out: Path | None, own: Sequence[str]) -> Path:
    """The index of the report of a run, built with progress on stderr."""
    import reports
    from dse.commands._progress import Meter
    from dse.progress import within

    with Meter() as advance:
        return reports.build(run, out, within(advance, "sections and figures"), own)
