"""A finished run in Python: short words, the front as a table, designs by name, and no torch until one is measured."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import dse
from dse.errors import ConfigError
from dse.problem.widths_file import Target, one_of


@pytest.fixture
def picks(small_run: Path) -> dict:
    return json.loads((small_run / "picks.json").read_text())["picks"]


def test_a_run_and_its_designs_have_short_words(small_run: Path, picks: dict):
    run = dse.load(str(small_run))
    for value in (run, run.pick()):
        assert len(repr(value)) < 400
        assert picks[0]["id"] in repr(value)
        assert "<p>" in value._repr_html_()
    assert repr(run.front).count("\n") == len(run.front) + 1  # a line per design, two of heads
    assert "<table" in run.front._repr_html_()


def test_the_front_is_a_table_with_every_pick_and_verified_design(small_run: Path, picks: dict):
    table = dse.load(small_run).front.table
    results = pd.read_csv(small_run / "results.csv").drop_duplicates("id").set_index("id")
    verified = pd.read_csv(small_run / "verified.csv").set_index("id")
    assert set(table.index) == {*results.index[results["on_front"]], *verified.index}
    assert table["memory_bytes"].is_monotonic_increasing
    assert table["memory_bytes"].to_dict() == results.loc[table.index, "memory_bytes"].to_dict()
    known = table[table["status"] == "verified"]
    assert known["drop"].to_dict() == verified.loc[known.index, "expected"].to_dict()
    assert table["searched_drop"].to_dict() == results.loc[table.index, "drop"].to_dict()
    assert "recommended" in table.loc[picks[0]["id"], "name"]
    assert len(dse.load(small_run).designs) == len(results)


def test_the_front_is_drawn_with_the_names_of_picks(small_run: Path):
    front = dse.load(small_run).front
    axes = front.plot("energy")
    assert axes.get_xlabel() == "energy [J]"
    assert {text.get_text() for text in axes.texts} == set(front.table["name"]) - {""}
    with pytest.raises(ConfigError, match="cost is 'weight'; choose from memory, energy"):
        front.plot("weight")


def test_a_pick_has_widths_drops_and_costs_and_rebuilds_itself(small_run: Path, tmp_path: Path, picks: dict):
    design = dse.load(small_run).pick("recommended")
    row = pd.read_csv(small_run / "results.csv").set_index("id").loc[picks[0]["id"]]
    assert design.widths == {c[2:]: row[c] for c in row.index if c.startswith("w:")}
    assert design.costs["energy_j"] == row["energy_j"]
    assert design.drops["verified"]["value"] == picks[0]["verified_drop"]["value"]
    stages = tuple(c[2:] for c in row.index if c.startswith("v:"))
    target = Target(tuple(design.widths), 9, {"state": stages, "stream": (), "between": ()})
    assert one_of(design.save(tmp_path / "bits.json"), target).id == design.id


def test_a_pick_is_exported_and_measured(small_run: Path, tmp_path: Path):
    design = dse.load(small_run).pick("uniform-8")
    assert design.export(tmp_path / "chip").design == design.id
    assert (tmp_path / "chip" / "weights.safetensors").is_file()
    measured = design.evaluate(images=40, split="search").evaluation
    assert measured.drop == design.drops["searched"]["value"]


def test_what_is_no_run_is_one_line(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"config\.yaml: no such file; is .* the --out of a finished"):
        dse.load(tmp_path)


def test_reading_a_run_needs_no_torch(small_run: Path):
    code = f"import sys, dse; run = dse.load({str(small_run)!r}); run.front, run.pick(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
