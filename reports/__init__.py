"""Design-review reports from run directories: `build` for one run, `compare` for several, one chart on its own.

Everything that may be imported from outside is here.  Importing this package is cheap; pandas and the plotting
libraries come with the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reports.errors import ReportError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CHART_FORMATS", "ReportError", "build", "compare", "draw_sensitivity"]

#: Endings of the files that a chart can be drawn into.
CHART_FORMATS = (".png", ".svg", ".pdf")


def build(
    run_dir: str | Path,
    out: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    sections: Sequence[str] = (),
) -> Path:
    """The path of `index.html` of a run's report, built into `out`.

    `run_dir` is the directory that a finished search wrote, `out` a new, empty or older report's directory (default:
    `report` inside the run directory); an older report is replaced when the new one is complete.
    `progress(done, total)` hears of finished sections and figures.  `sections` are Python files of your own, FILE.py or
    FILE.py:NAME, whose code runs; they come last.  Beside the page stand report.json with the same numbers, report.pdf,
    and figures/*.png, *.svg and *.pdf.  Raises ReportError for a directory that is no run, and for a file that is no
    section.
    """
    from reports.run_report import build_report

    target = None if out is None else Path(out)
    return build_report(Path(run_dir), target, progress or (lambda done, total: None), sections)


def compare(
    run_dirs: Sequence[str | Path], out: str | Path, progress: Callable[[int, int], None] | None = None
) -> Path:
    """The path of `index.html` of a report that lays the fronts of several runs side by side, built into `out`.

    `run_dirs` are at least two different run directories; `progress(done, total)` hears of the runs that were read.
    Raises ReportError for fewer than two runs, a run named twice, or a directory that is no run.
    """
    from reports.comparison import compare_runs

    return compare_runs([Path(r) for r in run_dirs], Path(out), progress or (lambda done, total: None))


def draw_sensitivity(table: pd.DataFrame, path: str | Path) -> None:
    """Draw a table of sensitivities by layer type and stage into the image `path`, whose suffix says the format.

    `table` has the columns `type, stage, bits` and `kl` or `score` [nat], as `svit-dse sensitivity` writes them.
    Raises ReportError for a suffix that is not in CHART_FORMATS and for a table without weights below 32 bit.
    """
    from reports.plots.sensitivity_chart import draw_chart

    draw_chart(table, Path(path), CHART_FORMATS)
