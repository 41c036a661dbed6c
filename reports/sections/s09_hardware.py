"""Every constant of the hardware model with its unit, source and range."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.page import html
from reports.page.html import Drawing
from reports.run import FinishedRun, HardwareRow

TITLE = "Hardware assumptions"


@dataclass(frozen=True)
class HardwareConstants:
    """The constants in the order of the file; `ranged` is how many state a range."""

    name: str
    sha256: str
    constants: tuple[HardwareRow, ...]
    ranged: int


def record(run: FinishedRun) -> HardwareConstants | None:
    """The constants of a run's hardware; None when it has no hardware.csv."""
    if run.hardware is None:
        return None
    chip = run.manifest.hardware
    ranged = sum(math.isfinite(c.low) and math.isfinite(c.high) for c in run.hardware)
    return HardwareConstants(chip.name, chip.sha256, run.hardware, ranged)


def draw(r: HardwareConstants | None) -> Drawing:
    """One table; the sources are part of it."""
    if r is None:
        return Drawing(html.not_measured("the hardware's constants", "`svit-dse search` writes hardware.csv."))
    rows = []
    for c in r.constants:
        ranged = f"{c.low:g} … {c.high:g}" if math.isfinite(c.low) and math.isfinite(c.high) else ""
        rows.append((c.key, f"{c.value:g}", "" if c.unit == "1" else c.unit, ranged, c.source or "no source stated"))
    body = html.join(
        html.text(
            f"All costs in this report follow from these {len(r.constants)} constants of {r.name} and the layer table; "
            f"{r.ranged} of them state a range. No cost was measured on silicon.",
            "lead",
        ),
        html.table(("Constant", "Value", "Unit", "Range", "Source"), rows, numeric=(1, 3), kind="constants"),
    )
    return Drawing(body)
