"""What a reviewer asks of the decision: does it hold when constants move, and beside other networks and chips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from costmodels import (
    CostError,
    Designs,
    Hardware,
    Workload,
    change_first,
    comparisons,
    crossover,
    energy_bands,
    forms,
    knobs,
    part_bands,
    stability,
    sweep,
)
from dse.evaluation.costs import Costing
from dse.results.costed import designs_of
from dse.results.files import plain
from dse.results.origin import FLOAT, GUIDED, Kind, is_plain_uniform, origin_of
from dse.results.picks_file import Picks

MOST_DESIGNS = 60
BESIDE = ("uniform-8", "uniform-4")
SWEPT = ["knob", "value"]
COMPARED = ["spiking", "non-spiking", "non-spiking, dense"]


@dataclass(frozen=True, eq=False)
class Robustness:
    """The records behind stability.json, comparisons.csv, codesign.csv, knobs.csv, forms.csv, bottlenecks.csv,
    crossover.csv and energy_parts.csv.

    Stability takes two designs, co-design a pick and a chip with knobs, the forms of the datapath a pick and a chip
    whose file does not state energies per operation, bottlenecks a pick, the crossover a pick that fires; without them
    they are None.
    """

    stability: dict[str, Any] | None
    comparisons: pd.DataFrame
    codesign: pd.DataFrame | None
    knobs: pd.DataFrame | None
    forms: pd.DataFrame | None
    bottlenecks: pd.DataFrame | None
    crossover: pd.DataFrame | None
    energy_parts: pd.DataFrame


def robustness(
    costing: Costing,
    table: pd.DataFrame,
    spikes: pd.DataFrame,
    third: str,
    picks: Picks,
    verified: Sequence[str] = (),
) -> Robustness | None:
    """How the decision stands when constants move, beside non-spiking networks, and at other settings of the chip.

    None where functions of a caller cost the designs: no constants of the chip are behind their figures.

    Every design is costed as in results.csv: with its own time steps and potentials, and its spikes per image from
    `spikes` (spikes.csv).  `third` is the column of the third objective, `verified` are ids.  Picks, front, baselines
    and verified designs have the least and the greatest of their energy over all variations.
    """
    if costing.own:
        return None
    chosen = [p["id"] for p in picks["picks"]]
    ranked, codesign, by_form, bound, curve = _ranked(table, chosen), None, None, None, None
    swept = None
    rows = table.iloc[[list(table["id"]).index(each) for each in chosen]]
    if chosen:
        by_form = _forms(costing, rows, spikes)
        bound = _bottlenecks(costing, rows, spikes)
        curve = _crossover(costing, rows.head(1), spikes)
    if chosen and knobs(costing.hardware):
        codesign = _codesign(costing, rows, spikes, [p["name"] for p in picks["picks"]])
        swept = pd.DataFrame([(k, v) for k, values in knobs(costing.hardware).items() for v in values], columns=SWEPT)
    stable = _stability(costing, ranked, spikes, third, chosen) if len(ranked) >= 2 else None
    if stable is not None:
        named = table["origin"].map(lambda name: origin_of(name).kind in (Kind.REFERENCE, Kind.BASELINE))
        others = table[(named | table["id"].isin(list(verified))) & ~table["id"].isin(set(ranked["id"]))]
        shown = {"memory_bytes", third, *picks["budgets"]} - {stable["objective"]}
        stable["tornados"] = {name: table for name, table in stable["tornados"].items() if name in shown}
        stable["energy_bands"] += _bands(costing, others.drop_duplicates("id"), spikes)
    beside = _comparisons(costing, table, spikes, chosen)
    parts = _energy_parts(costing, table, spikes, chosen)
    return Robustness(stable, beside, codesign, swept, by_form, bound, curve, parts)


def _bands(costing: Costing, rows: pd.DataFrame, spikes: pd.DataFrame) -> list[dict[str, Any]]:
    """Entries of `energy_bands` for further designs."""
    if rows.empty:
        return []
    ends = energy_bands(designs_of(costing, rows, spikes), costing.hardware)
    return [
        {"design": str(i), "value": float(value), "low": float(low), "high": float(high)}
        for i, value, (low, high) in zip(rows["id"], rows["energy_j"], ends, strict=True)
    ]


def _energy_parts(costing: Costing, table: pd.DataFrame, spikes: pd.DataFrame, chosen: Sequence[str]) -> pd.DataFrame:
    """Energy of the parts of the picks, and of the baselines that the report puts beside them, with its ends:
    `id, stage, layer, component, energy_j, energy_low, energy_high`.

    A part is a layer, a component, the DRAM of a layer, or a component of a stage; an empty `stage`, `layer` or
    `component` is the sum over all.
    """
    first = {each: place for place, each in enumerate(chosen)}
    named = table["origin"].isin([GUIDED, *BESIDE]) | table["id"].isin(list(chosen))
    rows = table[named].drop_duplicates("id")
    rows = rows.iloc[np.argsort([first.get(each, len(first)) for each in rows["id"]], kind="stable")]
    if rows.empty:
        return pd.DataFrame(columns=["id", "stage", "layer", "component", "energy_j", "energy_low", "energy_high"])
    found = part_bands(designs_of(costing, rows, spikes), costing.hardware).rename(columns={"design": "id"})
    sums = (found["layer"] == "") | found["component"].isin(["", "dram"])
    return found[sums].reset_index(drop=True)


def _ranked(table: pd.DataFrame, chosen: Sequence[str]) -> pd.DataFrame:
    """The picks, the front, and others spread evenly to MOST_DESIGNS in all, of those that fit if any does."""
    searched = table[(table["origin"] != FLOAT) & (table["fits"] | ~table["fits"].any())].drop_duplicates("id")
    shown = searched["id"].isin(list(chosen)) | searched["on_front"]
    kept, room = list(searched.index[shown]), max(0, MOST_DESIGNS - int(shown.sum()))
    order = searched[~shown].sort_values(["memory_bytes", "drop", "id"]).index
    kept += list(order[np.unique(np.linspace(0, len(order) - 1, min(len(order), room)).astype(int))])
    return searched.loc[kept].sort_values(["memory_bytes", "drop", "id"], ignore_index=True)


def _comparisons(costing: Costing, table: pd.DataFrame, spikes: pd.DataFrame, chosen: Sequence[str]) -> pd.DataFrame:
    """Baselines and picks, and beside all but float the non-spiking networks with the same weights.

    `id, origin, network`, and costs; `network` is `spiking`, `non-spiking` (activations of ceil(log2(T + 1)) bits,
    zeros skipped) or `non-spiking, dense`.  `energy_low` and `energy_high` are the ends of the energy's band.
    """
    named = table["origin"].isin([FLOAT, GUIDED]) | table["origin"].map(is_plain_uniform)
    rows = table[(named & ~table["origin"].duplicated()) | table["id"].isin(list(chosen))].drop_duplicates("id")
    designs = designs_of(costing, rows, spikes)
    ends = {name: energy_bands(designs, costing.hardware, network=name) for name in COMPARED}
    parts = []
    for i in range(len(rows)):
        part = _compared(costing, *designs.one(i), rows.iloc[i])
        low, high = np.array([ends[name][i] for name in part["network"]]).T
        parts.append(part.assign(energy_low=low, energy_high=high))
    columns = ["id", "origin", "network", "time_steps", "memory_bytes", "energy_j", "latency_s", "power_w"]
    return pd.concat(parts, ignore_index=True)[[*columns, "energy_low", "energy_high"]]


def _compared(costing: Costing, workload: Workload, design: Designs, row: pd.Series) -> pd.DataFrame:
    """One design and the non-spiking networks beside it."""
    found = comparisons(workload, costing.hardware, design, widths=(), frame_rate=costing.frame_rate)
    part = found[found["network"] != "float"].assign(id=row["id"], origin=row["origin"])
    part = part.assign(network=COMPARED, power_w=part["power_w"].astype(float))
    return part.head(1) if row["origin"] == FLOAT else part


def _stability(
    costing: Costing, part: pd.DataFrame, spikes: pd.DataFrame, third: str, chosen: Sequence[str]
) -> dict[str, Any]:
    """Ranking and front of designs under changed constants, designs by id."""
    ids = list(part["id"])
    found = stability(
        designs_of(costing, part, spikes),
        costing.hardware,
        drop=part["drop"].to_numpy(dtype=float),
        objective=third if third in ("power_w", "latency_s") else "energy_j",
        reference=ids.index(chosen[0]) if chosen and chosen[0] in ids else None,
        frame_rate=costing.frame_rate,
    ).record()
    found["front"] = [ids[i] for i in found["front"]]
    for name in ("reference", "cheapest"):
        found[name] = ids[found[name]]
    found["scenarios"] = [{**row, "cheapest": ids[int(row["cheapest"])]} for row in found["scenarios"]]
    for name in ("bands", "energy_bands"):
        found[name] = [{**row, "design": ids[int(row["design"])]} for row in found[name]]
    found["survival"] = [{**row, "design": ids[int(row["design"])]} for row in found["survival"]]
    return {key: plain(value) for key, value in found.items()}


def _codesign(costing: Costing, rows: pd.DataFrame, spikes: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The best setting of the chip's knobs for every pick and objective: `id`, the pick's name as `design`, ..."""
    found = sweep(designs_of(costing, rows, spikes, names), costing.hardware, frame_rate=costing.frame_rate, bands=True)
    ids = dict(zip(names, rows["id"], strict=True))
    found.insert(0, "id", [ids[name] for name in found["design"]])
    return found


def _bottlenecks(costing: Costing, rows: pd.DataFrame, spikes: pd.DataFrame) -> pd.DataFrame:
    """What sets the latency of the picks: `id, resource, layers, share, latency_s, saving`; best to double first."""
    designs = designs_of(costing, rows, spikes)
    parts = []
    for place, design in enumerate(rows["id"]):
        found = change_first(designs.one(place)[0], costing.hardware, designs.one(place)[1])
        found.insert(0, "id", design)
        parts.append(found)
    return pd.concat(parts, ignore_index=True)


def _forms(costing: Costing, rows: pd.DataFrame, spikes: pd.DataFrame) -> pd.DataFrame | None:
    """What the picks save against 8-bit weights under every form of the datapath: `id, form, unit`, costs, savings."""
    try:
        designs = designs_of(costing, rows, spikes)
        found = forms(designs, costing.hardware, frame_rate=costing.frame_rate, bands=True)
    except CostError:  # energies per operation: no datapath explains them
        return None
    return found.drop(columns="reasons").rename(columns={"design": "id"})


def _crossover(costing: Costing, rows: pd.DataFrame, spikes: pd.DataFrame) -> pd.DataFrame | None:
    """One design over the firing rate, beside the dense non-spiking network with its weights.

    `id, rate, ratio` (spiking over non-spiking energy) with its ends `ratio_low` and `ratio_high`, and the same in
    every row: `crossover` (the rate up to which spikes need less) with `crossover_low` and `crossover_high`, `own_rate`
    of the design, `time_steps`.
    """
    try:
        found = crossover(*_network(costing, rows, spikes), bands=True)
    except CostError:  # no neuron fires
        return None
    same = {"crossover": found.rate, "own_rate": found.own_rate, "time_steps": found.time_steps}
    if found.rate_band is not None:
        same |= dict(zip(("crossover_low", "crossover_high"), found.rate_band, strict=True))
    return found.curve[["rate", "ratio", "ratio_low", "ratio_high"]].assign(id=rows["id"].iloc[0], **same)


def _network(costing: Costing, rows: pd.DataFrame, spikes: pd.DataFrame) -> tuple[Workload, Hardware, Designs]:
    workload, design = designs_of(costing, rows, spikes).one(0)
    return workload, costing.hardware, design
