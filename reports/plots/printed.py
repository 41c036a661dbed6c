"""A description as matplotlib axes, for slides and paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reports.plots import label_placement, style
from reports.plots.description import Axis, Bars, Chart, Labels, Line, Mark, Points, Segments, Shade
from reports.plots.scales import root, square

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINT = 0.46  # pt of a marker on paper per px of one on the page
LINE = 0.6  # pt of an outline on paper per px on the page
MOST_CATEGORIES = 32  # texts along an axis as wide as the page
SHAPES = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "triangle-down": "v",
    "cross": "P",
    "star": "*",
    "hexagon": "h",
}
LABELS = label_placement.Frame(430.0, 215.0, 6.5)  # pt: the frame of a plot of 7 x 4 inches


def figure(chart: Chart, height: float, legend_columns: int = 0) -> Figure:
    """One plot as a figure of the text's width, `height` inches high, with a legend above where columns are given."""
    made, axes = style.new(height=height)
    draw(axes, chart)
    if legend_columns:
        made.legend(loc="outside upper center", ncols=legend_columns)
    return made


def draw(axes: Axes, chart: Chart) -> None:
    """Draw a plot into empty axes."""
    for a, name in ((chart.x, "x"), (chart.y, "y")):
        if a.scale == "root":
            getattr(axes, f"set_{name}scale")("function", functions=(root, square))
        elif a.scale == "log":
            getattr(axes, f"set_{name}scale")("log")
    if chart.shade is not None:
        _shade(axes, chart.shade)
    _stack(axes, chart)
    for mark in chart.marks:
        _draw_mark(axes, mark, chart)
    for rule in chart.rules:
        across = axes.axvline if rule.axis == "x" else axes.axhline
        across(rule.at, color=style.MUTED, lw=0.7, ls=(0, (4, 3)) if rule.dashed else "-", zorder=0)
    _finish_axes(axes, chart)


def _shade(axes: Axes, shade: Shade) -> None:
    axes.axvspan(shade.low, shade.high, color=style.COLOURS["rule"], lw=0, zorder=0)
    text = axes.text((shade.low + shade.high) / 2, 0.02, shade.name, transform=axes.get_xaxis_transform())
    text.set(ha="center", va="bottom", fontsize=6.5, color=style.MUTED)


def _stack(axes: Axes, chart: Chart) -> None:
    """Bars, stacked on those before them or over each other."""
    ends = np.zeros(1)
    for bars in (m for m in chart.marks if isinstance(m, Bars)):
        names, colour, label = list(bars.names), style.COLOURS[bars.colour], bars.name or None
        start = ends if chart.stacked and len(ends) == len(bars.values) else np.zeros(len(bars.values))
        if bars.horizontal:
            axes.barh(names, bars.values, left=start, color=colour, label=label)
        else:
            axes.bar(names, bars.values, bottom=start, color=colour, label=label)
        ends = start + np.array(bars.values)


def _draw_mark(axes: Axes, mark: Mark, chart: Chart) -> None:
    match mark:
        case Points():
            _points(axes, mark)
        case Line():
            (line,) = axes.plot(mark.x, mark.y, color=style.COLOURS[mark.colour], lw=0.8 * mark.width)
            line.set(alpha=mark.opacity, drawstyle="steps-post" if mark.shape == "hv" else "default")
        case Segments():
            axes.vlines(mark.x, mark.low, mark.high, color=style.COLOURS[mark.colour], lw=0.8)
        case Labels():
            _labels(axes, mark, chart)
        case Bars():
            pass  # drawn before, as a stack needs all of them


def _points(axes: Axes, mark: Points) -> None:
    if not len(mark.x):
        return
    m = mark.marker
    bar = style.COLOURS[mark.interval_colour or m.colour]
    if mark.x_interval:
        axes.hlines(mark.y, *zip(*mark.x_interval, strict=True), color=bar, lw=0.7, alpha=0.7)
    if mark.y_interval:
        axes.vlines(mark.x, *zip(*mark.y_interval, strict=True), color=bar, lw=0.7, alpha=0.7)
    shapes = mark.shapes or [m.shape] * len(mark.x)
    for i, shape in enumerate(dict.fromkeys(shapes)):
        x, y = ([v for v, own in zip(values, shapes, strict=True) if own == shape] for values in (mark.x, mark.y))
        label = mark.name if mark.name and i == 0 else None
        (points,) = axes.plot(x, y, SHAPES[shape], ms=POINT * m.size, label=label)
        points.set(mfc=style.COLOURS[m.colour], mec=style.COLOURS[m.edge or m.colour], mew=LINE * m.edge_width)


def _labels(axes: Axes, mark: Labels, chart: Chart) -> None:
    """Texts beside their points; a point outside the frame has none."""
    sides = label_placement.place(mark, chart.x, chart.y, LABELS)
    for (x, y), text, side in zip(mark.points, mark.texts, sides, strict=True):
        if not (0 <= chart.x.fraction(x) <= 1 and 0 <= chart.y.fraction(y) <= 1):
            continue
        label = axes.annotate(text, (x, y), (4.5 * side.dx, 3.5 * side.dy), textcoords="offset points")
        label.set(horizontalalignment=side.across, verticalalignment=side.along, fontsize=LABELS.size)


def _finish_axes(axes: Axes, chart: Chart) -> None:
    """Limits, ticks, titles and grid."""
    for a, name in ((chart.x, "x"), (chart.y, "y")):
        if a.limits is not None:
            getattr(axes, f"set_{name}lim")(a.limits)
        elif a.from_zero:
            getattr(axes, f"set_{name}lim")(0)
        _ticks(axes, a, name)
        if a.title:
            getattr(axes, f"set_{name}label")(a.title)
        if a.grid:
            (axes.xaxis if name == "x" else axes.yaxis).grid(True)
    if chart.title:
        axes.set_title(chart.title)


def _ticks(axes: Axes, a: Axis, name: str) -> None:
    set_ticks = getattr(axes, f"set_{name}ticks")
    if a.categories:
        step = max(1, len(a.categories) // MOST_CATEGORIES)
        set_ticks(range(0, len(a.categories), step), a.categories[::step], rotation=90, fontsize=5.5)
    elif a.ticks:
        low, high = sorted(getattr(axes, f"get_{name}lim")())
        inside = [(t, text) for t, text in a.ticks if low <= t <= high]
        set_ticks([t for t, _ in inside], [text for _, text in inside])
        getattr(axes, f"{name}axis").set_minor_locator(_no_ticks())


def _no_ticks() -> object:
    from matplotlib.ticker import NullLocator

    return NullLocator()
