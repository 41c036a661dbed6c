"""The tables that `svit-dse estimate` prints."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import fill
from typing import Any

import typer

import costmodels
from dse.commands._estimate_beside import compare, crossover, forms
from dse.commands._estimate_parts import breakdown
from dse.commands._estimate_places import place_text, places
from dse.commands._estimate_rows import SHOWN, each, ends, readable, say_why, title
from dse.commands._show import check_out, print_rows
from dse.config.quantities import show
from dse.workflows.estimate import Selection

FURTHER = ("interval_s", "throughput_power_w", "on_chip_bytes", "off_chip_bytes", "room_bytes", "area_mm2")
ENDS = {"energy": "value", "least": "low", "greatest": "high"}
WIDE = 80  # columns of a line of text
MOST = 12  # rows of long tables that are printed; --json has all


def costs(chosen: Selection, as_json: bool) -> None:
    """What every design costs, and why those that do not fit do not."""
    quantities = [q.column for q in SHOWN]
    cost = chosen.candidates.costs(chosen.hardware, frame_rate=chosen.frame_rate)
    rows = []
    for place, name in enumerate(chosen.candidates.names):
        row: dict[str, Any] = {"design": name}
        if chosen.drop is not None:
            row["drop"] = float(chosen.drop[place])
        if chosen.unseen is not None:
            row |= dict(zip(("unseen_drop", "drop_status"), chosen.unseen[place], strict=True))
        row |= {name: float(getattr(cost, name)[place]) for name in (*quantities, *FURTHER)}
        if bool(cost.violations["frame_rate"][place]):
            row["power_w"] = None  # at a rate that it does not reach a chip has no power
        fits = bool(cost.feasible[place])
        rows.append(row | {"feasible": fits, "streams": cost.streams, "reasons": [] if fits else _why(chosen, place)})
    rows = [row | where for row, where in zip(rows, places(chosen), strict=True)]
    if as_json:
        print_rows(rows, as_json=True)
        return
    print_rows([readable(row, "design") for row in rows], title(chosen))
    print_rows(
        [place_text(row) for row in rows], "where the memory lies, and what limits the layers for most of the time"
    )
    say_why((row["design"], row["reasons"]) for row in rows)


def _why(chosen: Selection, place: int) -> list[str]:
    workload, design = chosen.candidates.one(place)
    return costmodels.reasons(workload, chosen.hardware, design, frame_rate=chosen.frame_rate)


def floorline(chosen: Selection, as_json: bool) -> None:
    """What binds the layers of every design, the longest first, and what to change first."""
    rows = []
    for place, name in enumerate(chosen.candidates.names):
        workload, design = chosen.candidates.one(place)
        table = costmodels.floorline(workload, chosen.hardware, design)
        if as_json:
            rows += [{"design": name} | row for row in table.to_dict("records")]
            continue
        first = costmodels.change_first(workload, chosen.hardware, design)
        print_rows([_resource(row) for row in first.to_dict("records")], f"{name}: what to change first")
        longest = table.sort_values("time_s", ascending=False, kind="stable").head(MOST)
        title = f"{name} on {chosen.hardware.name}: longest layers"
        print_rows([_bound(row) for row in longest.to_dict("records")], title)
    if as_json:
        print_rows(rows, as_json=True)


def _resource(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "resource": row["resource"],
        "binds layers": row["layers"],
        "of their time": f"{row['share']:.0%}",
        "latency with twice": show(row["latency_s"], "s"),
        "saved": f"{row['saving']:.1%}",
    }


def _bound(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "layer": row["layer"],
        "bound by": row["binding"],
        "time": show(row["time_s"], "s"),
        "elements at work": f"{row['utilisation']:.0%}",
    }


def sweep(chosen: Selection, as_json: bool) -> None:
    """The best setting of the chip's knobs for every design and objective."""
    table = costmodels.sweep(chosen.candidates, chosen.hardware, frame_rate=chosen.frame_rate, bands=as_json)
    front = costmodels.area_front(chosen.candidates, chosen.hardware, frame_rate=chosen.frame_rate, bands=True)
    if as_json:
        rows = [*table.to_dict("records"), *front.assign(objective="area front").to_dict("records")]
        print_rows(rows, as_json=True)
        return
    knobs, rows = list(costmodels.knobs(chosen.hardware)), []
    for row in table.to_dict("records"):
        setting = ", ".join(f"{k} {row[k] if isinstance(row[k], str) else format(row[k], 'g')}" for k in knobs)
        objective = str(row["objective"]).rsplit("_", 1)[0]
        rows.append(
            {
                "design": row["design"],
                "objective": objective,
                "best chip": setting or "no knobs in its file",
                "saved": f"{row['gain']:.1%}",
                "fits": row["feasible"],
            }
        )
    print_rows(rows, f"{title(chosen)}: best setting of the knobs")
    shown = [
        {
            "design": row["design"],
            "area": show(row["area_mm2"], "mm2"),
            "energy": show(row["energy_j"], "J"),
            "over all variations": ends(row["energy_low"], row["energy_high"]),
            "chip": ", ".join(f"{k} {row[k] if isinstance(row[k], str) else format(row[k], 'g')}" for k in knobs),
        }
        for row in front.to_dict("records")
    ]
    print_rows(shown, f"{title(chosen)}: energy against area")


def stability(chosen: Selection, as_json: bool) -> None:
    """How the ranking stands when the chip's constants move."""
    found = costmodels.stability(chosen.candidates, chosen.hardware, drop=chosen.drop, frame_rate=chosen.frame_rate)
    record, names = found.record(), chosen.candidates.names
    record["front"] = [names[int(i)] for i in record["front"]]
    record["reference"] = names[found.reference]
    for name in ("bands", "energy_bands"):
        record[name] = [{**row, "design": names[int(row["design"])]} for row in record[name]]
    record["survival"] = [{**row, "design": names[int(row["design"])]} for row in record["survival"]]
    record["cheapest"] = names[found.cheapest]
    record["scenarios"] = [{**row, "cheapest": names[int(row["cheapest"])]} for row in record["scenarios"]]
    if as_json:
        print(json.dumps(record, indent=2, default=float))
        return
    heading, count = title(chosen), len(found.scenarios)
    for note in found.notes:
        typer.echo(fill(f"note: {note}", WIDE))
    if found.worst_tau is not None:
        regret = f"greatest regret of {record['reference']} {found.worst_regret:.1%}"
        typer.echo(fill(f"{heading}: least tau {found.worst_tau:.2f}; {regret}", WIDE))
    scenarios = sorted(record["scenarios"], key=lambda row: float(row["tau"]))
    head = f"{heading}: least stable of {count} changes, ranking by energy"
    print_rows([_scenario(row) for row in scenarios[:MOST]], head)
    shown = [_band(row) for row in record["bands"] if row["design"] in (record["reference"], *record["front"])]
    print_rows(shown[:MOST], "least and greatest energy of the front over all variations")
    kept = [row for row in record["survival"] if row["share"] < 1]
    print_rows(kept[:MOST], f"{len(kept)} of {len(record['front'])} designs leave the front in some change")
    tornado = [_swing(row) for row in record["tornado"][:MOST]]
    print_rows(tornado, f"energy of {record['reference']} at the ends of each constant's range")


def _scenario(row: dict[str, Any]) -> dict[str, Any]:
    """One change, what it does to the ranking, and the design that is then cheapest without losing more."""
    return {
        "change": f"{row['constant']}: {row['change']}",
        "tau": row["tau"],
        "front kept": f"{row['front_kept']:.0%}",
        "cheapest": row["cheapest"],
        "regret": f"{row['regret']:.1%}",
        "largest change": f"{row['largest_change'] - 1:+.0%}",
    }


def _swing(row: dict[str, Any]) -> dict[str, Any]:
    """The range of a constant, and the energy at both ends against that of the chip file."""
    return {
        "constant": row["constant"],
        "range": f"{row['low']:.4g} to {row['high']:.4g} {'' if row['unit'] == '1' else row['unit']}".strip(),
        "at the low end": f"{row['low_change']:+.1%}",
        "at the high end": f"{row['high_change']:+.1%}",
    }


def _band(row: dict[str, Any]) -> dict[str, Any]:
    return {"design": row["design"]} | {name: show(row[column], "J") for name, column in ENDS.items()}


def write_actions(chosen: Selection, path: Path) -> None:
    """Write the action counts of every design to a file that other estimators can price: YAML by its ending, or CSV."""
    import pandas as pd
    from ruamel.yaml import YAML

    from costmodels.whole_files import replacing
    from dse.results.files import write_csv

    check_out(path)
    tables = {n: costmodels.action_counts(w, chosen.hardware, d) for n, w, d in each(chosen)}
    if path.suffix in (".yaml", ".yml"):
        with replacing(path) as part:
            YAML(typ="safe", pure=True).dump(costmodels.accelergy(tables), part)
    else:
        write_csv(path, pd.concat([t.assign(design=n) for n, t in tables.items()], ignore_index=True))
    typer.echo(f"wrote {path}")


VIEWS = {
    "costs": costs,
    "breakdown": breakdown,
    "compare": compare,
    "crossover": crossover,
    "floorline": floorline,
    "forms": forms,
    "sweep": sweep,
    "stability": stability,
}
