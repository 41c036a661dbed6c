"""What a section hands over to the page, and the small pieces of HTML that sections share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from reports.number_text import quantity
from reports.plots.interactive import Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class StaticFigure:
    """A figure for slides and print: `draw` makes it, `caption` says what it shows in one sentence."""

    caption: str
    draw: Callable[[], Figure]


@dataclass(frozen=True)
class Drawing:
    """A drawn section: its HTML, the plots that fill its `plot` places, and its static figures, by name."""

    html: Markup
    plots: Mapping[str, Plot] = field(default_factory=dict)
    figures: Mapping[str, StaticFigure] = field(default_factory=dict)


def join(*parts: str | Markup) -> Markup:
    """Pieces of HTML one after the other; plain text is escaped."""
    return Markup("\n").join(parts)


def text(content: str, kind: str = "") -> Markup:
    """A paragraph."""
    return Markup('<p class="{}">{}</p>').format(kind, content)


def heading(content: str) -> Markup:
    """A heading inside a section."""
    return Markup("<h3>{}</h3>").format(content)


def plot(name: str, height: int, description: str, wide: bool = False) -> Markup:
    """A place for an interactive plot, `height` pixels high; a wide one scrolls sideways on a narrow screen."""
    return Markup(
        '<div class="plot-frame{}"><div class="plot" id="plot-{}" data-plot="{}" style="height:{}px" role="img" '
        'aria-label="{}"></div></div>'
    ).format(" wide" if wide else "", name, name, height, description)


def columns(*parts: Markup) -> Markup:
    """Pieces side by side where there is room."""
    cells = Markup("").join(Markup("<div>{}</div>").format(p) for p in parts)
    return Markup('<div class="columns">{}</div>').format(cells)


def table(
    head: Sequence[str | Markup],
    rows: Iterable[Sequence[str | Markup]],
    caption: str = "",
    numeric: Sequence[int] = (),
    kind: str = "",
) -> Markup:
    """A table; `numeric` are the columns aligned to the right."""

    def cell(i: int, content: str | Markup) -> Markup:
        mark = Markup(' class="number"') if i in numeric else Markup("")
        return Markup("<td{}>{}</td>").format(mark, content)

    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(cell(i, c) for i, c in enumerate(row))) for row in rows
    )
    titles = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(Markup(' class="number"') if i in numeric else "", h)
        if h
        else Markup("<td></td>")  # a heading without words would be read aloud as one
        for i, h in enumerate(head)
    )
    top = Markup("<caption>{}</caption>").format(caption) if caption else Markup("")
    return Markup(
        '<div class="scroll"><table class="{}">{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(kind, top, titles, body)


def items(lines: Iterable[str]) -> Markup:
    """A list of sentences."""
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(line) for line in lines))


def details(title: str, content: Markup) -> Markup:
    """Content that opens on request (and is always open in print)."""
    return Markup("<details><summary>{}</summary>{}</details>").format(title, content)


def not_measured(what: str, command: str) -> Markup:
    """Says what this run lacks and which command would add it."""
    return Markup('<p class="absent">Not measured in this run: {}. {}</p>').format(what, code_in(command))


def code_in(sentence: str) -> Markup:
    """A sentence in which `...` becomes code."""
    pieces = sentence.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(pieces))


def verdict(word: str) -> Markup:
    """OK or REVIEW as a badge with a sign, so that it does not hang on colour."""
    sign = "✓" if word == "OK" else "!"
    return Markup('<span class="verdict {}"><span aria-hidden="true">{}</span> {}</span>').format(
        word.lower(), sign, word
    )


def with_band(value: str, band: tuple[float, float] | None, unit: str) -> str | Markup:
    """A value in words with the least and the greatest of it below; alone where no band, or NaN, is known."""
    if band is None or band[0] != band[0]:
        return value
    return Markup("{}<small>{} … {}</small>").format(value, *(quantity(end, unit) for end in band))


def design_link(design: str, tab_stop: bool = True) -> Markup:
    """A design's id that selects it everywhere on the page; without a tab stop where its row is one."""
    skipped = "" if tab_stop else Markup(' tabindex="-1"')
    return Markup('<button type="button" class="design" data-select="{}"{}>{}</button>').format(design, skipped, design)


def key(entries: Iterable[tuple[str, str]]) -> Markup:
    """The legend of a plot: (marker class, what it stands for)."""
    items = Markup("").join(Markup('<li><i class="mark {}"></i>{}</li>').format(m, t) for m, t in entries)
    return Markup('<ul class="key">{}</ul>').format(items)
