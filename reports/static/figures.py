"""Static figures: PNG, SVG and PDF of each, the same bytes for the same numbers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodels.whole_files import write_text
from reports.page.page import Part
from reports.static.pdf import FirstPage, write_pdf

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# control characters of names from outside, which no XML may hold: text is drawn as outlines, with a comment beside it
NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write_figures(out: Path, title: str, first_page: FirstPage | None, parts: Sequence[Part]) -> Iterator[int]:
    """Write figures/NAME.png, .svg and .pdf of every static figure, and all of them as pages of report.pdf.

    Gives the number of parts that are finished, after each.
    """
    from reports.plots.style import styled

    folder = out / "figures"
    folder.mkdir()
    pages: list[tuple[str, str, Figure]] = []
    with styled():
        for done, part in enumerate(parts):
            yield done
            for name, static in part.drawing.figures.items():
                figure = static.draw()
                save(figure, folder / name)
                pages.append((part.title, static.caption, figure))
        write_pdf(out / "report.pdf", title, first_page, pages)
    yield len(parts)


def save(figure: Figure, stem: Path) -> None:
    """Write one figure in three formats; no date goes into the files.

    The canvases write themselves: `savefig` would draw everything twice, once to find out where it lies.
    """
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    if engine := figure.get_layout_engine():
        engine.execute(figure)
    figure.set_layout_engine("none")  # the layout stands; every format would solve it again
    canvas: Any  # the methods that write have no types
    screen, figure.dpi = figure.dpi, rcParams["savefig.dpi"]
    canvas = FigureCanvasAgg(figure)
    canvas.print_png(stem.with_suffix(".png"), metadata={"Software": None})
    figure.dpi = screen
    canvas = FigureCanvasSVG(figure)
    drawn = io.StringIO()
    canvas.print_svg(drawn, metadata={"Date": None})
    write_text(stem.with_suffix(".svg"), NO_XML.sub("", drawn.getvalue()))
    canvas = FigureCanvasPdf(figure)
    canvas.print_pdf(stem.with_suffix(".pdf"), metadata={"CreationDate": None, "ModDate": None})
