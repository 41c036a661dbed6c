"""`svit-dse export` and `verify-export` on a small run."""

import json
import re
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest

import costmodels
import sviT_models
from dse import cli
from dse.errors import ConfigError
from dse.workflows.export import export_design
from sviT_models.integer_network.read import content_hash


@pytest.fixture
def run(integer_run):
    return integer_run


def test_an_export_has_the_accuracy_that_the_search_recorded(run, tmp_path):
    row = pd.read_csv(run / "results.csv").query("origin == 'random'").iloc[0]
    found = export_design(run, row["id"], tmp_path / "chip", golden=3)
    assert found.states_given
    assert found.top1 == row["top1"] == found.recorded
    images = sviT_models.load_data("digits", "search", count=40)
    logits = sviT_models.load_export(tmp_path / "chip").run(images.images.numpy()).logits
    assert (logits.argmax(1) == images.labels.numpy()).mean() == row["top1"]
    assert sviT_models.verify_export(tmp_path / "chip")["mismatches"].sum() == 0
    notes = json.loads((tmp_path / "chip" / "specification.json").read_text())["notes"]
    assert notes["design"] == row["id"]


def test_mistakes(run, tmp_path):
    with pytest.raises(ConfigError, match="no such id"):
        export_design(run, "nobody", tmp_path / "chip")
    with pytest.raises(ConfigError, match="no such file"):
        export_design(tmp_path, "nobody", tmp_path / "chip")
    with pytest.raises(ConfigError, match="40 images"):
        export_design(run, "uniform-4", tmp_path / "chip", golden=41)
    assert not (tmp_path / "chip").exists()


def test_a_design_with_float_potentials_says_how_it_was_exported(run, tmp_path):
    found = export_design(run, "float", tmp_path / "chip")
    assert not found.states_given
    assert "float potentials; exported with 16 bits" in found.lines()[-1]


def command(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["svit-dse", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr()
    return end.value.code or 0, told.out, told.err


def test_the_commands_and_their_mistakes(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    out = tmp_path / "chip"
    assert command(monkeypatch, capsys, "export", run, "--design", "uniform-4", "--out", out, "--golden", 2)[0] == 0
    status, told, _ = command(monkeypatch, capsys, "verify-export", out)
    assert (status, "0 mismatches" in told) == (0, True)
    (out / "weights.safetensors").write_bytes(b"x")
    for words, said in (
        (("verify-export", out), "changed or damaged"),
        (("verify-export", tmp_path), "no such file"),
        (("export", run, "--design", "nobody", "--out", tmp_path / "b"), "no such id"),
        (("export", run, "--design", "uniform-4", "--out", out), "already there"),
    ):
        status, _, told = command(monkeypatch, capsys, *words)
        assert (status, said in told, told.count("\n")) == (2, True, 1)


def test_the_sums_that_an_export_shows_decide_which_accumulators_are_wide_enough(run, tmp_path, monkeypatch, capsys):
    """An accumulator of the widest observed sum holds the design; what shapes could need at most is wider, so that
    without the export it does not fit; one bit less is too narrow for that layer, and the message names it.
    """
    out = tmp_path / "chip"
    assert command(monkeypatch, capsys, "export", run, "--design", "uniform-4", "--out", out)[0] == 0
    table = pd.DataFrame(json.loads((out / "specification.json").read_text())["accumulators"]).set_index("layer")
    widest, layer = int(table["observed_bits"].max()), table["observed_bits"].idxmax()

    def fits(bits, *words):
        text = (Path(costmodels.__file__).parent / "chips" / "generic_45nm.yaml").read_text()
        own, old = tmp_path / f"own_{bits}.yaml", re.search(r"accumulator_bits: \{value: \d+", text).group()
        own.write_text(text.replace(old, f"accumulator_bits: {{value: {bits}"))
        status, told, _ = command(monkeypatch, capsys, "estimate", "--run", run, "--hardware", own, *words, "--json")
        assert status == 0
        return json.loads(told)[0]

    assert fits(widest, "--export", out)["feasible"]
    by_shapes = fits(widest, "--design", "uniform-4")
    assert not by_shapes["feasible"]
    narrow = fits(widest - 1, "--export", out)
    assert (narrow["feasible"], len(narrow["reasons"])) == (False, 1)
    assert f"{layer} has sums of up to {widest} bits; compute.accumulator_bits is {widest - 1}" in narrow["reasons"][0]
    assert narrow["energy_j"] == fits(widest - 1, "--design", "uniform-4")["energy_j"]


def test_an_export_is_checked_before_it_is_costed(run, tmp_path, monkeypatch, capsys):
    out = tmp_path / "chip"
    assert command(monkeypatch, capsys, "export", run, "--design", "uniform-4", "--out", out)[0] == 0
    for words, said in (
        (("sdtv2_8_256", "--export", out), "--export"),
        (("--run", run, "--export", out, "--design", "uniform-8"), "--design: not with --export"),
        (("--run", run, "--export", tmp_path), "no such file"),
    ):
        status, _, told = command(monkeypatch, capsys, "estimate", *words)
        assert (status, said in told, told.count("\n")) == (2, True, 1), told
    spec = json.loads((out / "specification.json").read_text())
    spec["notes"]["design"] = "another"
    spec["sha256"] = content_hash(spec)
    (out / "specification.json").write_text(json.dumps(spec))
    status, _, told = command(monkeypatch, capsys, "estimate", "--run", run, "--export", out)
    assert (status, "is not an export from" in told, told.count("\n")) == (2, True, 1), told


def test_an_onnx_model_stands_beside_the_integers_and_is_verified_with_them(run, tmp_path, monkeypatch, capsys):
    out = tmp_path / "chip"
    words = ("export", run, "--design", "uniform-4", "--golden", 2, "--format", "qonnx", "--out", out)
    status, told, _ = command(monkeypatch, capsys, *words)
    assert (status, "network.onnx: the same as an ONNX model" in told) == (0, True)
    status, told, _ = command(monkeypatch, capsys, "verify-export", out)
    assert (status, "also of network.onnx in onnxruntime" in told, "0 mismatches" in told) == (0, True, True)
    status, told, _ = command(monkeypatch, capsys, "verify-export", out, "--json")
    names = [row["name"] for row in json.loads(told)]
    assert {"logits", "network.onnx: logits"} <= set(names)
    assert len(names) == 2 * (len(names) // 2)


def test_a_format_that_cannot_be_written_leaves_nothing(run, tmp_path, monkeypatch, capsys):
    words = ("export", run, "--design", "uniform-4", "--out", tmp_path / "chip", "--format")
    status, _, told = command(monkeypatch, capsys, *words, "qonx")
    assert (status, "did you mean 'qonnx'?" in told, told.count("\n")) == (2, True, 1)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnx", None)
        status, _, told = command(monkeypatch, capsys, *words, "qonnx")
    assert (status, "install svit-dse[onnx]" in told, told.count("\n")) == (2, True, 1)
    with monkeypatch.context() as patch:
        patch.setattr("sviT_models.integer_network.onnx_model.MOST", 1000)
        status, _, told = command(monkeypatch, capsys, *words, "qonnx")
    assert (status, "2 GB" in told, told.count("\n")) == (2, True, 1)
    assert not (tmp_path / "chip").exists()


@pytest.mark.parametrize("tool", ["modelopt", "torchao"])
def test_the_widths_as_the_configuration_of_a_library(run, tmp_path, monkeypatch, capsys, tool):
    words = ("export", run, "--design", "uniform-4", "--format", tool, "--out")
    assert command(monkeypatch, capsys, *words, tmp_path / "bits.json")[0] == 0
    assert "4" in (tmp_path / "bits.json").read_text()
    for given, said in (
        ((tmp_path / "bits.yaml",), "ends in .json"),
        ((tmp_path / "b.json", "--golden", 2), "leave out --golden"),
    ):
        status, _, told = command(monkeypatch, capsys, *words, *given)
        assert (status, said in told, told.count("\n")) == (2, True, 1)
