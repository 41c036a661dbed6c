"""The best setting of the chip's knobs per design and objective, where the chip declares knobs."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports import drawing
from reports.drawing import Drawing
from reports.run import Run
from reports.text import UNITS, label, quantity

TITLE = "Hardware and bits together"


@dataclass(frozen=True)
class Codesign:
    """The rows of codesign.csv as they are; `columns` in the order of the file."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


def record(run: Run) -> Codesign | None:
    """The co-design table; None when no hardware knob was searched."""
    table = run.codesign
    if table is None:
        return None
    rows = tuple(
        tuple(float(v) if isinstance(v, int | float) and not isinstance(v, bool) else str(v) for v in row)
        for row in table.itertuples(index=False)
    )
    return Codesign(tuple(str(c) for c in table.columns), rows)


def draw(r: Codesign | None) -> Drawing:
    """The table, costs with units."""
    if r is None:
        return Drawing(
            drawing.join(
                Markup('<p class="absent">The chip file declares no knobs: there is no other setting to compare.</p>')
            )
        )
    body = [[_cell(c, v) for c, v in zip(r.columns, row, strict=True)] for row in r.rows]
    numeric = [i for i, c in enumerate(r.columns) if c in UNITS]
    html = drawing.join(
        drawing.text(
            "Best setting of the knobs per design and objective: every setting of the chip's knobs was costed for "
            "every picked design; a row says which one costs that design least there. The bits stay as they are.",
            "lead",
        ),
        drawing.table([label(c) for c in r.columns], body, numeric=numeric),
    )
    return Drawing(html)


def _cell(column: str, value: str | float) -> str | Markup:
    if column == "id":
        return drawing.design_link(str(value))
    if isinstance(value, float):
        return quantity(value, UNITS.get(column, ""))
    return value
