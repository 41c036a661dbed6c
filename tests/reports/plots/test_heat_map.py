"""The shares above the heat map have their room in pixels, whatever the number of designs."""

from itertools import pairwise

import pytest

from reports.plots.heat_map import BAR_ROOM, MARGINS, TITLE_ROOM, HeatMap, Shares, page_height, plotted

LETTER = 14  # px of a line of text


def layout(rows):
    widths = tuple((2, 4, 8) for _ in range(rows))
    names = tuple(f"d{i}" for i in range(rows))
    shares = tuple(Shares(title, (0.2, 0.3, 0.5), "c0", "of them") for title in ("weights [%]", "synops [%]"))
    palette = {2: "#000000", 4: "#777777", 8: "#ffffff"}
    return plotted(HeatMap(widths, names, names, ("a", "b", "c"), (("block", 0, 2),), palette, shares))["layout"]


@pytest.mark.parametrize("rows", [6, 28, 60])
def test_named_rows_carry_their_text_whatever_the_number_of_rows(rows):
    names = tuple(f"d{i}" for i in range(rows))
    found = HeatMap(((2,),) * rows, names, names, ("a",), (), {2: "#000000"}, (), named=(3, 5))
    labelled = found.labelled(14)
    assert {3, 5} <= set(labelled)
    assert labelled == sorted(set(labelled))
    apart = [b - a for a, b in pairwise(labelled) if (a, b) != (3, 5)]
    assert min(apart) >= max(1, rows // 14)  # texts keep the distance of evenly spaced ones


@pytest.mark.parametrize("rows", [1, 6, 60])
def test_titles_stand_above_their_bars_and_touch_nothing(rows):
    found, inner = layout(rows), page_height(rows) - MARGINS
    weights, synops, cells = ([inner * end for end in found[axis]["domain"]] for axis in ("yaxis2", "yaxis3", "yaxis"))
    titles = {note["text"]: inner * note["y"] for note in found["annotations"]}
    for bars in (weights, synops):
        assert bars[1] - bars[0] == pytest.approx(BAR_ROOM)
    assert titles == {"weights [%]": weights[1], "synops [%]": synops[1]}  # their lower edges
    assert titles["weights [%]"] + TITLE_ROOM <= inner + 1e-9
    assert titles["synops [%]"] + LETTER < weights[0] - LETTER / 2  # below the lowest tick of the bars above
    assert synops[0] - cells[1] > LETTER / 2
    assert {note["xanchor"] for note in found["annotations"]} == {"left"}  # a narrow screen shows the left edge
