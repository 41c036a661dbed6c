"""Design-review reports from run directories: `build` for one run, `compare` for several.

Importing this package is cheap; pandas and the plotting libraries come with the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from reports.errors import ReportError

__all__ = ["ReportError", "build", "compare"]


def build(
    run_dir: str | Path, out: str | Path | None = None, progress: Callable[[int, int], None] | None = None
) -> Path:
    """The path of `index.html` of a run's report, built into `out` (default: `report` inside the run directory).

    Beside it stand report.json with the same numbers, report.pdf, and figures/*.png, *.svg and *.pdf.  An older
    report at that place is replaced when the new one is complete.  `progress(done, total)` hears of sections and
    figures.  Raises ReportError for a directory that is no run.
    """
    from reports.run_report import build_report

    return build_report(Path(run_dir), None if out is None else Path(out), progress or (lambda done, total: None))


def compare(
    run_dirs: Sequence[str | Path], out: str | Path, progress: Callable[[int, int], None] | None = None
) -> Path:
    """The path of `index.html` of a report that lays the fronts of several runs side by side, built into `out`.

    `progress(done, total)` hears of the runs.  Raises ReportError for fewer than two runs, a run named twice, or a
    directory that is no run.
    """
    from reports.comparison import compare_runs

    return compare_runs([Path(r) for r in run_dirs], Path(out), progress or (lambda done, total: None))
