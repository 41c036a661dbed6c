"""The designs of a run as a table with a plot: what `dse.load(...).front` is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from dse.config.quantities import QUANTITIES, show
from dse.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COSTS = {q.key: q for q in QUANTITIES if q.key != "drop"}


@dataclass(frozen=True, eq=False)
class Front:
    """Designs by rising memory: `table` has the index `id` and one row per design.

    Columns: `name` (as a pick or baseline), `drop, drop_low, drop_high` on unseen images [percentage points], `status`
    (verified, predicted, or searched where nothing else is known), `searched_drop`, the costs [SI], `time_steps`,
    `mean_weight_bits`.
    """

    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return str(self._readable().to_string())

    def _repr_html_(self) -> str:
        return str(self._readable().to_html())

    def _readable(self) -> pd.DataFrame:
        """The table in the words of the command line."""
        t = self.table
        drop = [
            f"{d:+.2f} ({low:+.2f} to {high:+.2f})"
            for d, low, high in zip(t["drop"], t["drop_low"], t["drop_high"], strict=True)
        ]
        shown = pd.DataFrame({"name": t["name"], "drop [pp], 95 %": drop, "status": t["status"]}, index=t.index)
        for key, quantity in COSTS.items():
            if quantity.column in t:
                shown[key] = [show(float(value), quantity.unit) for value in t[quantity.column]]
        return shown

    def plot(self, cost: str = "memory", axes: Axes | None = None) -> Axes:
        """Drop on unseen images with 95 % intervals over a cost, named picks; returns the matplotlib axes.

        cost  memory, energy, latency, power or area
        axes  where to draw; default: a new figure

        Raises ConfigError for a cost that there is not.
        """
        if cost not in COSTS or COSTS[cost].column not in self.table:
            raise ConfigError(f"cost is {cost!r}; choose from {', '.join(COSTS)}")
        from matplotlib.figure import Figure

        quantity, t = COSTS[cost], self.table
        axes = axes or Figure(figsize=(6.4, 4.0), layout="constrained").subplots()
        for status, part in t.groupby("status", sort=False):
            reach = [part["drop"] - part["drop_low"], part["drop_high"] - part["drop"]]
            shape = "s" if status == "verified" else "o"
            axes.errorbar(part[quantity.column], part["drop"], yerr=reach, label=str(status), fmt=shape, capsize=2)
        for _, row in t[t["name"] != ""].iterrows():
            at = (row[quantity.column], row["drop"])
            axes.annotate(row["name"], at, textcoords="offset points", xytext=(4, 4), fontsize=8, parse_math=False)
        axes.set(xscale="log", xlabel=f"{cost} [{quantity.unit}]", ylabel="drop on unseen images [pp]")
        axes.legend()
        return axes
