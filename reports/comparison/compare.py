"""From several run directories to the files of their comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from reports.comparison.drawing import draw
from reports.comparison.record import record
from reports.errors import ReportError
from reports.page.page import Part
from reports.report_files import write_report
from reports.run import FinishedRun, read_run


def compare_runs(run_dirs: Sequence[Path], out: Path, progress: Callable[[int, int], None]) -> Path:
    """See `reports.compare`."""
    _check(run_dirs, out)
    runs: list[FinishedRun] = []
    for path in run_dirs:
        progress(len(runs), len(run_dirs) + 1)
        runs.append(read_run(path))
    progress(len(runs), len(run_dirs) + 1)  # the last part is drawing
    r = record(runs, run_dirs)
    title = f"Comparison of {len(r.sides)} runs"
    numbers = {"title": title, "tool": {"name": "svit-dse", "version": r.sides[0].tool}, "comparison": r}
    write_report(out, title, numbers, [Part("comparison", "Fronts", draw(r))], None)
    progress(len(runs) + 1, len(run_dirs) + 1)
    return out / "index.html"


def _check(run_dirs: Sequence[Path], out: Path) -> None:
    if len(run_dirs) < 2:
        raise ReportError(
            f"compare takes at least two run directories; given: {', '.join(map(str, run_dirs)) or 'none'}"
        )
    resolved = [r.resolve() for r in run_dirs]
    for path, named in zip(resolved, run_dirs, strict=True):
        if resolved.count(path) > 1:
            raise ReportError(f"{named}: is given twice; compare takes different run directories")
        if out.resolve() == path:
            raise ReportError(f"{out}: is one of the runs; give the comparison another --out")
