"""The precision study as one chart: harm by layer type and stage, one panel per type, one colour per width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reports.errors import ReportError

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (".png", ".svg", ".pdf")
WIDTHS = 3  # the narrowest that are drawn: more would not be told apart


@dataclass(frozen=True)
class Panel:
    """One layer type: `values[bits][stage]` are the harms of its groups there, in the order of the table."""

    type: str
    values: Mapping[int, Mapping[str, tuple[float, ...]]]


@dataclass(frozen=True)
class Chart:
    """All panels, the stages in network order, and what is drawn: KL [nat] where measured, else the Fisher score."""

    quantity: str
    stages: tuple[str, ...]
    panels: tuple[Panel, ...]


def chart(table: pd.DataFrame) -> Chart:
    """The record behind the chart, from a table of `svit-dse sensitivity` (`type, stage, bits` and `score` or `kl`).

    Raises ReportError without any weight rows.
    """
    rows = table[table["kind"] == "weight"] if "kind" in table else table
    quantity = "kl" if "kl" in rows and bool(rows["kl"].notna().any()) else "score"
    rows = rows[rows["bits"] < 32]
    if rows.empty:
        raise ReportError("sensitivity: the table has no weight narrower than float; nothing to draw")
    narrow = sorted(rows["bits"].unique())[:WIDTHS]
    panels = []
    for kind, of_type in rows.groupby("type", sort=False):
        values = {
            int(bits): {
                str(stage): tuple(map(float, part[quantity])) for stage, part in of_width.groupby("stage", sort=False)
            }
            for bits, of_width in of_type[of_type["bits"].isin(narrow)].groupby("bits")
        }
        panels.append(Panel(str(kind), values))
    return Chart(quantity, tuple(map(str, rows["stage"].unique())), tuple(panels))


def draw_chart(table: pd.DataFrame, path: Path) -> None:
    """Write the chart to `path`, in the format of its suffix: a dot per group, a line through the stages' medians.

    Raises ReportError for another suffix, and as `chart`.
    """
    if path.suffix not in FORMATS:
        raise ReportError(f"{path}: unknown format {path.suffix!r}; name a file that ends in {', '.join(FORMATS)}")
    record = chart(table)
    from matplotlib.figure import Figure

    from reports.plots import style

    columns = min(3, len(record.panels))
    lines = -(-len(record.panels) // columns)
    with style.styled():
        figure = Figure(figsize=(2.5 * columns + 0.6, 2.2 * lines + 0.4), layout="constrained")
        axes = list(figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat)
        colours = (style.WARN, style.ACCENT, style.SECOND)
        for n, (axis, panel) in enumerate(zip(axes, record.panels, strict=False)):
            for i, (bits, by_stage) in enumerate(panel.values.items()):
                shift = 0.18 * (i - (len(panel.values) - 1) / 2)
                places = [record.stages.index(stage) for stage in by_stage]
                middle = [float(np.median(harms)) for harms in by_stage.values()]
                for place, harms in zip(places, by_stage.values(), strict=True):
                    axis.plot([place + shift] * len(harms), harms, ".", color=colours[i], markersize=3, alpha=0.5)
                axis.plot(np.array(places) + shift, middle, "-o", color=colours[i], markersize=3.5, label=f"{bits} bit")
            axis.set_title(panel.type, fontsize="small")
            axis.set_yscale("symlog", linthresh=max(_smallest(record), 1e-12))
            axis.set_xticks(range(len(record.stages)), record.stages, rotation=45, ha="right", fontsize="x-small")
            axis.tick_params(labelbottom=n + columns >= len(record.panels))
        for unused in axes[len(record.panels) :]:
            unused.set_axis_off()
        most = max(record.panels, key=lambda panel: len(panel.values))
        handles, labels = axes[record.panels.index(most)].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), frameon=False)
        what = "KL divergence [nat], one group at a time" if record.quantity == "kl" else "Fisher score [nat]"
        figure.supylabel(what, fontsize="small")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)


def _smallest(record: Chart) -> float:
    """The smallest positive harm: below it the axis is linear, as a measured KL may be zero."""
    values = [v for p in record.panels for by in p.values.values() for harms in by.values() for v in harms if v > 0]
    return min(values, default=1.0)
