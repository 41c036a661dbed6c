"""The front plot: drop on unseen images, verified or predicted, against one cost, with baselines and picks."""

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
    """A design on the front plot: drop on unseen images with its 95 % interval [pp], memory [B], energy [J]
    with its band.

    `name` is its name as a baseline; `verified` says whether unseen images were measured: else the drop is predicted,
    or that on the search images where the run has no prediction.
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
    verified: bool
    time_steps: int
    energy_band: tuple[float, float] | None = None

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

    `edges` are the ids that no other design beats in drop and one cost, by cost; `windows` the frames, `corners` those
    of the designs within the budgets.
    """

    points: tuple[FrontPoint, ...]
    baselines: dict[str, str]
    picks: dict[str, str]
    budgets: dict[str, float]
    edges: dict[str, tuple[str, ...]]
    windows: dict[str, Window]
    corners: dict[str, Window]


@dataclass(frozen=True)
class _Kind:
    """One kind of points: its look, and its entry in the legend."""

    marker: Marker
    name: str


KINDS = {
    "dominated": _Kind(Marker("faint", size=5), "dominated"),
    "dominated over": _Kind(Marker("paper", size=5, edge="faint", edge_width=1), "dominated, over a budget"),
    "over": _Kind(Marker("paper", size=7, edge="accent", edge_width=1.4), "front, over a budget"),
    "front": _Kind(Marker("accent", size=8, edge="paper", edge_width=0.7), "front, within the budgets"),
    "verified": _Kind(Marker("warn", size=8, edge="paper", edge_width=0.7), "verified on unseen images"),
    "baseline": _Kind(Marker("ink", size=9, edge="paper", edge_width=1), "baseline (N bit: uniform)"),
    "pick": _Kind(Marker("none", size=17, edge="warn", edge_width=2), "picked, 95 % interval"),
}
SHAPES = ("circle", "square", "triangle-up", "diamond", "star", "hexagon", "triangle-down")


def step_shapes(points: Sequence[FrontPoint]) -> dict[int, str]:
    """The shape of the designs with as many time steps, by that number; the last stands for all that follow."""
    steps = sorted({p.time_steps for p in points})
    return {t: SHAPES[min(i, len(SHAPES) - 1)] for i, t in enumerate(steps)}


def by_kind(r: Front) -> dict[str, list[FrontPoint]]:
    """The points by how they are drawn, bottom layer first; a picked design has a ring as well."""
    named = set(r.baselines.values())
    plain = [p for p in r.points if p.id not in named and not p.verified]
    return {
        "dominated": [p for p in plain if not p.on_front and p.feasible],
        "dominated over": [p for p in plain if not p.on_front and not p.feasible],
        "over": [p for p in plain if p.on_front and not p.feasible],
        "front": [p for p in plain if p.on_front and p.feasible],
        "verified": [p for p in r.points if p.verified and p.id not in named],
        "baseline": [p for p in r.points if p.id in named],
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
    shapes = step_shapes(r.points)
    marks += [_points(kind, points, column, shapes) for kind, points in groups.items()]
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


def _points(kind: str, points: Sequence[FrontPoint], column: str, shapes: dict[int, str]) -> Points:
    look, ring = KINDS[kind], kind == "pick"
    return Points(
        x=[p.cost(column) for p in points],
        y=[p.drop for p in points],
        marker=look.marker,
        name=look.name,
        ids=[p.id for p in points],
        y_interval=tuple((p.low, p.high) for p in points) if ring else (),
        interval_colour="warn" if ring else "",
        key=kind,
        shapes=() if ring else [shapes[p.time_steps] for p in points],
    )


def _axes(column: str, costs: Sequence[float], drops: Sequence[float]) -> tuple[Axis, Axis]:
    """Both axes with a little room around what they show."""
    left, right = transformed([min(costs), max(costs)], "log").tolist()
    bottom, top = root([min(drops), max(drops)]).tolist()
    wide, tall = max(right - left, 0.02), max(top - bottom, 0.1)
    x = cost_axis(column, costs, (10 ** (left - 0.06 * wide), 10 ** (right + 0.1 * wide)))
    limits = square([bottom - 0.05 * tall, top + 0.06 * tall]).tolist()
    ticks = drop_ticks(min(drops), max(drops))
    return x, Axis("drop on unseen images [pp]", "root", ticks, limits=(limits[0], limits[1]))


def plotted(r: Front, name: str) -> Plot:
    """One projection for the page; `app.js` adds the selection, moves the budgets and widens the frame."""
    column, corner = AGAINST[name], r.corners[name]
    figure = interactive.plot(chart(r, name))
    views = {
        "everything": _axes(column, [p.cost(column) for p in r.points], [p.drop for p in r.points]),
        "corner": _axes(column, (corner.cost_low, corner.cost_high), (corner.drop_low, corner.drop_high)),
    }
    axes = {view: {"xaxis": interactive.axis(x), "yaxis": interactive.axis(y)} for view, (x, y) in views.items()}
    figure["layout"] |= {"margin": {"r": 44}}
    figure["layout"]["meta"] = {"cost": column, "budgets": r.budgets, "drop": True, "views": axes}
    return figure


def figure(r: Front, name: str) -> Figure:
    """One projection for slides and print."""
    return printed.figure(chart(r, name), height=4.0, legend_columns=3)
