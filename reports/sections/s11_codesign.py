"""The best setting of the chip's knobs per design and objective, where the chip declares knobs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from reports.number_text import UNITS, label, quantity, share
from reports.page import html
from reports.page.html import Drawing
from reports.run import FinishedRun

TITLE = "Hardware and bits together"
HEADS = {"id": "Design", "design": "Role", "objective": "Objective and best setting", "gain": "Saved"}
UNSHOWN = ("feasible", "file_value", "energy_low", "energy_high")


@dataclass(frozen=True)
class Codesign:
    """The rows of codesign.csv as they are; `columns` in the order of the file, `units` of the knobs."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]
    units: dict[str, str]


def record(run: FinishedRun) -> Codesign | None:
    """The co-design table; None when no hardware knob was searched."""
    if run.codesign is None:
        return None
    units = {row.key: row.unit for row in run.hardware or ()}
    columns = run.codesign.columns
    return Codesign(columns, run.codesign.rows, {c: units[c] for c in columns if units.get(c, "1") != "1"})


def draw(r: Codesign | None) -> Drawing:
    """The table, costs with units."""
    if r is None:
        return Drawing(
            html.join(
                Markup('<p class="absent">The chip file declares no knobs: there is no other setting to compare.</p>')
            )
        )
    plain = [c for c in r.columns if c in (*HEADS, *UNITS)]
    under = "objective" if "objective" in plain else "id"  # the setting stands in small print below it
    body = []
    for row in r.rows:
        cells = dict(zip(r.columns, row, strict=True))
        setting = "; ".join(_knob(c, v, r.units) for c, v in cells.items() if c not in plain and c not in UNSHOWN)
        body.append(
            [
                _energy(cells)
                if c == "energy_j"
                else Markup("{}<small>{}</small>").format(_cell(c, cells[c]), setting if c == under else "")
                for c in plain
            ]
        )
    numeric = [i for i, c in enumerate(plain) if c in UNITS or c == "gain"]
    content = html.join(
        html.text(
            "Best setting of the knobs per design and objective: every setting of the chip's knobs was costed for "
            "every picked design; a row says which one costs that design least there and what it "
            "saves against the setting of the chip file. The bits stay as they are.",
            "lead",
        ),
        html.table([HEADS.get(c, label(c)) for c in plain], body, numeric=numeric, kind="knobs"),
    )
    return Drawing(content)


def _energy(cells: Mapping[str, str | float]) -> str | Markup:
    """The energy with its band, where the run has one."""
    value, low, high = (float(cells.get(name, math.nan)) for name in ("energy_j", "energy_low", "energy_high"))
    return html.with_band(quantity(value, "J"), (low, high), "J")


def _knob(name: str, value: str | float, units: dict[str, str]) -> str:
    number = f"{value:,.6g}" if isinstance(value, float) else value
    return f"{name} {number} {units.get(name, '')}".strip()


def _cell(column: str, value: str | float) -> str | Markup:
    if column == "id":
        return html.design_link(str(value))
    if column == "objective":
        return "Energy × latency" if value == "energy_delay_js" else label(str(value))
    if column == "gain" and isinstance(value, float):
        return share(value)
    if isinstance(value, float):
        return quantity(value, UNITS.get(column, ""))
    return value
