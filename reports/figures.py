"""Static figures: PNG, SVG and PDF of each, the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.page import Part
from reports.pdf import write_pdf

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_figures(out: Path, title: str, decision: Any, parts: Sequence[Part]) -> None:
    """Write figures/NAME.png, .svg and .pdf of every static figure, and all of them as pages of report.pdf."""
    from reports.style import styled

    folder = out / "figures"
    folder.mkdir()
    pages: list[tuple[str, str, Figure]] = []
    with styled():
        for part in parts:
            for name, static in part.drawing.figures.items():
                figure = static.draw()
                save(figure, folder / name)
                pages.append((part.title, static.caption, figure))
        write_pdf(out / "report.pdf", title, decision, pages)


def save(figure: Figure, stem: Path) -> None:
    """Write one figure in three formats; no date goes into the files."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the layout stands; every further format would solve it again
    figure.savefig(stem.with_suffix(".png"), metadata={"Software": None})
    figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None, "ModDate": None})
