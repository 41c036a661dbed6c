"""From a run directory to the files of its report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from reports.errors import ReportError
from reports.page.page import Part
from reports.report_files import write_report
from reports.run import read_run
from reports.sections import all_sections
from reports.sections.s00_decision import Decision
from reports.static.pdf import FirstPage


def build_report(
    run_dir: Path, out: Path | None, progress: Callable[[int, int], None], own: Sequence[str] = ()
) -> Path:
    """See `reports.build`."""
    run = read_run(run_dir)
    target = run_dir / "report" if out is None else out
    if target.resolve() == run_dir.resolve():
        raise ReportError(f"{target}: is the run itself; give the report another --out")
    if out is None and not target.resolve().is_relative_to(run_dir.resolve()):
        raise ReportError(f"{target}: is a link that leads out of the run; give the report an --out")
    sections = all_sections(own)
    records: dict[str, object] = {}
    parts: list[Part] = []
    for name, section in sections.items():
        records[name] = section.record(run)
        parts.append(Part(name, section.title, section.draw(records[name])))
        progress(len(parts), 2 * len(sections))
    numbers = {
        "title": run.title,
        "tool": {"name": run.manifest.origin.tool, "version": run.manifest.origin.version},
        "created": run.manifest.origin.created,
        "banner": run.banner,
        "recommended": run.recommended,
        "budgets": run.picks.budgets,
        "layers": run.weight_layers,
        "designs": run.designs,
        "sections": records,
    }
    first_page = _first_page(records["decision"])
    write_report(
        target, run.title, numbers, parts, first_page, lambda done: progress(len(parts) + done, 2 * len(parts))
    )
    return target / "index.html"


def _first_page(decision: object) -> FirstPage:
    """What the PDF says first."""
    assert isinstance(decision, Decision)
    return FirstPage(
        question=decision.question,
        answer=f"{decision.verdict}: {decision.sentence}",
        identity=decision.identity,
        checks=tuple((pick.name, pick.id, pick.rows) for pick in decision.picks),
        energies={pick.id: pick.energy_band for pick in decision.picks},
        savings=decision.savings,
    )
