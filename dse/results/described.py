"""A design of a run in full, two designs beside each other, and the run directories below a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd

from dse.config.quantities import QUANTITIES, Quantity, show
from dse.errors import ConfigError
from dse.ledger import JOURNAL
from dse.problem.design import Design
from dse.problem.widths_file import design_tree
from dse.results import tables
from dse.results.files import plain, read_json
from dse.results.run import Run, open_run
from sviT_models.measure.accuracy import Z95, share_interval

COSTS = tuple(q for q in QUANTITIES if q.column != "drop")


@dataclass(frozen=True)
class Described:
    """What a run knows of a design.

    names: origin, and names among the picks; drops: by kind (`unseen`, `verified`, `expected`, `searched`, the most
    telling first) value, low, high [percentage points] and, where it was measured, images; top1: share of the search
    images, low, high; costs: by column of results.csv, SI.
    """

    id: str
    names: tuple[str, ...]
    design: Design
    drops: Mapping[str, Mapping[str, float]]
    top1: tuple[float, float, float]
    costs: Mapping[str, float]
    mean_weight_bits: float
    on_front: bool
    feasible: bool

    def record(self) -> dict[str, Any]:
        """Everything as JSON values; `weights` and `states` rebuild the design (`--widths`)."""
        own = {"id": self.id, "names": list(self.names), "time_steps": self.design.time_steps}
        own |= {"drops": dict(self.drops), "top1": dict(zip(("value", "low", "high"), self.top1, strict=True))}
        own |= {**self.costs, "mean_weight_bits": self.mean_weight_bits}
        own |= {"on_front": self.on_front, "feasible": self.feasible}
        return dict(plain(own | design_tree(self.design)))


def described(run: Run, name: str | None) -> Described:
    """A design of a run, by any name that `dse.results.naming` reads.  Raises ConfigError for what is none."""
    row = run.row(name)
    found = str(row["id"])
    origins = run.table.loc[run.table["id"] == found, "origin"].unique() if len(run.table) else ()
    picked = [pick for pick, design in run.named_picks.items() if design == found]
    return Described(
        id=found,
        names=tuple(dict.fromkeys([*map(str, origins), str(row["origin"]), *picked])),
        design=tables.design_of(row),
        drops=_drops(run, row),
        top1=(float(row["top1"]), *share_interval(float(row["top1"]), int(row["images"]))),
        costs={q.column: float(row[q.column]) for q in COSTS if q.column in row and pd.notna(row[q.column])},
        mean_weight_bits=float(row["mean_weight_bits"]),
        on_front=bool(row["on_front"]),
        feasible=bool(row["feasible"]),
    )


def _drops(run: Run, row: pd.Series) -> dict[str, dict[str, float]]:
    """What is said of a design's drop, the most telling first."""
    found: dict[str, dict[str, float]] = {}
    if (seen := (run.verified or {}).get(str(row["id"]))) is not None:
        if seen.joint is not None:
            found["unseen"] = cast(dict[str, float], seen.joint)
        found["verified"] = cast(dict[str, float], seen.measured)
    elif "verify_after_drop" in row and pd.notna(row["verify_after_drop"]):
        found["verified"] = {key: float(row[f"verify_after_{of}"]) for key, of in _ENDS.items()}
    if run.expected is not None and row["id"] in run.expected.index:
        said = run.expected.loc[row["id"]]
        reach, mean = Z95 * float(said["sd"]), float(said["expected"])
        found["expected"] = {"value": mean, "low": mean - reach, "high": mean + reach}
    own = {key: float(row["drop" if of == "drop" else f"drop_{of}"]) for key, of in _ENDS.items()}
    return found | {"searched": own | {"images": int(row["images"])}}


def unseen_drop(run: Run, name: str) -> tuple[float, str]:
    """The best that is known of a design's drop on unseen images [percentage points], and what that is."""
    kind, drop = next(iter(_drops(run, run.row(name)).items()))
    return drop["value"], {"unseen": "verified", "expected": "predicted"}.get(kind, kind)


_ENDS = {"value": "drop", "low": "low", "high": "high"}
SAID = {  # what a kind of drop is, in the words of every command
    "unseen": "on unseen images, by the search and the verification together",
    "verified": "measured on {images:,} unseen images",
    "expected": "predicted for unseen images",
    "searched": "measured on the {images:,} search images (optimistic: designs were chosen on them)",
}


def drop_text(drop: Mapping[str, float]) -> str:
    """A drop with its 95 % interval."""
    return f"{drop['value']:+.2f} pp, 95 % interval {drop['low']:+.2f} to {drop['high']:+.2f}"


@dataclass(frozen=True)
class Difference:
    """Two designs: rows of quantities, and the layers and stages whose widths differ, `name, first, second`."""

    first: Described
    second: Described
    quantities: tuple[tuple[Quantity, float, float], ...]
    widths: tuple[tuple[str, int | None, int | None], ...]


def difference(first: Described, second: Described) -> Difference:
    """What two designs, of one run or of two, do not have in common."""
    shared = [q for q in COSTS if q.column in first.costs and q.column in second.costs]
    one, other = ({**d.design.columns()} for d in (first, second))
    changed = [(n, one.get(n), other.get(n)) for n in dict.fromkeys([*one, *other]) if one.get(n) != other.get(n)]
    quantities = tuple((q, first.costs[q.column], second.costs[q.column]) for q in shared)
    return Difference(first, second, quantities, tuple(changed))


def settings(first: Run, second: Run) -> list[tuple[str, Any, Any]]:
    """The keys of the configuration in which two runs differ, dotted, with both values."""
    one, other = (_flat(run.config.model_dump(mode="json")) for run in (first, second))
    return [
        (key, one.get(key), other.get(key)) for key in dict.fromkeys([*one, *other]) if one.get(key) != other.get(key)
    ]


def _flat(tree: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in tree.items():
        out |= _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return out


def listed(folder: Path) -> list[dict[str, Any]]:
    """The run directories in a folder and one level below it, the newest last: what is known without opening them.

    Keys: `run, state` (finished, interrupted or damaged), `network, chip, designs, recommended, drop, memory, created`;
    what is not known is None.  Raises ConfigError for what is no folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; give the one that holds your runs")
    places = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    rows = [_summary(place) for place in places if (place / JOURNAL).is_file() or (place / "results.csv").is_file()]
    return sorted(rows, key=lambda row: (str(row["created"] or ""), row["run"]))


def _summary(place: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"run": str(place), "state": "interrupted"}
    row |= dict.fromkeys(("network", "chip", "designs", "recommended", "drop", "memory", "created"))
    if not (place / "manifest.json").is_file():
        return row
    try:
        run = open_run(place)
        manifest = read_json(place / "manifest.json")
        row |= {"state": "finished", "network": manifest["checkpoint"]["network"], "chip": manifest["hardware"]["name"]}
        row |= {"designs": int(run.table["id"].nunique()) - 1, "created": manifest.get("created")}
        if "recommended" in run.named_picks:
            best = described(run, "recommended")
            row |= {"recommended": best.id, "drop": next(iter(best.drops.values()))["value"]}
            row["memory"] = best.costs["memory_bytes"]
    except (ConfigError, KeyError, TypeError) as error:
        row |= {"state": "damaged", "recommended": str(error) if isinstance(error, ConfigError) else f"no {error}"}
    return row


def cost_text(quantity: Quantity, value: float, budget: float | None) -> str:
    """A cost, and against its budget where there is one."""
    if budget is None:
        return show(value, quantity.unit)
    left = (
        f"{show(budget - value, quantity.unit)} left"
        if value <= budget
        else f"{show(value - budget, quantity.unit)} over"
    )
    return f"{show(value, quantity.unit)} of {show(budget, quantity.unit)} ({left})"
