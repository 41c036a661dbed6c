"""Widths of the user's own: every layout gives the same design, every mistake is one line with its place."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dse.errors import ConfigError
from dse.problem.design import Design
from dse.problem.widths_file import Target, one_of, read_widths, write_widths

STAGES = ("stem", "block1")
OTHERS = {"state": STAGES, "stream": ("stem",), "between": STAGES}
TARGET = Target(("stem.conv", "block1.fc", "head"), 4, OTHERS)
DESIGN = Design(TARGET.layers, (8, 3, 4), 2, {"block1": 6})
WHOLE = "layer,bits\nhead,4\nstem.conv,8\nblock1.fc,3\n"
LAYOUTS = {
    "long.csv": "layer,bits\nhead,4\nstem.conv,8\nblock1.fc,3\ntime_steps,2\nv:block1,6\n",
    "wide.csv": "id,drop,time_steps,v:stem,v:block1,w:stem.conv,w:block1.fc,w:head\nabc,0.5,2,,6,8,3,4\n",
    "sections.json": json.dumps(
        {"time_steps": 2, "weights": {"stem.conv": 8, "block1.fc": 3, "head": 4}, "states": {"block1": 6}}
    ),
    "report.json": json.dumps(
        [{"id": "abc", "time_steps": 2, "v:block1": 6, "w:stem.conv": 8, "w:block1.fc": 3, "w:head": 4}]
    ),
    "bare.yaml": "time_steps: 2\nstem.conv: 8\nblock1.fc: 3\nhead: 4\nv:block1: 6\n",
}


@pytest.mark.parametrize(("name", "text"), LAYOUTS.items(), ids=LAYOUTS)
def test_every_layout_gives_the_same_design(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text)
    assert one_of(tmp_path / name, TARGET) == DESIGN


@pytest.mark.parametrize("ending", ["csv", "json", "yaml"])
def test_what_is_written_is_read_back_with_the_same_id(tmp_path: Path, ending: str):
    path = tmp_path / f"bits.{ending}"
    for design in (DESIGN, replace(DESIGN, stream_bits={"stem": 8}, between_bits={"block1": 12})):
        write_widths(path, design)
        assert read_widths(path, TARGET) == {design.id: design}


def test_time_steps_that_a_file_does_not_give_are_the_networks(tmp_path: Path):
    (tmp_path / "bits.csv").write_text("layer,bits\nhead,4\nstem.conv,8\nblock1.fc,3\n")
    assert one_of(tmp_path / "bits.csv", TARGET) == Design(TARGET.layers, (8, 3, 4), 4)


def test_one_of_several_designs_is_named(tmp_path: Path):
    path = tmp_path / "front.csv"
    path.write_text("id,w:stem.conv,w:block1.fc,w:head\na,8,8,8\nb,4,4,4\n")
    assert one_of(path, TARGET, name="b").weight_bits == (4, 4, 4)
    with pytest.raises(ConfigError, match=r"front\.csv: has 2 designs \(a, b, \.\.\.\); name one with --design"):
        one_of(path, TARGET)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "layer,bits\nhead,4\nstem.conv,8\n", "has no width for block1.fc (1 of 3 are missing)"),
        ("x.csv", "layer,bits\nhed,4\n", "the network has no weight layer 'hed'; did you mean 'head'?"),
        ("x.csv", "layer,bits\nhead,9\nstem.conv,8\nblock1.fc,3\n", "head is 9; choose from 1, 2, 3,"),
        ("x.csv", "layer,bits\nhead,wide\nstem.conv,8\nblock1.fc,3\n", "head is wide; choose from"),
        (
            "x.csv",
            "layer,bits\nhead,4\nstem.conv,8\nblock1.fc,3\nv:blok1,8\n",
            "v:blok1: no 'blok1' has such widths; did you mean 'block1'?",
        ),
        ("x.csv", "layer,bits\nhead,4\nstem.conv,8\nblock1.fc,3\ntime_steps,0\n", "time_steps is 0; choose from 1 to"),
        ("x.csv", "a,b\n1,2\n", "has columns a, b; expected layer,bits"),
        ("x.csv", "", "has no rows"),
        ("x.json", "{", "is no JSON"),
        ("x.json", "[]", "expected widths by layer"),
        ("x.yaml", "- 8\n- 4\n", "expected widths by layer"),
        ("x.yaml", "a: [", "not valid YAML"),
        ("x.txt", "8", "expected a name that ends in .csv, .json, .yaml or .yml"),
    ],
)
def test_a_mistake_is_one_line_with_the_file(tmp_path: Path, name: str, text: str, message: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as error:
        one_of(tmp_path / name, TARGET)
    assert str(tmp_path / name) in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"--widths .*none\.csv: no such file"):
        one_of(tmp_path / "none.csv", TARGET)


def test_designs_of_two_forms_have_the_layers_of_theirs(tmp_path):
    """As in results.csv of a search over forms: a design's row is empty where its form has no such layer."""
    fused = Target(("a.fused", "c"), 4, TARGET.others)
    path = tmp_path / "both.csv"
    head = list(dict.fromkeys(["id", "form", *(f"w:{name}" for name in (*TARGET.layers, *fused.layers))]))
    rows = [{"id": "u", "form": "unfused"} | {f"w:{n}": "8" for n in TARGET.layers}]
    rows += [{"id": "f", "form": "fused"} | {f"w:{n}": "4" for n in fused.layers}]
    lines = [",".join(head), *(",".join(row.get(name, "") for name in head) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = read_widths(path, TARGET, fused)
    assert (found["u"].layers, found["f"].layers) == (TARGET.layers, fused.layers)
    assert found["f"].weight_bits == (4, 4)
