"""`svit-dse estimate --breakdown`: energy and memory of designs by component, with the ends of every energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

import costmodels
from dse.commands._estimate_places import power_parts
from dse.commands._estimate_rows import each, ends, energy_text, title
from dse.commands._show import print_rows
from dse.config.quantities import show
from dse.workflows.estimate import Selection

PLACES = {
    "spiking_j": "spiking rows, on chip",
    "multibit_j": "multi-bit rows, on chip",
    "off_chip_j": "off chip (DRAM)",
    "static_j": "leakage",
    "per_synop_j": "per synaptic operation",
}
ENDS = {"energy_low": "low", "energy_high": "high"}


def breakdown(chosen: Selection, as_json: bool) -> None:
    """Energy and memory by component, one column per design."""
    import pandas as pd

    tables = {n: costmodels.breakdown(w, chosen.hardware, d, frame_rate=chosen.frame_rate) for n, w, d in each(chosen)}
    parts = costmodels.part_bands(chosen.candidates, chosen.hardware).rename(columns=ENDS)
    if as_json:
        rows = pd.concat([table.assign(design=name) for name, table in tables.items()], ignore_index=True)
        known = parts.drop(columns=["energy_j", "stage"]).assign(quantity="energy_j")
        both = rows.merge(known, "left", ["design", "layer", "component", "quantity"])
        print_rows([*both.to_dict("records"), *_power_rows(chosen)], as_json=True)
        return
    for quantity, unit in (("energy_j", "J"), ("memory_bytes", "B")):
        sums = {
            n: t[t["quantity"] == quantity].groupby("component", sort=False)["value"].sum() for n, t in tables.items()
        }
        components = dict.fromkeys(c for s in sums.values() for c in s.index)
        shown = [{"component": c} | {n: show(float(s.get(c, 0.0)), unit) for n, s in sums.items()} for c in components]
        shown.append({"component": "total"} | {n: show(float(s.sum()), unit) for n, s in sums.items()})
        print_rows(shown, f"{title(chosen)}: {quantity.split('_')[0]} by component")
    _power(chosen)
    whole = parts[(parts["layer"] == "") & (parts["stage"] == "")].to_dict("records")
    said = {(row["design"], row["component"]): _ends(row) for row in whole}
    components = dict.fromkeys(row["component"] for row in whole)
    print_rows(
        [{"component": c or "total"} | {n: said.get((n, c), "-") for n in tables} for c in components],
        "least and greatest energy over all variations",
    )
    _efficiency(chosen)


def _power_rows(chosen: Selection) -> list[dict[str, Any]]:
    """The power of designs by component, as rows like those of their energy."""
    return [
        {"layer": "", "stage": "", "quantity": "power_w", "component": component, "value": value, "design": name}
        for name, parts in power_parts(chosen).items()
        for component, value in parts.items()
        if value
    ]


def _power(chosen: Selection) -> None:
    """Average power by component, one column per design."""
    found = power_parts(chosen)
    components = dict.fromkeys(c for parts in found.values() for c in parts)
    used = [c for c in components if any(parts.get(c) for parts in found.values())]
    rows = [{"component": c} | {n: show(p[c], "W") if p else "none" for n, p in found.items()} for c in used]
    if not rows:
        typer.echo(
            f"no power: {chosen.hardware.name} does not reach {chosen.frame_rate:g} inferences/s with any of them"
        )
        return
    rows.append({"component": "total"} | {n: show(sum(p.values()), "W") if p else "none" for n, p in found.items()})
    print_rows(rows, f"{title(chosen)}: average power at {chosen.frame_rate:g} inferences/s by component")


def _ends(row: Mapping[str, Any]) -> str:
    """Least and greatest of a part; those of one operation in pJ, as chips state them."""
    if row["component"] == costmodels.PER_SYNOP:
        return f"{energy_text(row['low'])} to {energy_text(row['high'])}"
    return ends(row["low"], row["high"])


def _efficiency(chosen: Selection) -> None:
    """Spiking rows and others, on the chip and off it, beside what chips state."""
    found = {n: costmodels.efficiency(w, chosen.hardware, d) for n, w, d in each(chosen)}
    kinds = [
        {"energy": text} | {n: energy_text(getattr(part, name)) for n, part in found.items()}
        for name, text in PLACES.items()
    ]
    kinds.append({"energy": "bit operations"} | {n: f"{part.bit_operations:.3g}" for n, part in found.items()})
    print_rows(kinds, f"{title(chosen)}: on the chip and off it, spiking rows and others")
    chips = costmodels.measured_operations().to_dict("records")
    print_rows(
        [
            {"measured": row["chip"], "node": f"{row['node_nm']} nm", "pJ": row["pj"], "per": row["denominator"]}
            for row in chips
        ],
        "published for chips, over different denominators",
    )
