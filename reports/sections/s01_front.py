"""The front: drop on unseen images against memory and against energy."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from reports.number_text import NAMES, cost_text, quantity
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import front
from reports.plots.front import AGAINST, Front, FrontPoint, Window
from reports.run import Design, FinishedRun

TITLE = "Pareto front"
VIEWS = {"corner": "Designs within the budgets", "decision": "Around the decision", "everything": "Everything"}
LEAST_CAP = 10.0  # pp; the frame shows at least this much drop, and four budgets where that is more


def record(run: FinishedRun) -> Front:
    """The points of both projections, and which of them form the edge of each."""
    points = tuple(_point(d) for d in run.designs)
    searched = [p for p in points if p.id != run.baselines.get("float")]
    return Front(
        points=points,
        baselines=dict(run.baselines),
        picks={p.name: p.id for p in run.picks.picks},
        budgets=run.picks.budgets,
        edges={name: edge(searched, column) for name, column in AGAINST.items()},
        windows={name: window(points, run, column) for name, column in AGAINST.items()},
        corners={name: corner(points, run, column) for name, column in AGAINST.items()},
    )


def window(points: Sequence[FrontPoint], run: FinishedRun, column: str) -> Window:
    """The part of a projection where the decision falls: no float network, no design that lost far too much."""
    cap = max(LEAST_CAP, 4 * run.picks.budgets.get("drop", 0.0))
    float_id = run.baselines.get("float")
    picked = {p.id for p in run.picks.picks}
    inside = [p for p in points if p.id in picked or (p.id != float_id and p.drop <= cap)] or list(points)
    costs = [p.cost(column) for p in inside]
    shown = [e for p in inside for e in ((p.low, p.high) if p.id in picked else (p.drop,))]
    high = min(max(*shown, run.picks.budgets.get("drop", 0.0)), max(cap, *(p.drop for p in inside)))
    low = min(*shown, 0.0)
    reach = max(costs) * 1.3
    beyond = [p for p in points if p.drop > high or p.cost(column) > reach]
    if float_id is not None and all(p.id != float_id for p in beyond):  # it fits after all
        costs += [p.cost(column) for p in points if p.id == float_id]
    return Window(min(costs), max(costs), low, high, tuple(p.id for p in beyond))


def corner(points: Sequence[FrontPoint], run: FinishedRun, column: str) -> Window:
    """The part of a projection that holds the designs within the budgets, and the picks with their intervals."""
    picked = {p.id for p in run.picks.picks}
    limit = run.picks.budgets.get("drop", LEAST_CAP)
    float_id = run.baselines.get("float")
    good = [p for p in points if p.id in picked or (p.id != float_id and p.feasible and p.drop <= limit)]
    shown = good or list(points)
    costs = [p.cost(column) for p in shown]
    drops = [e for p in shown for e in ((p.low, p.high) if p.id in picked else (p.drop,))]
    ends = min(*drops, 0.0), max(*drops, run.picks.budgets.get("drop", 0.0))
    return Window(min(costs), max(costs), *ends, ())


def _point(d: Design) -> FrontPoint:
    return FrontPoint(
        id=d.id,
        name=d.baseline,
        drop=d.unseen.drop,
        low=d.unseen.low,
        high=d.unseen.high,
        memory_bytes=d.memory_bytes,
        energy_j=d.energy_j,
        on_front=d.on_front,
        feasible=d.feasible,
        verified=d.verified is not None,
        time_steps=d.time_steps,
        energy_band=d.energy_band,
    )


def edge(points: Sequence[FrontPoint], column: str) -> tuple[str, ...]:
    """Ids of the points that none beats in drop and one cost together, by rising cost."""
    best, kept = float("inf"), []
    for p in sorted(points, key=lambda p: (p.cost(column), p.drop, p.id)):
        if p.drop < best:
            best = p.drop
            kept.append(p.id)
    return tuple(kept)


LEGEND = (
    ("front", "on the front, within the budgets"),
    ("front hollow", "on the front, over a budget"),
    ("dominated", "dominated"),
    ("verified", "verified on unseen images"),
    ("baseline", "baseline; “4 bit” has that width in every layer"),
    ("pick", "picked, with its 95 % interval"),
)


def legend(r: Front) -> tuple[tuple[str, str], ...]:
    """The kinds of points, and the shapes by time steps where there is more than one."""
    shapes = front.step_shapes(r.points)
    steps = tuple((f"shape {shape}", f"T = {t}") for t, shape in shapes.items()) if len(shapes) > 1 else ()
    return LEGEND + steps


def draw(r: Front) -> Drawing:
    """Both projections, the budget sliders and the card of the selected design."""
    outside = Markup("").join(
        Markup('<p class="lead">{}</p>').format(said) for said in (outside_text(r, n) for n in AGAINST) if said
    )
    views = Markup("").join(
        Markup('<button type="button" data-view="{}" aria-pressed="{}">{}</button> ').format(
            view, "true" if view == "decision" else "false", text
        )
        for view, text in VIEWS.items()
    )
    body = html.join(
        html.text(
            "All evaluated designs by drop on unseen images: verified if measured on them, otherwise predicted by "
            "the model of all measurements. Lower left is better. The front has three objectives, so a front design "
            "may lie behind the edge of one projection. The drop axis is a square "
            "root, the cost axis is logarithmic. Bars are the 95 % intervals of the picks and of the selected "
            "design. Click a point, or step through the front with the arrow keys, to follow one design through the "
            "whole report; the address of the page keeps the selection and the sliders.",
            "lead",
        ),
        Markup('<div id="sliders" class="sliders" role="group" aria-label="Budgets"></div>'),
        html.key(legend(r)),
        Markup('<p class="tools" role="group" aria-label="Part of the plots">{}</p>').format(views),
        html.columns(
            *(
                html.plot(f"front-{n}", 430, f"Drop on unseen images against {n}; the numbers are in the front table")
                for n in AGAINST
            )
        ),
        outside,
        Markup('<div id="card" class="card" aria-live="polite"></div>'),
    )
    plots = {f"front-{name}": front.plotted(r, name) for name in AGAINST}
    return Drawing(body, plots, {f"front_{name}": _static(r, name) for name in AGAINST})


def _static(r: Front, name: str) -> StaticFigure:
    shown = f"Drop on unseen images against {NAMES[AGAINST[name]].lower()}; 95 % intervals of the picks."
    return StaticFigure(f"{shown} {outside_text(r, name)}".strip(), lambda: front.figure(r, name))


def outside_text(r: Front, name: str) -> str:
    """Says what lies outside the frame of a projection, baselines by name; empty where everything is inside."""
    by_id = {p.id: p for p in r.points}
    column = AGAINST[name]
    beyond = [by_id[i] for i in r.windows[name].outside]
    if not beyond:
        return ""
    named = [
        f"{front.baseline_label(p, r)} ({cost_text(p.cost(column), column, p.energy_band)}, {quantity(p.drop, 'pp')})"
        for p in beyond
        if front.baseline_label(p, r)
    ]
    others = len(beyond) - len(named)
    if others:
        named.append(f"{others} more design{'s' if others > 1 else ''}")
    return f"Outside the frame of drop against {name}: {', '.join(named)}."
