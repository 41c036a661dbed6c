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
RUNS = ("Run", "Network", "Chip", "Images", "Float top-1", "Designs")
DESIGNS = (
    *("Run", "Recommended", "Drop on unseen images", "Drop in the search"),
    *("Memory", "Energy", "Latency", "Power", ""),
)
KINDS = {"run": "Run", "configuration": "Configuration"}


def draw(r: Comparison) -> Drawing:
    """What lies between the runs, two projections, and the inputs that differ."""
    body = html.join(
        *(Markup('<p class="absent">{}</p>').format(w) for w in r.warnings),
        html.table(DESIGNS, [_design(s) for s in r.sides], numeric=range(2, 8)),
        html.items(r.gaps),
        html.text(
            "A drop on unseen images is verified if it was measured on them, otherwise predicted by the model of all "
            "measurements. Where a run has neither, only the drop in the search is known. It is too small on "
            "average, because designs were chosen on these images.",
            "lead",
        ),
        html.key([(f"c{i % 10}", s.name) for i, s in enumerate(r.sides)]),
        html.columns(
            *(html.plot(f"fronts-{n}", 430, f"Drop on unseen images against {n} of every run") for n in AGAINST)
        ),
        html.heading("The runs"),
        html.table(RUNS, [_run(s) for s in r.sides], numeric=(4, 5)),
        html.heading("Inputs that differ"),
        _inputs(r),
    )
    plots = {f"fronts-{n}": interactive.plot(chart(r, column)) for n, column in AGAINST.items()}
    caption = (
        "Fronts of all runs by their drop on unseen images, with 95 % intervals; designs over a budget of their run "
        "are hollow."
    )
    return Drawing(body, plots, {"fronts": StaticFigure(caption, lambda: figure(r))})


def _run(s: Side) -> tuple[str, ...]:
    return s.name, s.network, s.hardware, s.data, share(s.float_top1), f"{s.evaluations:,}"


def _design(s: Side) -> tuple[str | Markup, ...]:
    """The recommended design of a run, its drop on unseen images beside that of the search."""
    d = s.recommended_design
    if d is None:
        return (s.name, "none", *("–",) * 6, html.verdict(s.verdict))
    energy = html.with_band(quantity(d.energy_j, "J"), d.energy_band, "J")
    costs = quantity(d.memory_bytes, "B"), energy, quantity(d.latency_s, "s"), quantity(d.power_w, "W")
    return (s.name, d.id, _unseen(s, d), f"{tidy(d.searched)} pp", *costs, html.verdict(s.verdict))


def _unseen(s: Side, d: ComparedDesign) -> str | Markup:
    if d.unseen.status == "searched":
        return "not known"
    how = f"verified, {s.unseen_images:,} images" if d.unseen.status == "verified" else d.unseen.status
    ends = f"{tidy(d.unseen.low)} … {tidy(d.unseen.high)}, 95 %"
    return Markup("{} pp<small>{}</small><small>{}</small>").format(tidy(d.unseen.drop), ends, how)


def _inputs(r: Comparison) -> Markup:
    """A row per input, a column per run."""
    if not r.inputs:
        return html.text("No difference: the runs have the same network, images, configuration and chip.")
    names = [s.name for s in r.sides]
    own = [(KINDS[i.kind], i.name, *i.values) for i in r.inputs if i.kind != "chip"]
    chip = [(i.name, *i.values) for i in r.inputs if i.kind == "chip"]
    parts = [html.table(("Of", "Input", *names), own)] if own else []
    if chip:
        parts.append(html.details(f"Constants of the chip ({len(chip)})", html.table(("Constant", *names), chip)))
    return html.join(*parts)


def chart(r: Comparison, column: str) -> Chart:
    """One projection: the front of every run in its own shape and colour, hollow where a design is over a budget."""
    every = [d for s in r.sides for d in s.front]
    if not every:
        return Chart(())
    marks: list[Mark] = []
    for i, s in enumerate(r.sides):
        shape, colour = SHAPES[i % 8], f"c{i % 10}"
        front = sorted(s.front, key=lambda d: (d.cost(column), d.unseen.drop))
        inside, over = ([d for d in front if d.feasible == good] for good in (True, False))
        marks.append(_points(inside, column, Marker(colour, shape, 8), s.name))
        marks.append(_points(over, column, Marker("paper", shape, 8, colour, 1.4), s.name))
    ends = [end for d in every for end in (d.unseen.low, d.unseen.high)]
    return Chart(
        tuple(marks),
        x=cost_axis(column, [d.cost(column) for d in every]),
        y=drop_axis(ends, "drop on unseen images [pp]"),
    )


def _points(designs: list[ComparedDesign], column: str, marker: Marker, run: str) -> Points:
    return Points(
        x=[d.cost(column) for d in designs],
        y=[d.unseen.drop for d in designs],
        marker=marker,
        name=run,
        hover=[
            f"{run} {d.id}<br>{tidy(d.unseen.drop)} pp {d.unseen.status}, "
            f"{cost_text(d.cost(column), column, d.energy_band)}"
            for d in designs
        ],
        y_interval=intervals([d.unseen.low for d in designs], [d.unseen.high for d in designs]),
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
