"""Sections of the user's own: FILE.py or FILE.py:NAME with `TITLE`, `record` and `draw`, or an entry point."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodels import plugins
from reports.errors import ReportError
from reports.page.html import Drawing

GROUP = "svit_dse.sections"
NEEDED = ("TITLE", "record", "draw")

Parts = tuple[str, Callable[[Any], object], Callable[[Any], Drawing]]


def own_sections(references: Sequence[str], taken: Sequence[str]) -> dict[str, Parts]:
    """Title, `record` and `draw` by name: those of installed packages, then the given ones in their order.

    `taken` are names of other sections.  Raises ReportError, in one line, for what is no section, for a name that is
    taken, and later, when a section is made, for one that fails or gives something else.
    """
    found: dict[str, Parts] = {}
    for name in plugins.installed(GROUP):
        _add(found, name, name, plugins.from_package(GROUP, name, ReportError), taken)
    for reference in references:
        if not plugins.is_file(reference):
            raise ReportError(f"--section {reference}: expected a Python file, FILE.py or FILE.py:NAME")
        path, member = plugins.split(reference)
        name = re.sub(r"^s\d+[a-z]?_", "", member or path.stem)
        _add(found, name, reference, plugins.loaded(reference, ReportError), taken)
    return found


def _add(found: dict[str, Parts], name: str, reference: str, content: Any, taken: Sequence[str]) -> None:
    if name in taken or name in found:
        raise ReportError(f"{reference}: the report already has a section {name!r}; rename the file")
    if missing := [part for part in NEEDED if not hasattr(content, part)]:
        raise ReportError(f"{reference}: has no {missing[0]}; a section defines TITLE, record(run) and draw(record)")
    place = plugins.split(reference)[0] if plugins.is_file(reference) else Path(reference)

    def record(run: Any) -> object:
        value = plugins.with_line(place, ReportError, lambda: content.record(run))
        if strange := _strange(value):
            raise ReportError(f"{reference}: record gives a {strange}, which report.json cannot hold; give its numbers")
        return value

    def draw(value: Any) -> Drawing:
        drawing = plugins.with_line(place, ReportError, lambda: content.draw(value))
        if not isinstance(drawing, Drawing):
            raise ReportError(f"{reference}: draw gives a {type(drawing).__name__}; expected reports.page.html.Drawing")
        return drawing

    found[name] = str(content.TITLE), record, draw


def _strange(value: object) -> str | None:
    """The type of the first value inside of a record that JSON does not know."""
    if value is None or isinstance(value, str | bool | int | float):
        return None
    inside: Sequence[object]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inside = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif isinstance(value, Mapping):
        inside = list(value.values())
    elif isinstance(value, tuple | list):
        inside = value
    else:
        return type(value).__name__
    return next((found for each in inside if (found := _strange(each))), None)
