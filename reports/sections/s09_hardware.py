"""Every constant of the hardware model with its unit, source and range."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.page import html as drawing
from reports.page.html import Drawing
from reports.run import Run

TITLE = "Hardware assumptions"


@dataclass(frozen=True)
class Constant:
    """One constant in the unit of the hardware file; low and high are NaN where no range is stated."""

    key: str
    value: float
    unit: str
    source: str
    low: float
    high: float


@dataclass(frozen=True)
class Hardware:
    """The constants in the order of the file; `ranged` is how many state a range."""

    name: str
    sha256: str
    constants: tuple[Constant, ...]
    ranged: int


def record(run: Run) -> Hardware | None:
    """The constants of a run's hardware; None when it has no hardware.csv."""
    table = run.hardware
    if table is None:
        return None
    rows = table.to_dict("records")
    constants = tuple(
        Constant(
            key=str(r["key"]),
            value=float(r["value"]),
            unit=_text(r["unit"]),
            source=_text(r["source"]),
            low=float(r["low"]),
            high=float(r["high"]),
        )
        for r in rows
    )
    made = run.manifest["hardware"]
    ranged = sum(math.isfinite(c.low) and math.isfinite(c.high) for c in constants)
    return Hardware(str(made["name"]), str(made.get("sha256", "")), constants, ranged)


def _text(cell: object) -> str:
    return "" if cell is None or cell != cell else str(cell)


def draw(r: Hardware | None) -> Drawing:
    """One table; the sources are part of it."""
    if r is None:
        return Drawing(drawing.not_measured("the hardware's constants", "`svit-dse search` writes hardware.csv."))
    rows = []
    for c in r.constants:
        ranged = f"{c.low:g} … {c.high:g}" if math.isfinite(c.low) and math.isfinite(c.high) else ""
        rows.append((c.key, f"{c.value:g}", "" if c.unit == "1" else c.unit, ranged, c.source or "no source stated"))
    html = drawing.join(
        drawing.text(
            f"All costs in this report follow from these {len(r.constants)} constants of {r.name} and the layer table; "
            f"{r.ranged} of them state a range. No cost was measured on silicon.",
            "lead",
        ),
        drawing.table(("Constant", "Value", "Unit", "Range", "Source"), rows, numeric=(1, 3), kind="constants"),
    )
    return Drawing(html)
