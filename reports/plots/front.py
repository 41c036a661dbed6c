"""The front plot, interactive and static."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.number_text import NAMES, UNITS
from reports.page.html import Plot
from reports.plots import label_placement

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AGAINST = {"memory": "memory_bytes", "energy": "energy_j"}


NARROWEST = 250.0, 330.0  # px of the frame on a telephone of 390 px; names that are apart there are apart everywhere


@dataclass(frozen=True)
class Point:
    """A design on the front plot: drop with its 95 % interval [pp], memory [B], energy [J].

    `name` is its name as a baseline; `verified` is (drop, low, high) on unseen images.
    """

    id: str
    name: str
    drop: float
    low: float
    high: float
    memory_bytes: float
    energy_j: float
    on_front: bool
    feasible: bool
    verified: tuple[float, float, float] | None


@dataclass(frozen=True)
class Window:
    """The frame of one projection: cost in SI units, drop in pp, and the ids of the designs outside."""

    cost_low: float
    cost_high: float
    drop_low: float
    drop_high: float
    outside: tuple[str, ...]


@dataclass(frozen=True)
class Front:
    """Everything on the front plots, by projection where they differ.

    `edges` are the ids that no other design beats in drop and one cost, by cost; `windows` the frames.
    """

    points: tuple[Point, ...]
    baselines: dict[str, str]
    picks: dict[str, str]
    budgets: dict[str, float]
    edges: dict[str, tuple[str, ...]]
    windows: dict[str, Window]


def kinds(r: Front) -> dict[str, list[Point]]:
    """The points by how they are drawn, bottom layer first; verified and picked designs occur twice."""
    named = set(r.baselines.values())
    plain = [p for p in r.points if p.id not in named]
    return {
        "dominated": [p for p in plain if not p.on_front and p.feasible],
        "dominated over": [p for p in plain if not p.on_front and not p.feasible],
        "over": [p for p in r.points if p.on_front and not p.feasible],
        "front": [p for p in r.points if p.on_front and p.feasible],
        "baseline": [p for p in r.points if p.id in named],
        "verified": [p for p in r.points if p.verified is not None],
        "pick": [p for p in r.points if p.id in set(r.picks.values())],
    }


def label(p: Point, r: Front) -> str:
    """The names of a design as a baseline, short: uniform-8-T1 is `8 bit, T=1`, uniform-8-fused is `8 bit, fused`."""
    uniform = re.compile(r"uniform-(\d+)(?:-T(\d+))?(?:-(\w+))?")

    def short(m: re.Match[str]) -> str:
        return f"{m[1]} bit" + (f", T={m[2]}" if m[2] else "") + (f", {m[3]}" if m[3] else "")

    return ", ".join(uniform.sub(short, o) for o, i in r.baselines.items() if i == p.id)


@dataclass(frozen=True)
class _Axes:
    """Ticks and ranges of one view: costs (logarithmic) and drops (square root)."""

    cost: tuple[float, float]
    cost_ticks: tuple[list[float], list[str]]
    unit: str
    drop: tuple[float, float]
    drop_ticks: list[float]

    @property
    def frame(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top on the transformed axes."""
        from reports.plots.style import root

        left, right = np.log10(self.cost)
        bottom, top = root(self.drop)
        wide, tall = max(right - left, 0.02), max(top - bottom, 0.1)
        return left - 0.06 * wide, right + 0.1 * wide, bottom - 0.05 * tall, top + 0.06 * tall


def _axes(costs: list[float], drops: list[float], unit: str) -> _Axes:
    from reports.plots.style import drop_ticks, units_axis

    costs = [max(c, 1e-30) for c in costs]
    _, prefixed, ticks, texts = units_axis(costs, unit)
    low, high = min(drops), max(drops)
    return _Axes((min(costs), max(costs)), (ticks, texts), prefixed, (low, high), drop_ticks(low, high))


def _window_axes(r: Front, name: str) -> _Axes:
    w = r.windows[name]
    return _axes([w.cost_low, w.cost_high], [w.drop_low, w.drop_high], UNITS[AGAINST[name]])


def _sides(
    r: Front, name: str, view: _Axes, width: float, height: float, size: float, margin: float = 0.0
) -> list[int]:
    """Where the labels of the baselines stand (indices into labels.SIDES), for a frame in points or pixels."""
    from reports.plots.style import root

    left, right, bottom, top = view.frame

    def spot(p: Point) -> tuple[float, float]:
        x = (np.log10(max(getattr(p, AGAINST[name]), 1e-30)) - left) / (right - left)
        return float(x), float((root(p.drop) - bottom) / (top - bottom))

    named = kinds(r)["baseline"]
    others = [spot(p) for p in r.points if p.on_front]
    return label_placement.place(
        [spot(p) for p in named], [label(p, r) for p in named], others, width, height, size, margin
    )


MARKERS: dict[str, dict[str, Any]] = {
    "dominated": {"color": "$faint", "size": 5},
    "dominated over": {"color": "$paper", "size": 5, "line": {"color": "$faint", "width": 1}},
    "over": {"color": "$paper", "size": 7, "line": {"color": "$accent", "width": 1.4}},
    "front": {"color": "$accent", "size": 8, "line": {"color": "$paper", "width": 0.7}},
    "baseline": {"color": "$ink", "size": 9, "symbol": "diamond", "line": {"color": "$paper", "width": 1}},
    "verified": {"color": "$warn", "size": 7, "symbol": "square"},
    "pick": {"color": "rgba(0,0,0,0)", "size": 17, "symbol": "circle", "line": {"color": "$warn", "width": 2}},
}
BARS = {"front": "$accent", "over": "$accent", "baseline": "$muted", "verified": "$warn"}


def _interval(p: Point, kind: str) -> tuple[float, float, float]:
    return p.verified if kind == "verified" and p.verified else (p.drop, p.low, p.high)


def plotted(r: Front, name: str) -> Plot:
    """One projection as an interactive plot; `app.js` adds the selection, moves the budgets and widens the frame."""
    from reports.plots.style import root

    column = AGAINST[name]
    by_id = {p.id: p for p in r.points}
    view = _window_axes(r, name)
    every = _axes([getattr(p, column) for p in r.points], [v for p in r.points for v in (p.low, p.high)], UNITS[column])
    line = [by_id[i] for i in r.edges[name]]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [getattr(p, column) for p in line],
            "y": root([p.drop for p in line]).tolist(),
            "line": {"shape": "hv", "color": "$accent", "width": 1},
            "opacity": 0.45,
            "hoverinfo": "skip",
        }
    ]
    for kind, points in kinds(r).items():
        shown = [_interval(p, kind) for p in points]
        centre = root([s[0] for s in shown])
        trace: dict[str, Any] = {
            "type": "scatter",
            "mode": "markers",
            "ids": [p.id for p in points],
            "x": [getattr(p, column) for p in points],
            "y": centre.tolist(),
            "marker": MARKERS[kind],
            "meta": kind,
        }
        if kind in BARS:
            trace["error_y"] = {
                "type": "data",
                "symmetric": False,
                "array": (root([s[2] for s in shown]) - centre).tolist(),
                "arrayminus": (centre - root([s[1] for s in shown])).tolist(),
                "color": BARS[kind],
                "thickness": 1,
                "width": 0,
            }
        if kind == "baseline":
            sides = [label_placement.SIDES[i][0] for i in _sides(r, name, view, *NARROWEST, 11.0, 36.0)]
            trace["cliponaxis"] = False  # a name at the rim runs into the margin
            trace |= {"mode": "markers+text", "text": [label(p, r) for p in points], "textposition": sides}
            trace["textfont"] = {"size": 11}
        if kind == "pick":
            trace["hoverinfo"] = "skip"
        data.append(trace)
    layout = _view_layout(view, column)
    layout["margin"] = {"r": 44}
    layout["meta"] = {"cost": column, "budgets": r.budgets, "drop": True, "everything": _view_layout(every, column)}
    return {"data": data, "layout": layout}


def _view_layout(view: _Axes, column: str) -> dict[str, Any]:
    from reports.plots.style import root

    left, right, bottom, top = view.frame
    ticks, texts = view.cost_ticks
    cost = {"type": "log", "range": [float(left), float(right)], "tickvals": ticks, "ticktext": texts}
    drop = {
        "range": [float(bottom), float(top)],
        "tickvals": root(view.drop_ticks).tolist(),
        "ticktext": [f"{t:g}".replace("-", "−") for t in view.drop_ticks],
    }
    return {
        "xaxis": {**cost, "title": {"text": f"{NAMES[column].lower()} [{view.unit}]"}},
        "yaxis": {**drop, "title": {"text": "accuracy drop [pp]"}},
    }


def figure(r: Front, name: str) -> Figure:
    """One projection for slides and print."""
    from reports.plots import style

    made, axes = style.new(height=4.0)
    _draw_points(axes, r, name)
    _draw_frame(axes, r, name)
    made.legend(loc="outside upper center", ncols=3)
    return made


def _draw_points(axes: Axes, r: Front, name: str) -> None:
    from reports.plots import style

    column = AGAINST[name]
    by_id = {p.id: p for p in r.points}
    line = [by_id[i] for i in r.edges[name]]
    x, y = [getattr(p, column) for p in line], [p.drop for p in line]
    axes.step(x, y, where="post", color=style.ACCENT, lw=0.7, alpha=0.45)
    looks: dict[str, tuple[str, str, str, float, str]] = {
        "dominated": ("o", style.FAINT, style.FAINT, 2.6, "dominated"),
        "dominated over": ("o", "white", style.FAINT, 2.6, "dominated, over a budget"),
        "over": ("o", "white", style.ACCENT, 3.6, "front, over a budget"),
        "front": ("o", style.ACCENT, style.ACCENT, 3.8, "front, within the budgets"),
        "baseline": ("D", style.INK, style.INK, 4.2, "baseline (N bit: uniform)"),
        "verified": ("s", style.WARN, style.WARN, 3.2, "measured on unseen images"),
        "pick": ("o", "none", style.WARN, 9.0, "picked"),
    }
    for kind, points in kinds(r).items():
        if not points:
            continue
        marker, face, rim, size, legend = looks[kind]
        shown = [_interval(p, kind) for p in points]
        x = [getattr(p, column) for p in points]
        if kind in BARS:
            axes.vlines(x, [s[1] for s in shown], [s[2] for s in shown], color=rim, lw=0.7, alpha=0.7)
        axes.plot(x, [s[0] for s in shown], marker, ms=size, mfc=face, mec=rim, mew=0.8, ls="none", label=legend)


def _draw_frame(axes: Axes, r: Front, name: str) -> None:
    from reports.plots import style

    column = AGAINST[name]
    view = _window_axes(r, name)
    left, right, bottom, top = view.frame
    axes.set_xscale("log")
    style.drop_axis(axes, *view.drop)
    axes.set_xlim(10.0**left, 10.0**right)
    axes.set_ylim(float(style.square(bottom)), float(style.square(top)))
    style.set_cost_ticks(axes, *view.cost_ticks)
    axes.set_xlabel(f"{NAMES[column].lower()} [{view.unit}]")
    axes.grid(True)
    for budget, line_at in (("drop", axes.axhline), (column, axes.axvline)):
        if budget in r.budgets:
            line_at(r.budgets[budget], color=style.MUTED, lw=0.7, ls=(0, (4, 3)), zorder=0)
    named = kinds(r)["baseline"]
    for p, side in zip(named, _sides(r, name, view, 430.0, 215.0, 6.5), strict=True):
        if p.id in r.windows[name].outside:
            continue
        _, across, along, dx, dy = label_placement.SIDES[side]
        axes.annotate(
            label(p, r),
            (getattr(p, column), p.drop),
            (4.5 * dx, 3.5 * dy),
            textcoords="offset points",
            horizontalalignment=across,
            verticalalignment=along,
            fontsize=6.5,
        )
