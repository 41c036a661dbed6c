"""What the tables of `svit-dse estimate` have in common: titles, designs one by one, and costs in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import typer

from costmodels import Designs, Workload
from dse.config.quantities import QUANTITIES, show
from dse.workflows.estimate import Selection

SHOWN = tuple(q for q in QUANTITIES if q.key in ("memory", "energy", "latency", "power"))


def title(chosen: Selection) -> str:
    """What was costed where, and what the layer table does not know."""
    said = f"{chosen.title} on {chosen.hardware.name}"
    known = all(part.workload.streams is not None for part in chosen.candidates.parts)
    return said if known else f"{said}; residual streams are not charged, because the layer table does not have them"


def each(chosen: Selection) -> Iterator[tuple[str, Workload, Designs]]:
    """Name, layer table and design of every candidate."""
    for place, name in enumerate(chosen.candidates.names):
        yield name, *chosen.candidates.one(place)


def say_why(rows: Iterable[tuple[str, list[str]]]) -> None:
    """Print why rows do not fit, a line for each reason; rows are names with their reasons."""
    for name, reasons in rows:
        for reason in reasons:
            typer.echo(f"{name} does not fit: {reason}")


def energy_text(joules: float) -> str:
    """An energy in pJ where it is that of an operation, with its prefix elsewhere."""
    return f"{joules * 1e12:.3g} pJ" if joules < 1e-9 else show(joules, "J")


def ends(low: float, high: float, unit: str = "J") -> str:
    """Least and greatest over all variations of the models, in words."""
    return f"{show(low, unit)} to {show(high, unit)}"


def readable(row: dict[str, Any], first: str) -> dict[str, Any]:
    """The costs of one row in words, under `first` its name."""
    shown = {first: row[first]}
    if "unseen_drop" in row:
        shown["drop [pp]"] = f"{row['unseen_drop']:+.2f}, {row['drop_status']}"
    shown |= {q.key: "none" if row[q.column] is None else show(row[q.column], q.unit) for q in SHOWN}
    shown |= {k.removesuffix("_saving") + " saved": f"{row[k]:.1%}" for k in row if k.endswith("_saving")}
    return shown | {"fits": row["feasible"]}
