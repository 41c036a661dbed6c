"""The sections of a report: one file each, in the order of their names; import `all_sections` from here.

`advice` says what would make the recommended design OK.

Every module has `TITLE`, `record(run)`, which computes a small frozen value, and `draw(record)`, which shows it.
One of the user's own is such a file anywhere, or an entry point of the group `svit_dse.sections`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reports.page.html import Drawing
from reports.run import FinishedRun
from reports.sections._own import own_sections
from reports.sections._signing import advice

__all__ = ["Section", "advice", "all_sections"]


@dataclass(frozen=True)
class Section:
    """What a section module offers; `draw` takes what `record` gave."""

    title: str
    record: Callable[[FinishedRun], object]
    draw: Callable[[object], Drawing]


def all_sections(own: Sequence[str] = ()) -> dict[str, Section]:
    """The sections by name without their number, in report order; those of the user's own come last.

    `own` are files, FILE.py or FILE.py:NAME.  Raises ReportError for what is no section.
    """
    sections = {}
    for name in sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")):
        module = importlib.import_module(f"{__name__}.{name}")
        sections[name.split("_", 1)[1]] = Section(module.TITLE, module.record, module.draw)
    more = own_sections(own, tuple(sections))
    return sections | {name: Section(*parts) for name, parts in more.items()}
