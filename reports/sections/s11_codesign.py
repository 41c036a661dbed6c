"""The best setting of the chip's knobs per design and objective, where the chip declares knobs."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports.number_text import UNITS, label, quantity, share
from reports.page import html as drawing
from reports.page.html import Drawing
from reports.run import Run

TITLE = "Hardware and bits together"


HEADS = {"id": "Design", "design": "Role", "objective": "Least, with this setting", "gain": "Saved"}
UNSHOWN = ("feasible", "file_value")


@dataclass(frozen=True)
class Codesign:
    """The rows of codesign.csv as they are; `columns` in the order of the file, `units` of the knobs."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]
    units: dict[str, str]


def record(run: Run) -> Codesign | None:
    """The co-design table; None when no hardware knob was searched."""
    table = run.codesign
    if table is None:
        return None
    rows = tuple(
        tuple(float(v) if isinstance(v, int | float) and not isinstance(v, bool) else str(v) for v in row)
        for row in table.itertuples(index=False)
    )
    units = {} if run.hardware is None else dict(zip(run.hardware["key"], run.hardware["unit"].fillna(""), strict=True))
    knobs = {str(c): str(units[c]) for c in table.columns if c in units and units[c] != "1"}
    return Codesign(tuple(str(c) for c in table.columns), rows, knobs)


def draw(r: Codesign | None) -> Drawing:
    """The table, costs with units."""
    if r is None:
        return Drawing(
            drawing.join(
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
            [Markup("{}<small>{}</small>").format(_cell(c, cells[c]), setting if c == under else "") for c in plain]
        )
    numeric = [i for i, c in enumerate(plain) if c in UNITS or c == "gain"]
    html = drawing.join(
        drawing.text(
            "Best setting of the knobs per design and objective: every setting of the chip's knobs was costed for "
            "every picked design; a row says which one costs that design least there and what it "
            "saves against the setting of the chip file. The bits stay as they are.",
            "lead",
        ),
        drawing.table([HEADS.get(c, label(c)) for c in plain], body, numeric=numeric, kind="knobs"),
    )
    return Drawing(html)


def _knob(name: str, value: str | float, units: dict[str, str]) -> str:
    number = f"{value:,.6g}" if isinstance(value, float) else value
    return f"{name} {number} {units.get(name, '')}".strip()


def _cell(column: str, value: str | float) -> str | Markup:
    if column == "id":
        return drawing.design_link(str(value))
    if column == "objective":
        return "Energy × latency" if value == "energy_delay_js" else label(str(value))
    if column == "gain" and isinstance(value, float):
        return share(value)
    if isinstance(value, float):
        return quantity(value, UNITS.get(column, ""))
    return value
