"""How far the decision hangs on uncertain constants and on the chip's knobs: stability.json and codesign.csv."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from costmodels import Designs, knobs, stability, sweep
from dse import results, run_dir
from dse.costing import Costing

MOST_DESIGNS = 60


def write(out: Path, costing: Costing, table: pd.DataFrame, third: str, picks: dict[str, Any]) -> None:
    """Write stability.json for the front, and codesign.csv for the picks where the chip declares knobs.

    Every design is costed as in results.csv: with its own time steps and potentials, and its spikes from spikes.csv.
    """
    spikes = pd.read_csv(out / "spikes.csv")
    chosen = [p["id"] for p in picks["picks"]]
    front = results.front_of(table)
    front = front[front["fits"] | ~front["fits"].any()]
    if len(front) >= 2:
        run_dir.write_json(out / "stability.json", _stability(costing, front, spikes, third, chosen))
    if chosen and knobs(costing.hardware):
        rows = table.set_index("id").loc[chosen]
        names = [p["name"] for p in picks["picks"]]
        run_dir.write_csv(out / "codesign.csv", _codesign(costing, rows.reset_index(), spikes, names))


def designs_of(costing: Costing, rows: pd.DataFrame, spikes: pd.DataFrame, names: Sequence[str] = ()) -> Designs:
    """Rows of results.csv as designs with all that their costs depend on; `spikes` is the run's spikes.csv."""
    found = [results.design_of(row) for _, row in rows.iterrows()]
    counted = spikes.drop_duplicates("id").set_index("id").loc[rows["id"]]
    layers = [f"s:{name}" for name in costing.workload.lif_layers]
    return Designs(
        np.array([d.weight_bits for d in found]),
        tuple(names) or tuple(map(str, rows["id"])),
        np.array([d.time_steps for d in found]),
        costing.state_widths(found),
        counted[layers].to_numpy(dtype=np.float64),
    )


def _stability(
    costing: Costing, front: pd.DataFrame, spikes: pd.DataFrame, third: str, chosen: Sequence[str]
) -> dict[str, Any]:
    """The front (at most MOST_DESIGNS of it, evenly spread over memory) under changed constants, designs by id."""
    keep = np.unique(np.linspace(0, len(front) - 1, min(len(front), MOST_DESIGNS)).astype(int))
    keep = np.union1d(keep, np.flatnonzero(front["id"].isin(list(chosen))))
    part = front.iloc[keep]
    ids = list(part["id"])
    found = stability(
        costing.workload,
        costing.hardware,
        designs_of(costing, part, spikes),
        drop=part["drop"].to_numpy(dtype=float),
        objective=third if third in ("power_w", "latency_s") else "energy_j",
        reference=ids.index(chosen[0]) if chosen and chosen[0] in ids else None,
        frame_rate=costing.frame_rate,
    ).record()
    found["front"] = [ids[i] for i in found["front"]]
    found["survival"] = [{**row, "design": ids[int(row["design"])]} for row in found["survival"]]
    return {key: _plain(value) for key, value in found.items()}


def _codesign(costing: Costing, rows: pd.DataFrame, spikes: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The best setting of the chip's knobs for every pick and objective: `id`, the pick's name as `design`, ..."""
    designs = designs_of(costing, rows, spikes, names)
    found = sweep(costing.workload, costing.hardware, designs, frame_rate=costing.frame_rate)
    ids = dict(zip(names, rows["id"], strict=True))
    found.insert(0, "id", [ids[name] for name in found["design"]])
    return found


def _plain(value: Any) -> Any:
    """numpy scalars to Python numbers, for JSON; what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
