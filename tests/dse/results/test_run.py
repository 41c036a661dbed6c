"""A run directory: what is written is read back, and a damaged one is answered in one line."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import sviT_models
from dse.config.schema import Config
from dse.errors import ConfigError
from dse.problem.design import Design
from dse.results.contents import Contents
from dse.results.files import write_csv
from dse.results.places import here
from dse.results.run import open_run, write_run

DESIGNS = [Design(("a", "b"), bits, 2, {"s": 8} if bits[0] < 32 else {}) for bits in ((32, 32), (8, 8), (2, 4))]
TABLE = pd.DataFrame(
    {
        "id": [d.id for d in DESIGNS],
        "origin": ["float", "uniform-8", "posterior"],
        "time_steps": 2,
        "drop": [0.0, 0.1, 1 / 3],
        "memory_bytes": [100.0, 30.0, 10.0],
        "on_front": [False, True, True],
        "v:s": pd.array([None, 8, 8], dtype="Int64"),
        "w:a": [32, 8, 2],
        "w:b": [32, 8, 4],
    }
)
SPIKES = pd.DataFrame({"id": TABLE["id"], "s:first": [1.5, 2.0, 2.5], "s:second": [0.0, 1 / 3, 9.0]})
CONTENTS = Contents(
    config=Config(frame_rate=25.0),
    manifest={"seed": 7, "chaos": {"needed_images": 300}},
    results=TABLE,
    hardware=pd.DataFrame({"key": ["x"], "value": [1.0]}),
    breakdown=pd.DataFrame({"id": [TABLE["id"][1]], "value": [2.0]}),
    layers={"unfused": pd.DataFrame({"name": ["a", "b"]}), "fused": pd.DataFrame({"name": ["ab"]})},
    spikes=SPIKES,
    verified=pd.DataFrame({"id": [TABLE["id"][2]], "drop": 0.5, "drop_low": 0.0, "drop_high": 1.0, "images": 90}),
)


@pytest.fixture
def path(tmp_path):
    write_run(tmp_path / "run", CONTENTS)
    return tmp_path / "run"


def test_what_is_written_is_read_back(path):
    run = open_run(path)
    assert run.config == CONTENTS.config
    assert run.manifest == {**CONTENTS.manifest, "paths_from": here(path)}
    pd.testing.assert_frame_equal(run.table, TABLE.astype({"v:s": float}), check_dtype=False, rtol=0, atol=0)
    assert run.lif_layers == ("first", "second")
    assert run.spike_counts.tolist() == SPIKES[["s:first", "s:second"]].to_numpy().tolist()
    assert run.verified[TABLE["id"][2]].images == 90
    assert run.expected is None
    assert [run.design(d.id) for d in DESIGNS] == DESIGNS
    assert run.design("uniform-8").weight_bits == (8, 8)


def test_every_file_has_its_name_and_nothing_else_is_left(path):
    expected = {"config.yaml", "manifest.json", "results.csv", "front.csv", "hardware.csv", "breakdown.csv"}
    expected |= {"layers.csv", "layers-fused.csv", "spikes.csv", "verified.csv"}
    assert {p.name for p in path.iterdir()} == expected
    # sorted by memory, without the float network
    assert pd.read_csv(path / "front.csv")["memory_bytes"].tolist() == [10.0, 30.0]


def test_a_write_that_fails_leaves_the_old_file_whole(path, monkeypatch):
    before = (path / "results.csv").read_bytes()

    def full(table, file, **options):
        file.write_text("id,ori")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OSError, match="No space left"):
        write_run(path, CONTENTS)
    assert (path / "results.csv").read_bytes() == before
    assert not list(path.glob(".*"))


def test_a_design_with_integers_of_its_own_is_kept_once_and_found(path):
    run, parent = open_run(path), TABLE.iloc[2]
    assert run.weights("posterior") is None
    codes = {name: torch.tensor([[-1, 0], [1, 1]], dtype=torch.int8) for name in "ab"}
    weights = {
        name: sviT_models.QuantizedWeight(codes[name], torch.tensor([0.5, 0.25]), bits, torch.zeros(2))
        for name, bits in zip("ab", (2, 4), strict=True)
    }
    row = parent.to_dict() | {"id": "ft1", "origin": "finetuned", "parent": parent["id"]}
    for gain in (0.25, 0.5):
        folder = run.add_tuned(row | {"verify_gain_drop": gain}, {"id": "ft1"}, weights)
    assert json.loads((folder / "design.json").read_text()) == {"id": "ft1"}
    tuned = open_run(path).tuned[["id", "parent", "verify_gain_drop"]]
    assert tuned.to_numpy().tolist() == [["ft1", parent["id"], 0.5]]
    found = open_run(path).weights("finetuned")
    for name, bits in zip("ab", (2, 4), strict=True):
        assert found[name].bits == bits
        assert torch.equal(found[name].codes, codes[name])
    assert open_run(path).design("ft1") == DESIGNS[2]


def test_a_design_that_is_not_there_is_named_with_those_that_are(path):
    with pytest.raises(ConfigError, match=r"--design none: no such id in .*results\.csv; there are float, uniform-8"):
        open_run(path).row("none")


def _cut(name, text):
    return lambda path: (path / name).write_text(text)


DAMAGES = [
    (lambda path: (path / "spikes.csv").unlink(), r"spikes\.csv: no such file; is .* the --out of a finished"),
    (_cut("manifest.json", '{"seed": '), r"manifest\.json: is no JSON .*; search again"),
    (_cut("manifest.json", "[1]"), r"manifest\.json: expected an object, not list; search again"),
    (_cut("results.csv", ""), r"results\.csv: is not a table .*; search again"),
    (_cut("results.csv", "id,origin\nx,float\n"), r"results\.csv: has no column 'time_steps'"),
    (_cut("results.csv", 'id,origin,time_steps\n"x'), r"results\.csv: is not a table .*; search again"),
    (_cut("results.csv", "id,origin,time_steps\n"), r"results\.csv: has no rows; search again"),
    (_cut("results.csv", "id,origin,time_steps\nx,null,1\n"), r"results\.csv:2: origin is nan; expected a name"),
    (
        _cut("results.csv", "id,origin,time_steps,energy_j\nx,float,1,0.0\n"),
        r"results\.csv:2: energy_j is 0\.0; expected a number above 0",
    ),
    (_cut("results.csv", "id,origin,time_steps\nx,float,0\n"), r"results\.csv:2: time_steps is 0; expected"),
    (_cut("results.csv", "id,origin,time_steps,w:a\nx,float,1,33\n"), r"results\.csv:2: w:a is 33; expected"),
    (
        _cut("results.csv", "id,origin,time_steps,drop\nx,float,1,~\n"),
        r"results\.csv:2: drop is ~; expected a number",
    ),
    (_cut("results.csv", "id,origin,time_steps,fits\nx,float,1,no\n"), r"results\.csv:2: fits is no; expected True or"),
    (
        lambda path: TABLE.assign(drop=[0.0, None, 1.0]).to_csv(path / "results.csv", index=False),
        r"results\.csv:3: drop is nan; expected a number",
    ),
    (
        lambda path: TABLE.drop(columns="drop").to_csv(path / "results.csv", index=False),
        r"results\.csv: has no column 'drop', which every run has; search again",
    ),
    (_cut("spikes.csv", "id,s:first\nx,1\n"), r"spikes\.csv: its designs are not those of results\.csv; search again"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_damaged_run_is_one_line_with_file_and_remedy(path, damage, message):
    damage(path)
    with pytest.raises(ConfigError, match=message) as error:
        open_run(path)
    assert "\n" not in str(error.value)


def test_a_design_that_was_verified_twice_is_named(path):
    """Found by the campaign: the last row again."""
    table = (path / "verified.csv").read_text().splitlines()
    (path / "verified.csv").write_text("\n".join([*table, table[-1]]))
    design = table[-1].partition(",")[0]
    with pytest.raises(ConfigError, match=rf"verified\.csv:{len(table) + 1}: design {design} is listed twice"):
        _ = open_run(path).verified


def test_an_id_that_looks_like_a_number_stays_text(tmp_path):
    table = TABLE.assign(id=["0123456789", "12e3456789", "1234567890"])
    write_run(tmp_path, Contents(**vars(CONTENTS) | {"results": table, "spikes": SPIKES.assign(id=table["id"])}))
    assert open_run(tmp_path).table["id"].tolist() == table["id"].tolist()
    assert np.isclose(open_run(tmp_path).row("0123456789")["memory_bytes"], 100.0)


def test_formulas_in_tables_are_text(tmp_path):
    table = pd.DataFrame({"class": ["=1+1", "-3", "b"], "images": [1, 2, None], "x": [1, None, True]})
    write_csv(tmp_path / "classes.csv", table)
    assert (tmp_path / "classes.csv").read_text() == "class,images,x\n'=1+1,1.0,1\n-3,2.0,\nb,,True\n"


@pytest.mark.parametrize("name", ["../../secret", "/secret", "..", "a/b"])
def test_an_id_never_leads_out_of_the_run(tmp_path, name):
    """A design that was fine-tuned has a folder of its id: that of a run from elsewhere may be any text."""
    (tmp_path / "secret").mkdir()
    named = {"results": TABLE.replace(TABLE["id"][2], name), "spikes": SPIKES.replace(TABLE["id"][2], name)}
    run = write_run(tmp_path / "some" / "run", replace(CONTENTS, **named, verified=None))
    with pytest.raises(ConfigError, match=r"results.csv: id .* cannot name a folder; search again"):
        run.weights("posterior")
    with pytest.raises(ConfigError, match="cannot name a folder"):
        run.add_tuned({**run.table.iloc[2], "id": name}, {}, {})
    assert list((tmp_path / "secret").iterdir()) == []
