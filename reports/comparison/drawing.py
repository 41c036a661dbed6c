"""The page of a comparison: a table of the runs and their fronts in two projections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from reports.comparison.record import ComparedDesign, Comparison, Side
from reports.number_text import cost_text, quantity, share, tidy
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import interactive, printed, style
from reports.plots.description import Chart, Mark, Marker, Points, cost_axis, drop_axis, intervals
from reports.plots.front import AGAINST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "hexagon")
HEAD = (
    *("Run", "Network", "Hardware", "Images", "Float top-1"),
    *("Recommended", "Drop", "Top-1", "Memory", "Energy", ""),
)


def draw(r: Comparison) -> Drawing:
    """Table, two projections, and the warnings."""
    body = html.join(
        *(Markup('<p class="absent">{}</p>').format(w) for w in r.warnings),
        html.table(HEAD, [_row(s) for s in r.sides], numeric=(4, 6, 7, 8, 9)),
        html.key([(f"c{i % 10}", s.name) for i, s in enumerate(r.sides)]),
        html.columns(*(html.plot(f"fronts-{n}", 430, f"Accuracy drop against {n} of every run") for n in AGAINST)),
    )
    plots = {f"fronts-{n}": interactive.plot(chart(r, column)) for n, column in AGAINST.items()}
    caption = "Fronts of all runs with 95 % intervals; designs over a budget of their run are hollow."
    return Drawing(body, plots, {"fronts": StaticFigure(caption, lambda: figure(r))})


def _row(s: Side) -> tuple[str | Markup, ...]:
    recommended = s.recommended_design
    values: tuple[str | Markup, ...] = ("–",) * 4
    if recommended is not None:
        memory, energy = quantity(recommended.memory_bytes, "B"), quantity(recommended.energy_j, "J")
        energy = html.with_band(energy, recommended.energy_band, "J")
        values = (f"{tidy(recommended.drop)} pp", share(recommended.top1), memory, energy)
    named = (s.name, s.network, s.hardware, s.data, share(s.float_top1), s.recommended or "none")
    return (*named, *values, html.verdict(s.verdict))


def chart(r: Comparison, column: str) -> Chart:
    """One projection: the front of every run in its own shape and colour, hollow where a design is over a budget."""
    every = [d for s in r.sides for d in s.front]
    if not every:
        return Chart(())
    marks: list[Mark] = []
    for i, s in enumerate(r.sides):
        shape, colour = SHAPES[i % 8], f"c{i % 10}"
        front = sorted(s.front, key=lambda d: (d.cost(column), d.drop))
        inside, over = ([d for d in front if d.feasible == good] for good in (True, False))
        marks.append(_points(inside, column, Marker(colour, shape, 8), s.name))
        marks.append(_points(over, column, Marker("paper", shape, 8, colour, 1.4), s.name))
    ends = [end for d in every for end in (d.low, d.high)]
    return Chart(tuple(marks), x=cost_axis(column, [d.cost(column) for d in every]), y=drop_axis(ends))


def _points(designs: list[ComparedDesign], column: str, marker: Marker, run: str) -> Points:
    return Points(
        x=[d.cost(column) for d in designs],
        y=[d.drop for d in designs],
        marker=marker,
        name=run,
        hover=[
            f"{run} {d.id}<br>{tidy(d.drop)} pp, {cost_text(d.cost(column), column, d.energy_band)}" for d in designs
        ],
        y_interval=intervals([d.low for d in designs], [d.high for d in designs]),
        interval_colour=marker.edge or marker.colour,
    )


def figure(r: Comparison) -> Figure:
    """Both projections for slides and print."""
    made, axes = style.new(1, 2, height=3.6)
    for ax, column in zip(axes, AGAINST.values(), strict=True):
        printed.draw(ax, chart(r, column))
    handles, labels = axes[0].get_legend_handles_labels()
    unique = {label: handle for handle, label in zip(reversed(handles), reversed(labels), strict=True)}
    made.legend([*reversed(unique.values())], [*reversed(unique)], loc="outside upper center", ncols=3)
    return made
