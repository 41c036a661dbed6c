"""The files of a report, complete or not at all: index.html, report.json, the figures and report.pdf."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from costmodels.whole_files import replacing_folder
from reports.errors import ReportError
from reports.page.page import Part, page
from reports.static.figures import write_figures
from reports.static.pdf import FirstPage

FORMAT = 1  # of report.json


def write_report(
    target: Path,
    title: str,
    numbers: Mapping[str, object],
    parts: Sequence[Part],
    first_page: FirstPage | None,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Write the report of `parts` to the directory `target`; `numbers` are what report.json and the page hold.

    `progress(done)` hears of the parts whose figures are finished.  Raises ReportError for a target that is no report.
    """
    plain = json_value({"format": FORMAT, **numbers})
    assert isinstance(plain, dict)
    with replacing(target) as new:
        (new / "report.json").write_text(json_text(plain), encoding="utf-8")
        (new / "index.html").write_text(page(title, parts, plain), encoding="utf-8")
        for done in write_figures(new, title, first_page, parts):
            progress(done)


def json_value(value: object) -> object:
    """A record as JSON holds it: NaN and infinities become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: json_value(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): json_value(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [json_value(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def json_text(tree: Mapping[str, object]) -> str:
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
    with replacing_folder(target) as new:
        yield new
