"""report.pdf: the decision on the first page, then one figure per page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.number_text import label, quantity, share
from reports.plots import style
from reports.run import BudgetCheck, Saving

if TYPE_CHECKING:
    from matplotlib.figure import Figure

A4 = (8.27, 11.69)  # inch


@dataclass(frozen=True)
class FirstPage:
    """What the first page says: question and answer, (what, name, hash) of the inputs, (name, id, checks) of picks;
    least and greatest of their energy by id [J].
    """

    question: str
    answer: str
    identity: tuple[tuple[str, str, str], ...]
    checks: tuple[tuple[str, str, tuple[BudgetCheck, ...]], ...]
    savings: tuple[Saving, ...]
    energies: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)


def write_pdf(path: Path, title: str, first: FirstPage | None, pages: Sequence[tuple[str, str, Figure]]) -> None:
    """Write the multi-page report; a page is (section, caption, figure)."""
    from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages

    canvas: Any  # the methods that write have no types
    with PdfPages(path, metadata={"Title": title, "CreationDate": None, "ModDate": None}) as pdf:
        if first is not None:
            canvas = FigureCanvasPdf(_first_page(title, first))
            canvas.print_pdf(pdf)
        for number, (section, caption, figure) in enumerate(pages, start=2 if first is not None else 1):
            _place(figure, section, caption, title, number)
            canvas = FigureCanvasPdf(figure)
            canvas.print_pdf(pdf)  # not savefig, which draws twice


def _first_page(title: str, first: FirstPage) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=A4)
    y = 0.94
    figure.text(0.08, y, title, fontsize=16, fontweight="bold", va="top")
    y = _paragraph(figure, first.question, y - 0.045, 9.5, style.MUTED)
    y = _identity(figure, first, y)
    y = _paragraph(figure, first.answer, y - 0.02, 11, style.INK, "bold") - 0.005
    rows: list[tuple[str, ...]] = [("Design", "Quantity", "Budget", "Achieved", "Slack", "Verdict")]
    for name, design, checks in first.checks:
        for i, check in enumerate(checks):
            budget, reached, slack = (quantity(v, check.unit) for v in (check.budget, check.achieved, check.slack))
            if check.quantity == "energy_j" and (band := first.energies.get(design)):
                reached += "\n" + " … ".join(quantity(end, check.unit) for end in band)
            values = budget, reached, slack
            rows.append((f"{name}\n{design}" if i == 0 else "", label(check.quantity), *values, check.verdict))
    sides = ("left", "left", "right", "right", "right", "left")
    y = _rows(figure, rows, y, (0.08, 0.27, 0.56, 0.69, 0.82, 0.84), sides)
    if first.savings:
        rows = [("Saved against", "Memory", "Energy")]
        rows += [(s.against, share(s.memory), share(s.energy)) for s in first.savings]
        _rows(figure, rows, y - 0.03, (0.08, 0.42, 0.56), ("left", "right", "right"))
    return figure


def _identity(figure: Figure, first: FirstPage, y: float) -> float:
    """The inputs of the run with their hashes; gives the place below them."""
    muted: dict[str, Any] = {"color": style.MUTED, "va": "top"}
    for what, name, sha in first.identity:
        figure.text(0.08, y, what, fontsize=8.5, **muted)
        figure.text(0.24, y, name, fontsize=8.5, va="top")
        if sha:
            figure.text(0.92, y, f"sha256 {sha[:16]}", fontsize=7, ha="right", family="monospace", **muted)
        y -= 0.019
    return y


def _paragraph(figure: Figure, content: str, y: float, size: float, colour: str, weight: str = "normal") -> float:
    lines = textwrap.wrap(content, int((800 if weight == "bold" else 940) / size))
    figure.text(0.08, y, "\n".join(lines), fontsize=size, color=colour, fontweight=weight, va="top", linespacing=1.4)
    return y - (len(lines) * size * 1.45 / 72 / A4[1]) - 0.02


def _rows(
    figure: Figure, rows: Sequence[Sequence[str]], y: float, places: Sequence[float], sides: Sequence[str]
) -> float:
    from matplotlib.lines import Line2D

    for n, row in enumerate(rows):
        new_group = n == 0 or row[0] != ""
        if new_group and n > 0:
            figure.add_artist(Line2D([0.08, 0.92], [y + 0.006, y + 0.006], color=style.FAINT, lw=0.5))
        for text, x, side in zip(row, places, sides, strict=True):
            bold = n == 0 or text in ("OK", "REVIEW")
            colour = {"OK": style.SECOND, "REVIEW": style.WARN}.get(text, style.MUTED if n == 0 else style.INK)
            figure.text(
                x, y, text, fontsize=8.5, ha=side, va="top", fontweight="bold" if bold else "normal", color=colour
            )
        lone = rows[n + 1][0] != "" if n + 1 < len(rows) else True
        y -= 0.036 if "\n" in row[0] and lone else 0.024  # two lines of name beside one row of values
    return y


def _place(figure: Figure, section: str, caption: str, title: str, number: int) -> None:
    """Put a finished figure on an A4 page: its content keeps its size, heading above, caption below."""
    width, height = figure.get_size_inches()
    scale_x, scale_y = width / A4[0], height / A4[1]
    left, bottom = (1 - scale_x) / 2, 0.88 - scale_y
    for axes in figure.axes:
        box = axes.get_position(original=False)
        axes.set_position(
            (left + box.x0 * scale_x, bottom + box.y0 * scale_y, box.width * scale_x, box.height * scale_y)
        )
    for legend in figure.legends:
        legend.set_loc("upper center")
        legend.set_bbox_to_anchor((0.5, 0.885), transform=figure.transFigure)
    figure.set_size_inches(*A4)
    figure.text(0.08, 0.945, section, fontsize=14, fontweight="bold", va="top")
    figure.text(0.08, bottom - 0.02, "\n".join(textwrap.wrap(caption, 110)), fontsize=8.5, color=style.MUTED, va="top")
    figure.text(0.08, 0.035, title, fontsize=7, color=style.MUTED)
    figure.text(0.92, 0.035, str(number), fontsize=7, color=style.MUTED, ha="right")
