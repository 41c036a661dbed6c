"""From a run directory to the files of its report."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reports.designs import designs, layers
from reports.errors import ReportError
from reports.page.page import Part, page
from reports.run import Run, read_run
from reports.sections import modules
from reports.static.figures import write_figures

FORMAT = 1


def build_report(run_dir: Path, out: Path | None, progress: Callable[[int, int], None]) -> Path:
    """See `reports.build`."""
    run = read_run(run_dir)
    target = run_dir / "report" if out is None else out
    if target.resolve() == run_dir.resolve():
        raise ReportError(f"{target}: is the run itself; give the report another --out")
    sections = modules()
    records: dict[str, Any] = {}
    parts: list[Part] = []
    for name, module in sections.items():
        records[name] = module.record(run)
        parts.append(Part(name, module.TITLE, module.draw(records[name])))
        progress(len(parts), 2 * len(sections))
    numbers = plain(report_numbers(run, records))
    with replacing(target) as new:
        (new / "report.json").write_text(dumped(numbers), encoding="utf-8")
        (new / "index.html").write_text(page(heading(run), parts, numbers), encoding="utf-8")
        drawn = write_figures(new, heading(run), records["decision"], parts)
        for done in drawn:
            progress(len(parts) + done, 2 * len(parts))
    return target / "index.html"


def heading(run: Run) -> str:
    """The title of a run's report."""
    network = run.manifest["checkpoint"].get("network") or run.manifest["checkpoint"]["name"]
    return f"Bit allocation of {network} on {run.manifest['hardware']['name']}"


def report_numbers(run: Run, records: dict[str, Any]) -> dict[str, Any]:
    """The content of report.json: every number that the report draws."""
    return {
        "format": FORMAT,
        "title": heading(run),
        "tool": dict(run.manifest["tool"]),
        "created": run.manifest.get("created"),
        "recommended": run.recommended,
        "budgets": run.budgets,
        "layers": layers(run),
        "designs": designs(run),
        "sections": records,
    }


def plain(value: Any) -> Any:
    """A record as JSON holds it: NaN and infinities become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if hasattr(value, "item"):
        return plain(value.item())
    return value


def dumped(tree: Any) -> str:
    """JSON text with one top-level entry per line."""
    rows = [f"{json.dumps(k)}: {json.dumps(v, allow_nan=False, ensure_ascii=False)}" for k, v in tree.items()]
    return "{\n" + ",\n".join(rows) + "\n}\n"


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A new directory beside `target` that takes its place when the block ends well, and leaves no trace otherwise."""
    if target.exists() and not target.is_dir():
        raise ReportError(f"{target}: is a file; give the report a directory as --out")
    if target.is_dir() and any(target.iterdir()) and not (target / "report.json").is_file():
        raise ReportError(f"{target}: holds files that are no report; give the report an empty or a new --out")
    target.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        new.chmod(0o755)
        yield new
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
            target.rename(old / "report")
            new.rename(target)
            shutil.rmtree(old)
        else:
            new.rename(target)
    finally:
        if new.exists():
            shutil.rmtree(new)
