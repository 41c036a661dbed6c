"""The front: accuracy drop against memory and against energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from reports import drawing
from reports.designs import Design, designs
from reports.drawing import Drawing, Plot, StaticFigure
from reports.run import Run
from reports.text import NAMES, UNITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Pareto front"
AGAINST = {"memory": "memory_bytes", "energy": "energy_j"}


@dataclass(frozen=True)
class Point:
    """A design on the front plot: drop with its 95 % interval [pp], memory [B], energy [J].

    `name` is its name as a baseline or pick; `verified` is (drop, low, high) on unseen images.
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
class Front:
    """Everything on the front plots. `edges` are the ids that no other design beats in one projection, by cost."""

    points: tuple[Point, ...]
    baselines: dict[str, str]
    picks: dict[str, str]
    budgets: dict[str, float]
    edges: dict[str, tuple[str, ...]]


def record(run: Run) -> Front:
    """The points of both projections, and which of them form the edge of each."""
    every = designs(run)
    points = tuple(_point(d) for d in every)
    searched = [p for p in points if p.id != run.baselines.get("float")]
    return Front(
        points=points,
        baselines=dict(run.baselines),
        picks={str(p["name"]): str(p["id"]) for p in run.picks["picks"]},
        budgets=run.budgets,
        edges={name: edge(searched, column) for name, column in AGAINST.items()},
    )


def _point(d: Design) -> Point:
    verified = None if d.verified is None else (d.verified.drop, d.verified.low, d.verified.high)
    return Point(
        id=d.id,
        name=d.baseline,
        drop=d.drop,
        low=d.drop_low,
        high=d.drop_high,
        memory_bytes=d.memory_bytes,
        energy_j=d.energy_j,
        on_front=d.on_front,
        feasible=d.feasible,
        verified=verified,
    )


def edge(points: Sequence[Point], column: str) -> tuple[str, ...]:
    """Ids of the points that none beats in drop and one cost together, by rising cost."""
    best, kept = float("inf"), []
    for p in sorted(points, key=lambda p: (getattr(p, column), p.drop, p.id)):
        if p.drop < best:
            best = p.drop
            kept.append(p.id)
    return tuple(kept)


LEGEND = (
    ("front", "on the front, within the budgets, 95 % interval"),
    ("front hollow", "on the front, over a budget"),
    ("dominated", "dominated"),
    ("baseline", "baseline"),
    ("verified", "measured on unseen images"),
    ("pick", "picked"),
)


def draw(r: Front) -> Drawing:
    """Both projections, the budget sliders and the card of the selected design."""
    html = drawing.join(
        drawing.text(
            "Every evaluated design. Down and to the left is better. The front is that of three objectives, so a "
            "front design may lie behind the edge of one projection. The drop axis is a square root, the cost axis "
            "is logarithmic. Click a point, or step through the front with the arrow keys, to follow one design "
            "through the whole report.",
            "lead",
        ),
        Markup('<div id="sliders" class="sliders" role="group" aria-label="Budgets"></div>'),
        drawing.key(LEGEND),
        drawing.columns(
            *(
                drawing.plot(f"front-{n}", 430, f"Accuracy drop against {n}; the front table holds the same numbers")
                for n in AGAINST
            )
        ),
        Markup('<div id="card" class="card" aria-live="polite"></div>'),
    )
    plots = {f"front-{name}": plotted(r, name) for name in AGAINST}
    figures = {
        f"front_{name}": StaticFigure(
            f"Accuracy drop against {NAMES[column].lower()}, with 95 % intervals; every baseline is named.",
            lambda name=name: figure(r, name),  # type: ignore[misc]  # binds the loop variable
        )
        for name, column in AGAINST.items()
    }
    return Drawing(html, plots, figures)


def _kinds(r: Front) -> dict[str, list[Point]]:
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


MARKERS: dict[str, dict[str, Any]] = {
    "dominated": {"color": "$faint", "size": 5},
    "dominated over": {"color": "$paper", "size": 5, "line": {"color": "$faint", "width": 1}},
    "over": {"color": "$paper", "size": 7, "line": {"color": "$accent", "width": 1.4}},
    "front": {"color": "$accent", "size": 8, "line": {"color": "$paper", "width": 0.7}},
    "baseline": {"color": "$ink", "size": 9, "symbol": "diamond", "line": {"color": "$paper", "width": 1}},
    "verified": {"color": "$warn", "size": 7, "symbol": "square"},
    "pick": {"color": "rgba(0,0,0,0)", "size": 17, "symbol": "circle", "line": {"color": "$warn", "width": 2}},
}


def plotted(r: Front, name: str) -> Plot:
    """One projection as an interactive plot; `app.js` adds the selection and moves the budget lines."""
    from reports.style import root, units_axis

    column = AGAINST[name]
    by_id = {p.id: p for p in r.points}
    positive = [max(getattr(p, column), 1e-30) for p in r.points]
    _, unit, ticks, texts = units_axis(positive, UNITS[column])
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
    for kind, points in _kinds(r).items():
        shown = [p.verified if kind == "verified" and p.verified else (p.drop, p.low, p.high) for p in points]
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
        if kind in ("front", "over", "baseline", "verified"):
            trace["error_y"] = {
                "type": "data",
                "symmetric": False,
                "array": (root([s[2] for s in shown]) - centre).tolist(),
                "arrayminus": (centre - root([s[1] for s in shown])).tolist(),
                "color": {"baseline": "$muted", "verified": "$warn"}.get(kind, "$accent"),
                "thickness": 1,
                "width": 0,
            }
        if kind == "baseline":
            trace |= {
                "mode": "markers+text",
                "text": [_label(p, r) for p in points],
                "textposition": _sides(points, column),
            }
        if kind == "pick":
            trace["hoverinfo"] = "skip"
        data.append(trace)
    layout = {
        "xaxis": {
            "type": "log",
            "tickvals": ticks,
            "ticktext": texts,
            "title": {"text": f"{NAMES[column].lower()} [{unit}]"},
        },
        "yaxis": _drop_axis(r),
        "meta": {"cost": column, "budgets": r.budgets, "drop": True},
    }
    return {"data": data, "layout": layout}


def _sides(points: Sequence[Point], column: str) -> list[str]:
    """Where the label of a baseline stands: to the left of the one that is farthest to the right."""
    farthest = max((getattr(p, column) for p in points), default=0.0)
    return ["top left" if getattr(p, column) == farthest else "top right" for p in points]


def _label(p: Point, r: Front) -> str:
    return ", ".join(o.replace("uniform-", "uniform ") for o, i in r.baselines.items() if i == p.id)


def _drop_axis(r: Front) -> dict[str, Any]:
    from reports.style import drop_ticks

    ticks = drop_ticks(min(p.low for p in r.points), max(p.high for p in r.points))
    return {
        "tickvals": [(-1 if t < 0 else 1) * abs(t) ** 0.5 for t in ticks],
        "ticktext": [f"{t:g}".replace("-", "−") for t in ticks],
        "title": {"text": "accuracy drop [pp]"},
    }


def figure(r: Front, name: str) -> Figure:
    """One projection for slides and print."""
    from reports import style

    made, axes = style.new(height=3.9)
    _draw_points(axes, r, name)
    made.legend(loc="outside upper center", ncols=3)
    return made


def _draw_points(axes: Axes, r: Front, name: str) -> None:
    from reports import style

    column = AGAINST[name]
    _, unit, ticks, texts = style.units_axis([max(getattr(p, column), 1e-30) for p in r.points], UNITS[column])
    by_id = {p.id: p for p in r.points}
    line = [by_id[i] for i in r.edges[name]]
    axes.set_xscale("log")
    style.drop_axis(axes, min(p.low for p in r.points), max(p.high for p in r.points))
    axes.step(
        [getattr(p, column) for p in line], [p.drop for p in line], where="post", color=style.ACCENT, lw=0.7, alpha=0.45
    )
    looks: dict[str, tuple[str, str, str, float, str]] = {
        "dominated": ("o", style.FAINT, style.FAINT, 2.6, "dominated"),
        "dominated over": ("o", "white", style.FAINT, 2.6, "dominated, over a budget"),
        "over": ("o", "white", style.ACCENT, 3.6, "front, over a budget"),
        "front": ("o", style.ACCENT, style.ACCENT, 3.8, "front, within the budgets"),
        "baseline": ("D", style.INK, style.INK, 4.2, "baseline"),
        "verified": ("s", style.WARN, style.WARN, 3.2, "measured on unseen images"),
        "pick": ("o", "none", style.WARN, 9.0, "picked"),
    }
    for kind, points in _kinds(r).items():
        if not points:
            continue
        marker, face, rim, size, legend = looks[kind]
        shown = [p.verified if kind == "verified" and p.verified else (p.drop, p.low, p.high) for p in points]
        x = [getattr(p, column) for p in points]
        if kind in ("front", "over", "baseline", "verified"):
            axes.vlines(x, [s[1] for s in shown], [s[2] for s in shown], color=rim, lw=0.7, alpha=0.7)
        axes.plot(x, [s[0] for s in shown], marker, ms=size, mfc=face, mec=rim, mew=0.8, ls="none", label=legend)
    for p in _kinds(r)["baseline"]:
        left = getattr(p, column) == max(getattr(b, column) for b in _kinds(r)["baseline"])
        axes.annotate(
            _label(p, r),
            (getattr(p, column), p.drop),
            (-4 if left else 5, 5),
            textcoords="offset points",
            horizontalalignment="right" if left else "left",
            fontsize=6.5,
        )
    limits = (("drop", axes.axhline), (column, axes.axvline))
    for budget, line_at in limits:
        if budget in r.budgets:
            line_at(r.budgets[budget], color=style.MUTED, lw=0.7, ls=(0, (4, 3)), zorder=0)
    style.set_cost_ticks(axes, ticks, texts)
    axes.set_xlabel(f"{NAMES[column].lower()} [{unit}]")
    axes.grid(True)
