"""The front plot: accuracy drop against one cost, with baselines, picks and what unseen images said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.plots import interactive, printed
from reports.plots.description import (
    Axis,
    Chart,
    Labels,
    Line,
    Mark,
    Marker,
    Points,
    Rule,
    cost_axis,
)
from reports.plots.interactive import Plot
from reports.plots.scales import drop_ticks, root, square, transformed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AGAINST = {"memory": "memory_bytes", "energy": "energy_j"}


@dataclass(frozen=True)
class FrontPoint:
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

    def cost(self, column: str) -> float:
        """Memory or energy [SI], by its column of results.csv."""
        return self.energy_j if column == "energy_j" else self.memory_bytes


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

    points: tuple[FrontPoint, ...]
    baselines: dict[str, str]
    picks: dict[str, str]
    budgets: dict[str, float]
    edges: dict[str, tuple[str, ...]]
    windows: dict[str, Window]


@dataclass(frozen=True)
class _Kind:
    """One kind of points: its look, the colour of its intervals (empty: none drawn), and its entry in the legend."""

    marker: Marker
    interval: str
    name: str


KINDS = {
    "dominated": _Kind(Marker("faint", size=5), "", "dominated"),
    "dominated over": _Kind(Marker("paper", size=5, edge="faint", edge_width=1), "", "dominated, over a budget"),
    "over": _Kind(Marker("paper", size=7, edge="accent", edge_width=1.4), "accent", "front, over a budget"),
    "front": _Kind(Marker("accent", size=8, edge="paper", edge_width=0.7), "accent", "front, within the budgets"),
    "baseline": _Kind(
        Marker("ink", "diamond", size=9, edge="paper", edge_width=1), "muted", "baseline (N bit: uniform)"
    ),
    "verified": _Kind(Marker("warn", "square", size=7), "warn", "measured on unseen images"),
    "pick": _Kind(Marker("none", size=17, edge="warn", edge_width=2), "", "picked"),
}


def by_kind(r: Front) -> dict[str, list[FrontPoint]]:
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


def baseline_label(p: FrontPoint, r: Front) -> str:
    """The names of a design as a baseline, short: uniform-8-T1 is `8 bit, T=1`, uniform-8-fused is `8 bit, fused`."""
    uniform = re.compile(r"uniform-(\d+)(?:-T(\d+))?(?:-(\w+))?")

    def short(m: re.Match[str]) -> str:
        return f"{m[1]} bit" + (f", T={m[2]}" if m[2] else "") + (f", {m[3]}" if m[3] else "")

    return ", ".join(uniform.sub(short, o) for o, i in r.baselines.items() if i == p.id)


def point_label(p: FrontPoint, r: Front) -> str:
    """The names of a design as a pick and as a baseline."""
    picks = [name for name, i in r.picks.items() if i == p.id]
    return ", ".join([*picks, *filter(None, [baseline_label(p, r)])])


def chart(r: Front, name: str) -> Chart:
    """One projection, in the frame of its window."""
    column = AGAINST[name]
    by_id = {p.id: p for p in r.points}
    edge = [by_id[i] for i in r.edges[name]]
    marks: list[Mark] = [Line([p.cost(column) for p in edge], [p.drop for p in edge], "accent", 1, 0.45, "hv")]
    groups = by_kind(r)
    marks += [_points(kind, points, column) for kind, points in groups.items()]
    named = [p for p in r.points if p.id in {*r.baselines.values(), *r.picks.values()}]
    marks.append(
        Labels(
            [(p.cost(column), p.drop) for p in named],
            [point_label(p, r) for p in named],
            [(p.cost(column), p.drop) for p in r.points if p.on_front],
        )
    )
    w = r.windows[name]
    x, y = _axes(column, (w.cost_low, w.cost_high), (w.drop_low, w.drop_high))
    rules = [Rule("y", r.budgets[key], on_page=False) for key in ("drop",) if key in r.budgets]
    rules += [Rule("x", r.budgets[key], on_page=False) for key in (column,) if key in r.budgets]
    return Chart(tuple(marks), x, y, tuple(rules))


def _points(kind: str, points: Sequence[FrontPoint], column: str) -> Points:
    look = KINDS[kind]
    shown = [p.verified if kind == "verified" and p.verified else (p.drop, p.low, p.high) for p in points]
    return Points(
        x=[p.cost(column) for p in points],
        y=[drop for drop, _, _ in shown],
        marker=look.marker,
        name=look.name,
        ids=() if kind == "pick" else [p.id for p in points],
        y_interval=tuple((low, high) for _, low, high in shown) if look.interval else (),
        interval_colour=look.interval,
        key=kind,
    )


def _axes(column: str, costs: Sequence[float], drops: Sequence[float]) -> tuple[Axis, Axis]:
    """Both axes with a little room around what they show."""
    left, right = transformed([min(costs), max(costs)], "log").tolist()
    bottom, top = root([min(drops), max(drops)]).tolist()
    wide, tall = max(right - left, 0.02), max(top - bottom, 0.1)
    x = cost_axis(column, costs, (10 ** (left - 0.06 * wide), 10 ** (right + 0.1 * wide)))
    limits = square([bottom - 0.05 * tall, top + 0.06 * tall]).tolist()
    ticks = drop_ticks(min(drops), max(drops))
    return x, Axis("accuracy drop [pp]", "root", ticks, limits=(limits[0], limits[1]))


def plotted(r: Front, name: str) -> Plot:
    """One projection for the page; `app.js` adds the selection, moves the budgets and widens the frame."""
    column = AGAINST[name]
    figure = interactive.plot(chart(r, name))
    x, y = _axes(column, [p.cost(column) for p in r.points], [v for p in r.points for v in (p.low, p.high)])
    everything = {"xaxis": interactive.axis(x), "yaxis": interactive.axis(y)}
    figure["layout"] |= {"margin": {"r": 44}}
    figure["layout"]["meta"] = {"cost": column, "budgets": r.budgets, "drop": True, "everything": everything}
    return figure


def figure(r: Front, name: str) -> Figure:
    """One projection for slides and print."""
    return printed.figure(chart(r, name), height=4.0, legend_columns=3)
