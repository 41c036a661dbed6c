"""One description, two drawers: points, intervals, ticks and rules have the same values on the page and on paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from reports.plots import interactive, printed
from reports.plots.description import Axis, Bars, Chart, Line, Marker, Points, Rule, cost_axis, drop_axis, intervals
from reports.plots.scales import drop_ticks, root, square

DROPS, LOW, HIGH, COSTS = [0.25, 1.0, 4.0], [0.0, 0.36, 2.25], [1.0, 2.25, 9.0], [1e3, 2e3, 5e3]
CHART = Chart(
    (
        Line(COSTS, DROPS, "accent", shape="hv"),
        Points(COSTS, DROPS, Marker("warn", "square"), "designs", ("a", "b", "c"), y_interval=intervals(LOW, HIGH)),
    ),
    x=cost_axis("memory_bytes", COSTS, (900.0, 6000.0)),
    y=drop_axis([*LOW, *HIGH]),
    rules=(Rule("y", 2.0),),
)


def paper(chart: Chart) -> Figure:
    figure = Figure()
    printed.draw(figure.subplots(), chart)
    return figure


def test_the_page_has_the_square_roots_and_paper_has_an_axis_of_square_roots():
    line, points = interactive.plot(CHART)["data"]
    assert points["x"] == COSTS
    assert points["y"] == pytest.approx([0.5, 1.0, 2.0])
    assert points["error_y"]["array"] == pytest.approx([0.5, 0.5, 1.0])  # up to 1, 1.5 and 3
    assert points["error_y"]["arrayminus"] == pytest.approx([0.5, 0.4, 0.5])  # down to 0, 0.6 and 1.5
    assert line["line"]["shape"] == "hv"
    axes = paper(CHART).axes[0]
    steps, markers = axes.lines[:2]
    assert steps.get_drawstyle() == "steps-post"
    np.testing.assert_allclose(markers.get_xydata(), np.column_stack([COSTS, DROPS]))
    bars = axes.collections[0].get_segments()
    assert [tuple(bar[:, 1]) for bar in bars] == list(zip(LOW, HIGH, strict=True))
    height = axes.transData.transform(np.column_stack([COSTS, DROPS]))[:, 1]
    assert (height[2] - height[1]) / (height[1] - height[0]) == pytest.approx(2.0)  # 2 - 1 over 1 - 0.5


def test_ticks_titles_and_rules_are_the_same_on_both():
    layout, axes = interactive.plot(CHART)["layout"], paper(CHART).axes[0]
    assert axes.get_xlabel() == layout["xaxis"]["title"]["text"] == "memory [kB]"
    shown = dict(zip(layout["yaxis"]["ticktext"], layout["yaxis"]["tickvals"], strict=True))
    on_paper = {t.get_text(): float(root(v)) for t, v in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert on_paper == pytest.approx(shown)
    assert layout["shapes"][0]["y0"] == pytest.approx(2**0.5)
    assert axes.lines[2].get_ydata()[0] == 2.0


def test_stacked_bars_start_where_the_others_end():
    parts = (Bars(["x", "y"], [1.0, 2.0], "c0", "first"), Bars(["x", "y"], [3.0, 4.0], "c1", "second"))
    stacked = Chart(parts, x=Axis("energy [J]"), stacked=True)
    assert interactive.plot(stacked)["layout"]["barmode"] == "stack"
    assert [bar.get_x() for bar in paper(stacked).axes[0].patches] == [0, 0, 1, 2]
    beside = Chart(parts)
    assert interactive.plot(beside)["layout"]["barmode"] == "overlay"
    assert [bar.get_x() for bar in paper(beside).axes[0].patches] == [0, 0, 0, 0]


@given(st.floats(-100, 100))
def test_square_undoes_the_root(drop):
    assert float(square(root(drop))) == pytest.approx(drop, abs=1e-9)


@given(st.floats(-50, 50), st.floats(0.01, 100))
def test_ticks_of_drops_lie_inside_and_apart(low, span):
    ticks = drop_ticks(low, low + span)
    values = [value for value, _ in ticks]
    assert values == sorted(values)
    assert all(float(text.replace("−", "-")) == value for value, text in ticks)
    width = float(root(low + span) - root(low))
    assert all(b - a >= 0.045 * width - 1e-9 for a, b in zip(root(values), root(values)[1:], strict=False))
