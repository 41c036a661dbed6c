"""How much every layer suffers at few bits, in network order and sorted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from reports.number_text import quantity, short_names, tidy
from reports.page import html as drawing
from reports.page.html import Drawing, Plot, StaticFigure
from reports.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Sensitivity of the layers"
SHOWN = (2, 3, 4)


@dataclass(frozen=True)
class Curve:
    """One width: `value[group]`, and `low`, `high` where an interval was measured."""

    bits: int
    value: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None


@dataclass(frozen=True)
class Change:
    """One measured change of the float network, in words, with its drop and 95 % interval [pp]."""

    what: str
    drop: float
    low: float
    high: float


@dataclass(frozen=True)
class Sensitivity:
    """Harm of every searched group at a few widths; `order` are group indices from the most to the least sensitive.

    `quantity` is `drop` [pp, measured one group at a time] where the run has it, else `score` [nat, diagonal Fisher].
    `others` are measured changes of something else than weights: membrane potentials of a stage, time steps.
    """

    quantity: str
    groups: tuple[str, ...]
    short: tuple[str, ...]
    curves: tuple[Curve, ...]
    order: tuple[int, ...]
    others: tuple[Change, ...] = ()


def record(run: Run) -> Sensitivity | None:
    """The sensitivities of a run; None when it has no sensitivity.csv."""
    table = run.sensitivity
    if table is None:
        return None
    measured = "drop" in table.columns and table["drop"].notna().any()
    by = "drop" if measured else "score"
    others: tuple[Change, ...] = ()
    if "kind" in table.columns:
        others = _others(table) if measured else ()
        table = table[table["kind"] == "weight"]
    table = table[table[by].notna() & (table["bits"] < 32)]
    if table.empty:
        return None
    available = sorted(int(b) for b in table["bits"].unique())
    chosen = [b for b in SHOWN if b in available] or available[:3]
    groups = list(dict.fromkeys(table["group"]))
    curves = []
    for bits in chosen:
        part = table[table["bits"] == bits].drop_duplicates("group").set_index("group").reindex(groups)
        ranged = measured and {"drop_low", "drop_high"} <= set(part.columns) and part["drop_low"].notna().all()
        curves.append(
            Curve(
                bits,
                tuple(part[by].astype(float)),
                tuple(part["drop_low"].astype(float)) if ranged else None,
                tuple(part["drop_high"].astype(float)) if ranged else None,
            )
        )
    lowest = np.nan_to_num(np.array(curves[0].value), nan=-np.inf)
    order = tuple(int(i) for i in np.argsort(-lowest, kind="stable"))
    short = short_names(run.layers["name"])
    names = tuple(short.get(g, short_names([g])[g]) for g in groups)
    return Sensitivity(by, tuple(groups), names, tuple(curves), order, others)


def _others(table: pd.DataFrame) -> tuple[Change, ...]:
    """Changes of potentials and of time steps, in the order of the table."""
    changes = []
    for row in table[table["kind"].isin(["state", "time_steps"]) & table["drop"].notna()].to_dict("records"):
        steps = row["kind"] == "time_steps"
        what = f"T = {int(row['time_steps'])}" if steps else f"{row['group']}: potentials at {int(row['bits'])} bit"
        drop = float(row["drop"])
        low, high = (float(row.get(name, float("nan"))) for name in ("drop_low", "drop_high"))
        changes.append(Change(what, drop, low, high))
    return tuple(changes)


AXIS = {"drop": "drop, one layer quantized [pp]", "score": "gradient score [nat]"}


def draw(r: Sensitivity | None) -> Drawing:
    """Two charts: network order, and sorted with the most sensitive first."""
    if r is None:
        return Drawing(
            drawing.not_measured("how sensitive each layer is", "`svit-dse sensitivity CONFIG` measures it.")
        )
    source = (
        "The drop was measured with one group at low width and everything else in float, with its 95 % interval."
        if r.quantity == "drop"
        else "The score is the second-order estimate of the loss increase from the diagonal Fisher information; it "
        "ranks layers, it does not promise a drop. `svit-dse sensitivity "
        "--measure` measures the drop one group at a time."
    )
    top = ", ".join(r.short[i] for i in r.order[:5])
    html = drawing.join(
        Markup('<p class="lead">{} Most sensitive: {}.</p>').format(drawing.code_in(source), top),
        drawing.key([(f"c{i}", f"{c.bits} bit") for i, c in enumerate(r.curves)]),
        drawing.heading("In network order"),
        drawing.plot("sensitivity", 300, "Sensitivity of every group in network order", wide=True),
        drawing.heading("Sorted"),
        drawing.plot("sensitivity-sorted", 300, "Sensitivity of every group, most sensitive first", wide=True),
        _others_table(r),
    )
    plots = {"sensitivity": plotted(r, tuple(range(len(r.groups)))), "sensitivity-sorted": plotted(r, r.order)}
    caption = "Sensitivity of every group of layers at low width, in network order and sorted."
    return Drawing(html, plots, {"sensitivity": StaticFigure(caption, lambda: figure(r))})


def _others_table(r: Sensitivity) -> Markup:
    if not r.others:
        return Markup("")
    rows = [(c.what, quantity(c.drop, "pp"), f"{tidy(c.low)} … {tidy(c.high)}") for c in r.others]
    return drawing.join(
        drawing.heading("Membrane potentials and time steps"),
        drawing.table(("One change of the float network", "Drop", "95 % interval [pp]"), rows, numeric=(1, 2)),
    )


def _positive(r: Sensitivity) -> float:
    """The smallest value that a logarithmic axis shows."""
    values = np.array([v for c in r.curves for v in c.value])
    positive = values[np.isfinite(values) & (values > 0)]
    return float(max(positive.min(), positive.max() * 1e-6)) if len(positive) else 1e-6


def plotted(r: Sensitivity, order: tuple[int, ...]) -> Plot:
    """Sensitivities in a given order, logarithmic; values at or below zero stand on the lower rim."""
    floor = _positive(r)
    data: list[dict[str, Any]] = []
    for i, c in enumerate(r.curves):
        value = np.array(c.value)[list(order)]
        shown = np.maximum(np.nan_to_num(value, nan=floor), floor)
        trace: dict[str, Any] = {
            "type": "scatter",
            "mode": "markers",
            "x": list(range(len(order))),
            "y": shown.tolist(),
            "marker": {"color": f"$c{i}", "size": 6, "symbol": ("circle", "square", "triangle-up")[i % 3]},
            "text": [f"{r.short[j]}, {c.bits} bit: {v:.3g}" for j, v in zip(order, value, strict=True)],
            "hovertemplate": "%{text}<extra></extra>",
        }
        if c.low is not None and c.high is not None:
            low = np.maximum(np.array(c.low)[list(order)], floor)
            trace["error_y"] = {
                "type": "data",
                "symmetric": False,
                "array": np.maximum(np.array(c.high)[list(order)] - shown, 0).tolist(),
                "arrayminus": np.maximum(shown - low, 0).tolist(),
                "color": f"$c{i}",
                "thickness": 0.8,
                "width": 0,
            }
        data.append(trace)
    step = max(1, len(order) // 46)
    layout = {
        "xaxis": {
            "tickvals": list(range(0, len(order), step)),
            "ticktext": [r.short[j] for j in order[::step]],
            "tickangle": -90,
            "showgrid": False,
            "range": [-1, len(order)],
        },
        "yaxis": {"type": "log", "title": {"text": AXIS[r.quantity]}, "dtick": 1, "exponentformat": "power"},
    }
    return {"data": data, "layout": layout}


def figure(r: Sensitivity) -> Figure:
    """Both orders for slides and print."""
    from reports.plots import style

    made, axes = style.new(2, 1, height=5.2)
    floor = _positive(r)
    for ax, order, title in (
        (axes[0], tuple(range(len(r.groups))), "In network order"),
        (axes[1], r.order, "Most sensitive first"),
    ):
        x = np.arange(len(order))
        for i, c in enumerate(r.curves):
            value = np.maximum(np.nan_to_num(np.array(c.value)[list(order)], nan=floor), floor)
            colour = style.CATEGORIES[i]
            if c.low is not None and c.high is not None:
                low, high = np.array(c.low)[list(order)], np.array(c.high)[list(order)]
                ax.vlines(x, np.maximum(low, floor), np.maximum(high, floor), color=colour, lw=0.6, alpha=0.6)
            ax.plot(x, value, "os^"[i % 3], ms=2.8, color=colour, mew=0, label=f"{c.bits} bit")
        step = max(1, len(order) // 32)
        ax.set_xticks(x[::step], [r.short[j] for j in order[::step]], rotation=90, fontsize=5.5)
        ax.set_yscale("log")
        ax.set_xlim(-1, len(order))
        ax.set_title(title)
        ax.set_ylabel(AXIS[r.quantity])
        ax.grid(True, axis="y")
    axes[0].legend(ncols=3, loc="upper right", bbox_to_anchor=(1, 1.16))
    return made
