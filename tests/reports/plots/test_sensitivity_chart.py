"""The chart of the precision study by layer type and stage."""

from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from reports import ReportError, draw_sensitivity
from reports.plots.sensitivity_chart import precision_study

TABLE = pd.DataFrame(
    [
        ("weight", "a", "SepConv", "block1", 2, 0.5, 0.04),
        ("weight", "a", "SepConv", "block1", 4, 0.1, 0.01),
        ("weight", "b", "SepConv", "block2", 2, 0.2, 0.02),
        ("weight", "c", "SepConv", "block2", 2, 0.3, 0.03),
        ("weight", "d", "MLP", "block2", 2, 0.0, 0.0),
        ("weight", "d", "MLP", "block2", 32, 0.0, 0.0),
        ("type", "MLP", "MLP", "", 2, 9.0, 9.0),
        ("state", "v:block1", "state", "block1", 4, 9.0, 9.0),
    ],
    columns=["kind", "group", "type", "stage", "bits", "kl", "score"],
)


def test_groups_are_collected_by_type_width_and_stage():
    found = precision_study(TABLE)
    assert (found.quantity, found.stages) == ("kl", ("block1", "block2"))
    assert {p.type: p.values for p in found.panels} == {
        "SepConv": {2: {"block1": (0.5,), "block2": (0.2, 0.3)}, 4: {"block1": (0.1,)}},
        "MLP": {2: {"block2": (0.0,)}},
    }


def test_without_measurements_the_scores_are_drawn():
    found = precision_study(TABLE[TABLE["kind"] == "weight"].drop(columns=["kind", "kl"]))
    assert found.quantity == "score"
    assert found.panels[0].values[2]["block2"] == (0.02, 0.03)


def test_the_drawing_names_types_stages_and_widths(tmp_path: Path):
    draw_sensitivity(TABLE, tmp_path / "new" / "chart.svg")
    text = (tmp_path / "new" / "chart.svg").read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    for word in ("SepConv", "MLP", "block1", "block2", "2 bit", "4 bit", "KL divergence [nat]"):
        assert word in text


def test_a_chart_without_the_wider_widths_says_so(tmp_path: Path):
    wide = [TABLE.iloc[:6].assign(bits=bits) for bits in (2, 3, 4, 8)]
    draw_sensitivity(pd.concat(wide, ignore_index=True), tmp_path / "chart.svg")
    text = (tmp_path / "chart.svg").read_text()
    assert "the narrowest of 2, 3, 4, 8 bit" in text
    assert "4 bit" in text
    assert "<!-- 8 bit -->" not in text
    draw_sensitivity(TABLE, tmp_path / "all.svg")
    assert "narrowest" not in (tmp_path / "all.svg").read_text()


def test_mistakes_are_named(tmp_path: Path):
    with pytest.raises(ReportError, match=r"unknown format '\.jpg'"):
        draw_sensitivity(TABLE, tmp_path / "chart.jpg")
    with pytest.raises(ReportError, match="nothing to draw"):
        precision_study(TABLE[TABLE["bits"] == 32])
