"""The precision study as one chart: harm by layer type and stage, one panel per type, one colour per width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from costmodels.whole_files import replacing
from reports.errors import ReportError
from reports.plots import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDTHS = 3  # the narrowest that are drawn: more would not be told apart


@dataclass(frozen=True)
class Panel:
    """One layer type: `values[bits][stage]` are the harms of its groups there, in the order of the table."""

    type: str
    values: Mapping[int, Mapping[str, tuple[float, ...]]]


@dataclass(frozen=True)
class PrecisionStudy:
    """All panels, the stages in network order, and what is drawn: KL [nat] where measured, else the Fisher score.

    `widths` are all widths of the table [bit]; the narrowest `WIDTHS` of them are drawn.
    """

    quantity: str
    stages: tuple[str, ...]
    panels: tuple[Panel, ...]
    widths: tuple[int, ...]


def precision_study(table: pd.DataFrame) -> PrecisionStudy:
    """The record behind the chart, from a table of `svit-dse sensitivity` (`type, stage, bits` and `score` or `kl`).

    Raises ReportError without any weight rows.
    """
    rows = table[table["kind"] == "weight"] if "kind" in table else table
    quantity = "kl" if "kl" in rows and bool(rows["kl"].notna().any()) else "score"
    rows = rows[rows["bits"] < 32]
    if rows.empty:
        raise ReportError("sensitivity: the table has no weight narrower than float; nothing to draw")
    widths = tuple(sorted(int(bits) for bits in rows["bits"].unique()))
    panels = []
    for kind, of_type in rows.groupby("type", sort=False):
        values = {
            int(bits): {
                str(stage): tuple(map(float, part[quantity])) for stage, part in of_width.groupby("stage", sort=False)
            }
            for bits, of_width in of_type[of_type["bits"].isin(widths[:WIDTHS])].groupby("bits")
        }
        panels.append(Panel(str(kind), values))
    return PrecisionStudy(quantity, tuple(map(str, rows["stage"].unique())), tuple(panels), widths)


def draw_chart(table: pd.DataFrame, path: Path, formats: Sequence[str]) -> None:
    """Write the chart to `path`, in the format of its suffix: a dot per group, a line through the stages' medians.

    Raises ReportError for a suffix that is not in `formats`, and as `precision_study`.
    """
    if path.suffix not in formats:
        raise ReportError(f"{path}: unknown format {path.suffix!r}; name a file that ends in {', '.join(formats)}")
    record = precision_study(table)
    columns = min(3, len(record.panels))
    rows = -(-len(record.panels) // columns)
    with style.styled():
        figure = Figure(figsize=(2.5 * columns + 0.6, 2.2 * rows + 0.4), layout="constrained")
        axes = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
        for n, (axis, panel) in enumerate(zip(axes, record.panels, strict=False)):
            _draw_panel(axis, panel, record)
            axis.tick_params(labelbottom=n + columns >= len(record.panels))
        for unused in axes[len(record.panels) :]:
            unused.set_axis_off()
        fullest = max(record.panels, key=lambda panel: len(panel.values))
        handles, labels = axes[record.panels.index(fullest)].get_legend_handles_labels()
        title = f"the narrowest of {', '.join(map(str, record.widths))} bit" if len(record.widths) > WIDTHS else None
        figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), frameon=False, title=title)
        what = "KL divergence [nat], one group at a time" if record.quantity == "kl" else "Fisher score [nat]"
        figure.supylabel(what, fontsize="small")
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            figure.savefig(part)


def _draw_panel(axis: Axes, panel: Panel, record: PrecisionStudy) -> None:
    """One layer type: a dot per group and a line through the medians, the widths side by side within a stage."""
    colours = (style.WARN, style.ACCENT, style.SECOND)
    for i, (bits, by_stage) in enumerate(panel.values.items()):
        shift = 0.18 * (i - (len(panel.values) - 1) / 2)
        x = np.array([record.stages.index(stage) for stage in by_stage]) + shift
        for at, harms in zip(x, by_stage.values(), strict=True):
            axis.plot([at] * len(harms), harms, ".", color=colours[i], markersize=3, alpha=0.5)
        medians = [float(np.median(harms)) for harms in by_stage.values()]
        axis.plot(x, medians, "-o", color=colours[i], markersize=3.5, label=f"{bits} bit")
    axis.set_title(panel.type, fontsize="small")
    axis.set_yscale("symlog", linthresh=max(_smallest(record), 1e-12))
    axis.set_xticks(range(len(record.stages)), record.stages, rotation=45, ha="right", fontsize="x-small")


def _smallest(record: PrecisionStudy) -> float:
    """The smallest positive harm: below it the axis is linear, as a measured KL may be zero."""
    values = [v for p in record.panels for by in p.values.values() for harms in by.values() for v in harms if v > 0]
    return min(values, default=1.0)
