"""How much every layer suffers at each width, in network order and sorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from reports.number_text import quantity, short_names, tidy
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import interactive, printed, style
from reports.plots.description import Axis, Chart, Marker, Points, intervals
from reports.run import FinishedRun, SensitivityRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Sensitivity of the layers"
FLOAT_WIDTH = 32
CHANGED = {"state": "potentials", "stream": "residual stream", "between": "sums between layers"}
SHAPES = ("circle", "square", "triangle-up", "diamond", "star", "hexagon", "triangle-down")


@dataclass(frozen=True)
class WidthCurve:
    """One width: `value[group]`, and `low`, `high` where an interval was measured."""

    bits: int
    value: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None


@dataclass(frozen=True)
class MeasuredChange:
    """One measured change of the float network, in words, with its drop and 95 % interval [pp]."""

    what: str
    drop: float
    low: float
    high: float


@dataclass(frozen=True)
class Sensitivity:
    """Harm of every searched group at every searched width; `order` are groups, the most sensitive first.

    `quantity` is `drop` [pp, measured one group at a time] where the run has it, else `score` [nat, diagonal Fisher].
    `others` are measured changes of something else than weights: potentials, streams or sums of a stage, time steps.
    `undrawn` are the widths that designs of the run have and no row of the table [bit].
    """

    quantity: str
    groups: tuple[str, ...]
    short: tuple[str, ...]
    curves: tuple[WidthCurve, ...]
    order: tuple[int, ...]
    others: tuple[MeasuredChange, ...] = ()
    undrawn: tuple[int, ...] = ()


def record(run: FinishedRun) -> Sensitivity | None:
    """The sensitivities of a run; None when it has no sensitivity.csv."""
    table = run.sensitivity
    if table is None:
        return None
    measured = any(np.isfinite(row.drop) for row in table)
    by = "drop" if measured else "score"
    rows = [r for r in table if r.kind == "weight" and r.bits < FLOAT_WIDTH and not np.isnan(_harm(r, measured))]
    if not rows:
        return None
    groups = tuple(dict.fromkeys(r.group for r in rows))
    curves = tuple(_curve(bits, groups, rows, measured) for bits in sorted({r.bits for r in rows}))
    lowest = np.nan_to_num(np.array(curves[0].value), nan=-np.inf)
    order = tuple(int(i) for i in np.argsort(-lowest, kind="stable"))
    short = short_names(layer.name for layer in run.layers)
    names = tuple(short.get(g, short_names([g])[g]) for g in groups)
    drawn = {curve.bits for curve in curves} | {FLOAT_WIDTH}
    undrawn = tuple(sorted({bits for design in run.designs for bits in design.bits} - drawn))
    return Sensitivity(by, groups, names, curves, order, _other_changes(table) if measured else (), undrawn)


def _harm(row: SensitivityRow, measured: bool) -> float:
    return row.drop if measured else row.score


def _curve(bits: int, groups: Sequence[str], rows: Sequence[SensitivityRow], measured: bool) -> WidthCurve:
    """One width; a group without a row has NaN."""
    by_group = {r.group: r for r in reversed(rows) if r.bits == bits}
    nan = float("nan")
    value = tuple(_harm(by_group[g], measured) if g in by_group else nan for g in groups)
    low = tuple(by_group[g].drop_low if g in by_group else nan for g in groups)
    high = tuple(by_group[g].drop_high if g in by_group else nan for g in groups)
    ranged = measured and not np.isnan(low).any()
    return WidthCurve(bits, value, low if ranged else None, high if ranged else None)


def _other_changes(table: Sequence[SensitivityRow]) -> tuple[MeasuredChange, ...]:
    """Changes of potentials, streams, sums between layers and time steps, in the order of the table."""
    changes = []
    for row in table:
        if row.kind not in (*CHANGED, "time_steps") or np.isnan(row.drop):
            continue
        steps = row.kind == "time_steps"
        what = f"T = {row.time_steps}" if steps else f"{row.group}: {CHANGED[row.kind]} at {row.bits} bit"
        changes.append(MeasuredChange(what, row.drop, row.drop_low, row.drop_high))
    return tuple(changes)


AXIS = {"drop": "drop, one layer quantized [pp]", "score": "Fisher score [nat]"}


def draw(r: Sensitivity | None) -> Drawing:
    """Two charts: network order, and sorted with the most sensitive first."""
    if r is None:
        return Drawing(html.not_measured("how sensitive each layer is", "`svit-dse sensitivity CONFIG` measures it."))
    source = (
        "The drop was measured with one group at the width shown and everything else in float; bars are 95 % intervals."
        if r.quantity == "drop"
        else "The score is a second-order estimate of the increase of the loss, from the diagonal Fisher information. "
        "It ranks layers; it does not predict a drop. `svit-dse sensitivity --measure` measures the drop of each group."
    )
    top = ", ".join(r.short[i] for i in r.order[:5])
    body = html.join(
        Markup('<p class="lead">{} {} Most sensitive: {}.</p>').format(html.code_in(source), _widths_drawn(r), top),
        html.key([(f"c{i % 10}", f"{c.bits} bit") for i, c in enumerate(r.curves)]),
        html.heading("In network order"),
        html.plot("sensitivity", 300, "Sensitivity of every group in network order", wide=True),
        html.heading("Sorted"),
        html.plot("sensitivity-sorted", 300, "Sensitivity of every group, most sensitive first", wide=True),
        _others_table(r),
    )
    plots = {
        "sensitivity": interactive.plot(chart(r, range(len(r.groups)), "In network order")),
        "sensitivity-sorted": interactive.plot(chart(r, r.order, "Most sensitive first")),
    }
    caption = "Sensitivity of every group of layers at every searched width, in network order and sorted."
    return Drawing(body, plots, {"sensitivity": StaticFigure(caption, lambda: figure(r))})


def _widths_drawn(r: Sensitivity) -> str:
    """Which widths are drawn, and which are not though designs have them."""
    known = "measured" if r.quantity == "drop" else "scored"
    said = f"Only widths that were {known} are drawn: {_bits([c.bits for c in r.curves])}."
    return f"{said} Some designs also have {_bits(r.undrawn)}." if r.undrawn else said


def _bits(widths: Sequence[int]) -> str:
    *others, last = map(str, widths)
    return f"{', '.join(others)} and {last} bit" if others else f"{last} bit"


def _others_table(r: Sensitivity) -> Markup:
    if not r.others:
        return Markup("")
    rows = [(c.what, quantity(c.drop, "pp"), f"{tidy(c.low)} … {tidy(c.high)}") for c in r.others]
    return html.join(
        html.heading("Potentials, streams, sums between layers and time steps"),
        html.table(("One change of the float network", "Drop", "95 % interval [pp]"), rows, numeric=(1, 2)),
    )


def _positive(r: Sensitivity) -> float:
    """The smallest value that a logarithmic axis shows."""
    values = np.array([v for c in r.curves for v in c.value])
    positive = values[np.isfinite(values) & (values > 0)]
    return float(max(positive.min(), positive.max() * 1e-6)) if len(positive) else 1e-6


def chart(r: Sensitivity, order: Sequence[int], title: str) -> Chart:
    """Sensitivities in a given order, logarithmic; values at or below zero stand on the lower rim."""
    floor = _positive(r)
    marks = []
    for i, c in enumerate(r.curves):
        value = np.array(c.value)[list(order)]
        ranged: tuple[tuple[float, float], ...] = ()
        if c.low is not None and c.high is not None:
            low, high = (np.maximum(np.array(ends)[list(order)], floor).tolist() for ends in (c.low, c.high))
            ranged = intervals(low, high)
        marks.append(
            Points(
                x=range(len(order)),
                y=np.maximum(np.nan_to_num(value, nan=floor), floor).tolist(),
                marker=Marker(f"c{i % 10}", SHAPES[i % len(SHAPES)], size=6),
                name=f"{c.bits} bit",
                hover=[f"{r.short[j]}, {c.bits} bit: {v:.3g}" for j, v in zip(order, value, strict=True)],
                y_interval=ranged,
            )
        )
    x = Axis(categories=tuple(r.short[j] for j in order), limits=(-1, len(order)), grid=False)
    return Chart(tuple(marks), x=x, y=Axis(AXIS[r.quantity], "log"), title=title)


def figure(r: Sensitivity) -> Figure:
    """Both orders for slides and print."""
    made, axes = style.new(2, 1, height=5.2)
    printed.draw(axes[0], chart(r, range(len(r.groups)), "In network order"))
    printed.draw(axes[1], chart(r, r.order, "Most sensitive first"))
    axes[0].legend(ncols=len(r.curves), loc="upper right", bbox_to_anchor=(1, 1.16))
    return made
