"""`svit-dse pick` decides again among the designs of a finished run, without searching."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dse.commands._options import JSON

if TYPE_CHECKING:
    from dse.results.repick import Decision
    from dse.results.run import Run

WIDE = 80  # columns of a line of text
EXAMPLE = "Example: svit-dse pick runs/first --memory 200kB --drop 1"


def pick(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    drop: Annotated[str | None, typer.Option(help="Budget of the accuracy drop [pp]; default: the run's.")] = None,
    memory: Annotated[str | None, typer.Option(help="Budget with its unit, such as 200kB; default: the run's.")] = None,
    energy: Annotated[str | None, typer.Option(help="Such as 20uJ.")] = None,
    latency: Annotated[str | None, typer.Option(help="Such as 5ms.")] = None,
    power: Annotated[str | None, typer.Option(help="Such as 2mW.")] = None,
    area: Annotated[str | None, typer.Option(help="Such as 4mm2.")] = None,
    as_json: JSON = False,
) -> None:
    """Pick again under other budgets, by the rule of the report, from the measurements of the search."""
    from dse.commands._designs import budget_text
    from dse.commands._show import print_rows
    from dse.config.quantities import QUANTITIES, parse
    from dse.results.repick import decide
    from dse.results.run import open_run

    given = {"drop": drop, "memory": memory, "energy": energy, "latency": latency, "power": power, "area": area}
    budgets = {
        q.column: parse(text, q.unit, f"--{q.key}", q.example) for q in QUANTITIES if (text := given[q.key]) is not None
    }
    opened = open_run(run)
    decision = decide(opened, budgets)
    if as_json:
        print_rows([_record(opened, decision)], as_json=True)
        return
    title = budget_text(decision.budgets)
    if not decision.choices:
        typer.echo(fill(f"no verified design keeps every budget of cost ({title}); {_nearest(opened, decision)}", WIDE))
        return
    print_rows(_rows(opened, decision), title)
    for choice in decision.choices:
        typer.echo(fill(f"{choice.role}: {choice.id}, {choice.why}", WIDE))
    if decision.changed:
        names = ", ".join(q.key for q in QUANTITIES if q.column in decision.changed)
        typer.echo(fill(f"changed after verification: {names}; so the probability is shown, but never OK", WIDE))


def _rows(run: Run, decision: Decision) -> list[dict[str, Any]]:
    """A row per design, at most 80 columns wide."""
    from dse.config.quantities import show
    from dse.results.described import described

    rows = []
    for choice in decision.choices:
        found = described(run, choice.id)
        drop = next(iter(found.drops.values())) if choice.verified else found.drops["expected"]
        row: dict[str, Any] = {"design": choice.id}
        row |= {"drop [pp]": f"{drop['value']:+.2f} ({drop['low']:+.2f}, {drop['high']:+.2f})"}
        row |= {"drop is": "verified" if choice.verified else "predicted"}
        row |= {"P(kept)": None if choice.probability is None else f"{choice.probability:.2f}"}
        rows.append(row | {"memory": show(found.costs["memory_bytes"], "B"), "verdict": choice.verdict})
    return rows


def _record(run: Run, decision: Decision) -> dict[str, Any]:
    from dataclasses import asdict

    from dse.results.described import described

    choices = [asdict(choice) | {"design": described(run, choice.id).record()} for choice in decision.choices]
    return {"budgets": dict(decision.budgets), "changed": list(decision.changed), "choices": choices}


def _nearest(run: Run, decision: Decision) -> str:
    """The design that misses the costliest budget by the least, in words."""
    from dse.config.quantities import QUANTITIES, show

    limits = [q for q in QUANTITIES if q.column in decision.budgets and q.column != "drop"]
    verified = run.table[run.table["id"].isin(list(run.verified or {}))]
    over = {q: verified[q.column] / decision.budgets[q.column] for q in limits}
    worst = [max(over, key=lambda q: over[q].iloc[i]) for i in range(len(verified))]
    nearest = min(range(len(verified)), key=lambda i: over[worst[i]].iloc[i])
    quantity, row = worst[nearest], verified.iloc[nearest]
    missed = row[quantity.column] - decision.budgets[quantity.column]
    return f"the nearest verified one, {row['id']}, misses {quantity.key} by {show(float(missed), quantity.unit)}"
