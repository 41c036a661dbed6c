"""How much one cost of the recommended design changes over the range of each constant."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports.number_text import label, listed, tidy
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import interactive, printed
from reports.plots.description import Axis, Bars, Chart, Rule
from reports.run import Swing

MOST_BARS = 14


@dataclass(frozen=True)
class Tornado:
    """A cost and its swings, the widest first."""

    objective: str
    swings: tuple[Swing, ...]

    @property
    def moved(self) -> tuple[Swing, ...]:
        """The constants that change this cost at all."""
        return tuple(swing for swing in self.swings if swing.low or swing.high)


def tornado(objective: str, swings: tuple[Swing, ...]) -> Tornado:
    """The swings of a cost in the order in which they are drawn."""
    return Tornado(objective, tuple(sorted(swings, key=lambda s: -abs(s.high - s.low))))


def draw(tornados: tuple[Tornado, ...]) -> Drawing:
    """A chart per cost that a constant changes, and one sentence for all others."""
    parts: list[Markup] = []
    plots, figures = {}, {}
    for place, each in enumerate(shown for shown in tornados if shown.moved):
        name = "tornado" if not place else f"tornado_{each.objective}"
        own, plots[name], figures[name] = _one(name, each)
        parts += own
    if still := [label(each.objective).lower() for each in tornados if each.swings and not each.moved]:
        parts.append(html.text(f"No constant of the chip changes {listed(still)}."))
    return Drawing(html.join(*parts), plots, figures)


def _one(name: str, shown: Tornado) -> tuple[list[Markup], dict[str, object], StaticFigure]:
    """Heading, lead, key and frame of one chart; what the page draws in it, and the printed figure."""
    objective, bars = label(shown.objective), min(len(shown.moved), MOST_BARS)
    left = len(shown.moved) - MOST_BARS
    further = f" The {left} narrowest are in report.json." if left > 1 else ""
    further = " The narrowest is in report.json." if left == 1 else further
    body = [
        html.heading(f"{objective} when one constant changes over its range"),
        html.text(f"Bars show the relative change at the low and at the high end of the range.{further}", "lead"),
        html.key((("box c4", "low end"), ("box c0", "high end"))),
        html.plot(name, 90 + 26 * bars, f"Relative change of the {objective.lower()} per constant"),
    ]
    drawn = chart(shown)
    plot = interactive.plot(drawn)
    plot["layout"]["yaxis"] |= {"tickfont": {"size": 10}}
    caption = f"Relative change of the {objective.lower()} when one constant changes over its range."
    return body, plot, StaticFigure(caption, lambda: printed.figure(drawn, 1.0 + 0.24 * bars, legend_columns=2))


def chart(shown: Tornado) -> Chart:
    """Two bars per constant, the widest at the top."""
    rows = shown.moved[:MOST_BARS][::-1]
    names = [s.constant for s in rows]
    low = [f"low end ({s.range}): {tidy(100 * s.low, 1)} %" for s in rows]
    high = [f"high end ({s.range}): {tidy(100 * s.high, 1)} %" for s in rows]
    return Chart(
        (
            Bars(names, [100 * s.low for s in rows], "c4", "low end", hover=low),
            Bars(names, [100 * s.high for s in rows], "c0", "high end", hover=high),
        ),
        x=Axis(f"change of the {label(shown.objective).lower()} [%]"),
        y=Axis(grid=False),
        rules=(Rule("x", 0.0, dashed=False),),
    )
