"""A description as a plotly figure, in JSON; colours `$name` become CSS variables in `app.js`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reports.plots import label_placement
from reports.plots.description import Axis, Bars, Chart, Interval, Labels, Line, Marker, Points, Rule, Segments
from reports.plots.scales import transformed

Plot = dict[str, Any]
MOST_CATEGORIES = 40  # texts along an axis of the narrowest wide plot
NARROWEST = 250.0, 330.0  # px of the frame on a telephone of 390 px; names that are apart there are apart everywhere
LETTER, MARGIN = 11.0, 36.0  # px: size of a label's letters, and how far it may run beyond the frame
BESIDE = 9  # px: a label stands beside a marker of this size


def plot(chart: Chart) -> Plot:
    """The figure: `data` and `layout`."""
    layout: Plot = {"xaxis": axis(chart.x), "yaxis": axis(chart.y)}
    if any(isinstance(m, Bars) for m in chart.marks):
        layout["barmode"] = "stack" if chart.stacked else "overlay"
    shapes = [_rule(r, chart) for r in chart.rules if r.on_page]
    if chart.shade is not None:
        span = {"x0": chart.shade.low, "x1": chart.shade.high, "y0": 0, "y1": 1}
        look = {"fillcolor": "$rule", "opacity": 0.5, "line": {"width": 0}, "layer": "below"}
        shapes.append({"type": "rect", "yref": "paper", **span, **look})
    if shapes:
        layout["shapes"] = shapes
    return {"data": [_trace(mark, chart) for mark in chart.marks], "layout": layout}


def axis(a: Axis) -> Plot:
    """The layout of one axis."""
    out: Plot = {"title": {"text": a.title}} if a.title else {}
    if a.scale == "log":
        out["type"] = "log"
    if a.ticks:
        at = [t for t, _ in a.ticks]
        out["tickvals"] = at if a.scale == "log" else transformed(at, a.scale).tolist()
        out["ticktext"] = [text for _, text in a.ticks]
    if a.categories:
        step = max(1, len(a.categories) // MOST_CATEGORIES)
        out |= {"tickvals": list(range(0, len(a.categories), step)), "ticktext": list(a.categories[::step])}
        out["tickangle"] = -90
    if a.scale == "log" and not a.ticks:
        out |= {"dtick": 1, "exponentformat": "power"}
    if a.limits is not None:
        out["range"] = transformed(a.limits, a.scale).tolist()
    if a.from_zero:
        out["rangemode"] = "tozero"
    if not a.grid:
        out["showgrid"] = False
    return out


def _on(values: Sequence[float], a: Axis) -> list[float]:
    """Values as plotly wants them: it has logarithmic axes, but no square-root ones."""
    numbers: list[float] = (transformed(values, a.scale) if a.scale == "root" else np.asarray(values)).tolist()
    return numbers


def _trace(mark: Points | Line | Segments | Bars | Labels, chart: Chart) -> Plot:
    match mark:
        case Points():
            return _points(mark, chart)
        case Line():
            return _line(mark, chart)
        case Segments():
            x = [v for at in mark.x for v in (at, at, None)]
            y = [v for ends in zip(mark.low, mark.high, strict=True) for v in (*ends, None)]
            line = {"color": f"${mark.colour}", "width": 1}
            return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": line, "hoverinfo": "skip"}
        case Bars():
            return _bars(mark)
        case Labels():
            return _labels(mark, chart)


def _points(mark: Points, chart: Chart) -> Plot:
    trace: Plot = {"type": "scatter", "mode": "markers", "x": _on(mark.x, chart.x), "y": _on(mark.y, chart.y)}
    trace["marker"] = _marker(mark.marker)
    if mark.shapes:
        trace["marker"]["symbol"] = list(mark.shapes)
    if mark.ids:
        trace["ids"] = list(mark.ids)
    if mark.hover:
        trace |= {"text": list(mark.hover), "hovertemplate": "%{text}<extra></extra>"}
    else:
        trace["hoverinfo"] = "none" if mark.ids else "skip"  # the page has a card of its own for designs
    colour = f"${mark.interval_colour or mark.marker.colour}"
    if mark.x_interval:
        trace["error_x"] = _error(mark.x, mark.x_interval, chart.x, colour)
    if mark.y_interval:
        trace["error_y"] = _error(mark.y, mark.y_interval, chart.y, colour)
    if mark.key:
        trace["meta"] = mark.key
    return trace


def _marker(m: Marker) -> Plot:
    look: Plot = {"color": _colour(m.colour), "size": m.size}
    if m.shape != "circle":
        look["symbol"] = m.shape
    if m.edge:
        look["line"] = {"color": _colour(m.edge), "width": m.edge_width}
    return look


def _colour(name: str) -> str:
    return "rgba(0,0,0,0)" if name == "none" else f"${name}"


def _error(centre: Sequence[float], interval: Interval, a: Axis, colour: str) -> Plot:
    """Bars from the centre to both ends; an end on the wrong side of the centre gives no bar."""
    at = np.array(_on(centre, a))
    low, high = (np.array(_on([ends[side] for ends in interval], a)) for side in (0, 1))
    up, down = np.maximum(high - at, 0).tolist(), np.maximum(at - low, 0).tolist()
    look = {"color": colour, "thickness": 1, "width": 0}
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, **look}


def _line(mark: Line, chart: Chart) -> Plot:
    trace: Plot = {"type": "scatter", "mode": "lines", "x": _on(mark.x, chart.x), "y": _on(mark.y, chart.y)}
    trace["line"] = {"color": f"${mark.colour}", "width": mark.width}
    if mark.shape == "hv":
        trace["line"]["shape"] = "hv"
    if mark.opacity < 1:
        trace["opacity"] = mark.opacity
    if mark.ids:
        trace |= {"mode": "lines+markers", "ids": list(mark.ids)}
        trace |= {"marker": {"size": 3.5, "color": f"${mark.colour}"}, "hoverinfo": "none"}
    else:
        trace["hoverinfo"] = "skip"
    return trace


def _bars(mark: Bars) -> Plot:
    across, along = ("y", "x") if mark.horizontal else ("x", "y")
    trace: Plot = {"type": "bar", across: list(mark.names), along: list(mark.values)}
    if mark.horizontal:
        trace["orientation"] = "h"
    trace |= {"marker": {"color": f"${mark.colour}", "line": {"width": 0}}, "textposition": "none"}
    if mark.hover:
        trace |= {"text": list(mark.hover), "hovertemplate": f"%{{{across}}}<br>%{{text}}<extra></extra>"}
    else:
        trace["hovertemplate"] = f"%{{{across}}}, {mark.name}: %{{{along}:.3g}} {mark.unit}<extra></extra>"
    if mark.key != "":
        trace["meta"] = mark.key
    return trace


def _labels(mark: Labels, chart: Chart) -> Plot:
    """Texts of their own trace; one at the rim runs into the margin."""
    sides = label_placement.place(mark, chart.x, chart.y, label_placement.Frame(*NARROWEST, LETTER, MARGIN))
    return {
        "type": "scatter",
        "mode": "markers+text",
        "marker": {"color": _colour("none"), "size": BESIDE},
        "x": _on([x for x, _ in mark.points], chart.x),
        "y": _on([y for _, y in mark.points], chart.y),
        "text": list(mark.texts),
        "textposition": [side.plotly for side in sides],
        "textfont": {"size": LETTER},
        "cliponaxis": False,
        "hoverinfo": "skip",
    }


def _rule(rule: Rule, chart: Chart) -> Plot:
    along = "y" if rule.axis == "x" else "x"
    at = _on([rule.at], chart.x if rule.axis == "x" else chart.y)[0]
    place = {f"{rule.axis}0": at, f"{rule.axis}1": at, f"{along}ref": "paper", f"{along}0": 0, f"{along}1": 1}
    look = {"color": "$muted", "width": 1, **({"dash": "dash"} if rule.dashed else {})}
    return {"type": "line", **place, "line": look}
