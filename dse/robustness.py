"""How far the decision hangs on uncertain constants and on the chip's knobs: stability.json and codesign.csv."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from costmodels import knobs, stability, sweep
from dse import results, run_dir
from dse.costing import Costing

MOST_DESIGNS = 60


def write(out: Path, costing: Costing, table: pd.DataFrame, third: str, picks: dict[str, Any]) -> None:
    """Write stability.json for the front, and codesign.csv for the picks where the chip declares knobs."""
    chosen = [p["id"] for p in picks["picks"]]
    front = results.front_of(table)
    front = front[front["fits"] | ~front["fits"].any()]
    if len(front) >= 2:
        run_dir.write_json(out / "stability.json", _stability(costing, front, third, chosen))
    if chosen and knobs(costing.hardware):
        rows = table.set_index("id").loc[chosen]
        run_dir.write_csv(out / "codesign.csv", _codesign(costing, rows, [p["name"] for p in picks["picks"]]))


def _stability(costing: Costing, front: pd.DataFrame, third: str, chosen: Sequence[str]) -> dict[str, Any]:
    """The front (at most MOST_DESIGNS of it, evenly spread over memory) under changed constants, designs by id."""
    keep = np.unique(np.linspace(0, len(front) - 1, min(len(front), MOST_DESIGNS)).astype(int))
    keep = np.union1d(keep, np.flatnonzero(front["id"].isin(list(chosen))))
    part = front.iloc[keep]
    designs = [results.design_of(row) for _, row in part.iterrows()]
    ids = list(part["id"])
    found = stability(
        costing.workload,
        costing.hardware,
        np.array([d.weight_bits for d in designs]),
        drop=part["drop"].to_numpy(dtype=float),
        objective=third if third in ("power_w", "latency_s") else "energy_j",
        reference=ids.index(chosen[0]) if chosen and chosen[0] in ids else None,
        frame_rate=costing.frame_rate,
    ).record()
    found["front"] = [ids[i] for i in found["front"]]
    found["survival"] = [{**row, "design": ids[int(row["design"])]} for row in found["survival"]]
    return {key: _plain(value) for key, value in found.items()}


def _codesign(costing: Costing, rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The best setting of the chip's knobs for every pick and objective: `id`, the pick's name as `design`, ..."""
    designs = {name: results.design_of(row).widths for name, (_, row) in zip(names, rows.iterrows(), strict=True)}
    found = sweep(costing.workload, costing.hardware, designs, frame_rate=costing.frame_rate)
    ids = dict(zip(names, rows.index, strict=True))
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
