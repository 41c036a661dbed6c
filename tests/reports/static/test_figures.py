"""Static figures: nothing covers anything, nothing is cut off, one style; the PDF has a page for each."""

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from reports.plots import style
from reports.run import read_run
from reports.sections import all_sections
from reports.static.figures import save
from tests.reports import by_hand
from tests.reports.make_run import make_run

TOUCH = 0.6  # px: boxes of neighbouring tick labels may touch


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every visible text of a drawn figure with its box in pixels; rotated texts by their own outline."""
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = []
    beyond = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }  # ticks outside the axes exist but are not drawn
    for text in figure.findobj(Text):
        if text not in beyond and text.get_visible() and text.get_text().strip():
            box = text.get_window_extent(renderer)
            if box.width > 0 and box.height > 0:
                found.append((text.get_text(), box))
    return found


def covered(found: list[tuple[str, Bbox]]) -> list[tuple[str, str]]:
    """Pairs of texts whose boxes overlap by more than TOUCH in both directions."""
    pairs = []
    for (first, a), (second, b) in combinations(found, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > TOUCH and along > TOUCH:
            pairs.append((first, second))
    return pairs


@pytest.fixture(scope="module", params=["large", "small"])
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figure]:
    """The figures of a run of the 138-layer network, and of one with three layers."""
    out = tmp_path_factory.mktemp("runs") / "run"
    run = read_run(make_run(out, count=60) if request.param == "large" else by_hand.write(out))
    with style.styled():
        drawn = {
            name: static.draw()
            for section in all_sections().values()
            for name, static in section.draw(section.record(run)).figures.items()
        }
        for figure in drawn.values():
            figure.draw_without_rendering()
    return drawn


def test_the_check_notices_texts_on_top_of_each_other():
    with style.styled():
        figure = Figure(figsize=(3, 2))
        figure.text(0.1, 0.5, "first")
        figure.text(0.12, 0.5, "second")
        figure.text(0.1, 0.9, "third")
        assert covered(texts(figure)) == [("first", "second")]


def test_no_text_covers_another_and_none_is_cut_off(figures):
    for name, figure in figures.items():
        found = texts(figure)
        assert covered(found) == [], name
        paper = figure.bbox
        cut = [t for t, b in found if b.x0 < -1 or b.y0 < -1 or b.x1 > paper.x1 + 1 or b.y1 > paper.y1 + 1]
        assert cut == [], name


def test_figures_share_one_width_one_font_and_readable_sizes(figures):
    for name, figure in figures.items():
        assert figure.get_size_inches()[0] == style.TEXT_WIDTH, name
        visible = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
        assert {t.get_fontfamily()[0] for t in visible} == {"DejaVu Sans"}, name
        assert min(t.get_fontsize() for t in visible) >= 4.5, name


def test_axes_of_quantities_name_their_unit(figures):
    for name in ("front_memory", "front_energy"):
        axes = figures[name].axes[0]
        assert axes.get_ylabel() == "drop on unseen images [pp]"
        assert re.search(r"\[[kMGmµnp]?[BJ]\]$", axes.get_xlabel()), axes.get_xlabel()


def test_the_pdf_has_the_decision_and_a_page_for_every_figure(tmp_path: Path):
    import reports

    index = reports.build(by_hand.write(tmp_path / "run"))
    figures = list((index.parent / "figures").glob("*.png"))
    pages = re.findall(rb"/Type /Page\b", (index.parent / "report.pdf").read_bytes())
    assert len(pages) == 1 + len(figures)


NAMES = (
    "--><script>alert(1)</script>",
    "<g onload='x'>&amp;",
    r"$\nosuch{$",
    "$x$ and $",
    "a\x00\x1b[31mb",
    "\ufffe",
)


@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_from_outside_are_text_in_svg(tmp_path):
    with style.styled():
        figure, axes = style.new()
        axes.set_title(NAMES[0])
        axes.set_xlabel(NAMES[1])
        axes.legend([axes.plot([0, len(NAMES)])[0]], [NAMES[2]])
        axes.set_xticks(range(len(NAMES)), NAMES)
        axes.set_xlim(0, len(NAMES))
        save(figure, tmp_path / "names")
    assert "[31m" in (tmp_path / "names.svg").read_text(encoding="utf-8")
    kinds = {element.tag.rpartition("}")[2] for element in ElementTree.parse(tmp_path / "names.svg").iter()}
    assert "path" in kinds
    assert not kinds & {"script", "a", "image", "foreignObject"}
