"""What a plot shows, in the units of its data and without a drawing library.

Colours are the names of the page's CSS variables (`accent`, `c0`, ...); `style.COLOURS` has those for paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from reports.number_text import NAMES, UNITS
from reports.plots.scales import Scale, Ticks, cost_ticks, drop_ticks, root, square, transformed

Interval = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Axis:
    """An axis: either `ticks`, or `categories` at 0, 1, 2, ..., of which a drawer leaves out those without room.

    `limits` are in the units of the data; without them the drawer chooses. `from_zero` sets the lower limit only.
    """

    title: str = ""
    scale: Scale = "linear"
    ticks: Ticks = ()
    categories: tuple[str, ...] = ()
    limits: tuple[float, float] | None = None
    from_zero: bool = False
    grid: bool = True

    def fraction(self, value: float) -> float:
        """Where a value stands between the limits, 0 to 1."""
        assert self.limits is not None
        low, high, at = transformed([*self.limits, value], self.scale)
        return float((at - low) / (high - low))


@dataclass(frozen=True)
class Marker:
    """A point's look; `size` and `edge_width` in px of the page."""

    colour: str
    shape: str = "circle"
    size: float = 7
    edge: str = ""
    edge_width: float = 0


@dataclass(frozen=True)
class Points:
    """Markers with 95 % intervals where there are any; `ids` are designs, `key` names the trace for the page's script.

    `name` is the entry of the legend on paper; `shapes` are those of the single points, where they differ.
    """

    x: Sequence[float]
    y: Sequence[float]
    marker: Marker
    name: str = ""
    ids: Sequence[str] = ()
    hover: Sequence[str] = ()
    x_interval: Interval = ()
    y_interval: Interval = ()
    interval_colour: str = ""
    key: str = ""
    shapes: Sequence[str] = ()


@dataclass(frozen=True)
class Line:
    """A line; `shape` is `hv` for steps; `ids` are the designs of its corners."""

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    width: float = 1
    opacity: float = 1
    shape: Literal["linear", "hv"] = "linear"
    ids: Sequence[str] = ()


@dataclass(frozen=True)
class Segments:
    """A vertical line at every x from `low` to `high`."""

    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    colour: str = "faint"


@dataclass(frozen=True)
class Bars:
    """A bar per name; bars of several series are stacked or lie over each other, as the chart says.

    A bar without a text in `hover` shows its value in `unit`.
    """

    names: Sequence[str]
    values: Sequence[float]
    colour: str
    name: str = ""
    hover: Sequence[str] = ()
    unit: str = ""
    horizontal: bool = True
    key: int | str = ""


@dataclass(frozen=True)
class Labels:
    """Texts beside points, placed so that they cover neither each other nor, where possible, the `obstacles`."""

    points: Sequence[tuple[float, float]]
    texts: Sequence[str]
    obstacles: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Rule:
    """A line across the plot, such as a budget; `on_page` False where the page's script draws it."""

    axis: Literal["x", "y"]
    at: float
    on_page: bool = True
    dashed: bool = True


@dataclass(frozen=True)
class Shade:
    """A shaded span of the horizontal axis with its name."""

    low: float
    high: float
    name: str


Mark = Points | Line | Segments | Bars | Labels


@dataclass(frozen=True)
class Chart:
    """One plot: its marks from the bottom to the top, its axes, and what lies behind them."""

    marks: tuple[Mark, ...]
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    rules: tuple[Rule, ...] = ()
    shade: Shade | None = None
    stacked: bool = False
    title: str = ""


def drop_axis(values: Sequence[float], title: str = "accuracy drop [pp]", grid: bool = True) -> Axis:
    """A square-root axis of drops [pp] that shows all `values`."""
    low, high = min(values), max(values)
    bottom, top = (float(v) for v in root([low, high]))
    room = 0.06 * (top - bottom)
    limits = (float(square(bottom - room)), float(square(top + room)))
    return Axis(title, "root", drop_ticks(low, high), limits=limits, grid=grid)


def cost_axis(column: str, values: Sequence[float], limits: tuple[float, float] | None = None) -> Axis:
    """A logarithmic axis of a cost column of results.csv [SI] that shows all `values`."""
    ticks, unit = cost_ticks([max(v, 1e-30) for v in values], UNITS[column])
    return Axis(f"{NAMES[column].lower()} [{unit}]", "log", ticks, limits=limits)


def intervals(low: Sequence[float], high: Sequence[float]) -> Interval:
    """The ends of intervals, point by point."""
    return tuple(zip(low, high, strict=True))
