"""Sensitivity, fine-tuning and export on the command line: from a configuration to integers that are verified."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

import sviT_models
from dse import cli
from tests.conftest import INTEGER
from tests.dse.commands.test_cli import WEIGHTS


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "my.yaml"
    path.write_text(INTEGER)
    return path


@pytest.fixture(scope="module")
def run(integer_run, tmp_path_factory):
    """Own copy: designs are fine-tuned into it."""
    return shutil.copytree(integer_run, tmp_path_factory.mktemp("runs") / "small")


def test_sensitivity_scores_every_group_at_every_width(svit, config):
    told = svit("sensitivity", config, "--json", "--out", "scores.csv")
    assert (told.status, told.err) == (0, "")
    rows = pd.DataFrame(json.loads(told.out))
    assert len(rows) == 12 * 2  # 5 downsamplings, 4 ConvBlocks, 2 stages of blocks, the head; two widths
    assert rows["score"].gt(0).all()
    # rounding twice as coarsely can only harm more: the scores are squared errors
    wide = rows.pivot_table(index="group", columns="bits", values="score")
    assert (wide[2] > wide[4]).all()
    written = pd.read_csv("scores.csv")
    np.testing.assert_allclose(written["score"], rows["score"], rtol=1e-12)
    plain = svit("sensitivity", config, "--most", 3, "--chart", "chart.png")
    assert plain.status == 0
    assert Path("chart.png").read_bytes().startswith(b"\x89PNG")
    wrong = svit("sensitivity", config, "--chart", "chart.jpg")
    assert (wrong.status, wrong.err) == (
        2,
        "svit-dse: --chart chart.jpg: unknown format; name a file that ends in .png, .svg, .pdf\n",
    )
    assert "3 of 12 groups, most sensitive first" in plain.out
    worst = wide.sort_values(2, ascending=False).index[:3]
    assert all(group in plain.out for group in worst)


def test_the_measured_study_and_its_base_setting(svit, config):
    told = svit("sensitivity", config, "--measure", "--out", "table.csv", "--base", "base.json", "--share", 0.8)
    assert (told.status, told.err) == (0, "")
    assert "base setting; loss in percentage points" in told.out
    table, base = pd.read_csv("table.csv"), json.loads(Path("base.json").read_text())
    # 12 groups x 2 widths, 4 types x 2, 11 stages with neurons x 2 state widths, one other number of time steps
    assert table["kind"].value_counts().to_dict() == {"weight": 24, "type": 8, "state": 22, "time_steps": 1}
    assert (table["drop_low"] <= table["drop"]).all()
    assert (table["drop"] <= table["drop_high"]).all()
    assert table["images"].eq(40).all()

    *chosen, whole = base
    types = table[table["kind"] == "type"]
    assert [row["type"] for row in chosen] == list(dict.fromkeys(types["type"]))
    # a budget of 1 point (the default), four fifths of it, four types
    assert {row["allowance"] for row in chosen} == {0.2}
    # predictions are 80 (1 - exp(-scale * KL^power / 80)); two rows give both, then all follows from the table
    a, b = sorted(chosen, key=lambda row: row["kl"])[:: len(chosen) - 1]
    raw = [-80 * np.log1p(-row["predicted"] / 80) for row in (a, b)]
    power = np.log(raw[1] / raw[0]) / np.log(b["kl"] / a["kl"])
    scale = raw[0] / a["kl"] ** power
    for row in chosen:
        part = types[types["type"] == row["type"]].sort_values("bits")
        loss = 80 * -np.expm1(-scale * part["kl"].to_numpy() ** power / 80)
        narrow, wide = (loss <= 0.2).tolist()
        expected = 2 if narrow and wide else 4
        assert (row["bits"], row["within"]) == (expected, wide)
        place = part["bits"].tolist().index(expected)
        assert row["predicted"] == pytest.approx(loss[place])
        assert row["next_predicted"] == (pytest.approx(loss[0]) if expected == 4 else None)
        for name in ("kl", "drop", "drop_low", "drop_high"):
            assert row[name] == part[name].iloc[place]
    assert whole["type"] == "all"
    assert whole["predicted"] == pytest.approx(sum(row["predicted"] for row in chosen))
    # its drop is that of the network with these widths, evaluated by itself
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    engine = sviT_models.Engine(model, sviT_models.WeightBank(model))
    by_stage = {row["type"]: row["bits"] for row in chosen}
    bits = [next(b for kind, b in by_stage.items() if kind.startswith(_first(n))) for n in engine.layers]
    data = sviT_models.load_data("digits", "search", count=40)
    right = [(engine.run(data.images, w).logits.argmax(1) == data.labels.numpy()).mean() for w in ([32] * 138, bits)]
    assert whole["drop"] == pytest.approx(100 * (right[0] - right[1]))


def _first(layer):
    """The start of the block type of a layer at this granularity: stages of transformer blocks are one type."""
    starts = {"downsample": "downsampling", "ConvBlock": "SepConv", "block": "attention", "head": "head"}
    return next(kind for start, kind in starts.items() if layer.startswith(start))


@pytest.mark.campaign
def test_a_fine_tuned_design_is_a_design_of_the_run(svit, run):
    told = svit("finetune", run, "uniform-2", "--epochs", 1, "--images", 32, "--json")
    assert told.status == 0
    assert "epoch 1 of 1" in told.err
    (record,) = json.loads(told.out)
    assert (record["origin"], record["images"]) == ("finetuned", 40)
    for when in ("before", "after", "gain"):
        assert record[when]["low"] <= record[when]["drop"] <= record[when]["high"]
    table = pd.read_csv(run / "finetuned.csv").set_index("id")
    assert table.loc[record["id"], "origin"] == "finetuned"
    parent = pd.read_csv(run / "results.csv").query("origin == 'uniform-2'").iloc[0]
    assert record["parent"] == parent["id"]

    for design, row in ((record["id"], table.loc[record["id"]]), (parent["id"], parent)):
        out = Path(f"chip_{design}")
        told = svit("export", run, "--design", design, "--out", out, "--golden", 3)
        assert told.status == 0, told.err
        assert f"design {design}, " in told.out
        told = svit("verify-export", out)
        assert (told.status, "0 mismatches" in told.out) == (0, True)
        _evaluates_to(out, row)
    other, same = (
        load_file(f"chip_{i}/weights.safetensors")["block3.0.mlp.fc1_conv.weight"] for i in (record["id"], parent["id"])
    )
    assert not other.equal(same)

    told = svit("evaluate", "--run", run, "--design", record["id"], "--split", "search", "--images", 40, "--json")
    assert json.loads(told.out)[0]["design"]["top1"] == table.loc[record["id"], "top1"]


@pytest.mark.campaign
def test_batch_norms_are_estimated_again_from_the_command_line(svit, run):
    told = svit("reestimate", run, "uniform-2")
    assert (told.status, told.err) == (0, "")
    assert "won back" in told.out
    (row,) = pd.read_csv(run / "finetuned.csv").query("origin == 'reestimated'").to_dict("records")
    parent = pd.read_csv(run / "results.csv").query("origin == 'uniform-2'").iloc[0]
    assert row["parent"] == parent["id"]
    assert row["top1"] > parent["top1"] + 0.2  # rounding to nearest loses half of the images at two bits
    assert svit("export", run, "--design", "reestimated", "--out", "chip", "--golden", 2).status == 0
    assert "0 mismatches" in svit("verify-export", "chip").out
    _evaluates_to("chip", row)
    record = json.loads((run / "finetuned" / row["id"] / "design.json").read_text())
    assert (record["origin"], record["training_images"], record["dead_channels"]) == ("reestimated", 32, {})
    told = svit("reestimate", run, "--design", "float")
    _mistake(told, "every layer of the design is float")


def _evaluates_to(folder, row):
    """A loaded export gives exactly the accuracy that the search recorded, by the interpreter alone."""
    data = sviT_models.load_data("digits", "search", count=40)
    logits = sviT_models.load_export(folder).run(data.images.numpy()).logits
    assert (logits.argmax(1) == data.labels.numpy()).mean() == row["top1"]


def test_every_design_of_a_run_exports_to_its_recorded_accuracy(svit, run):
    rows = pd.read_csv(run / "results.csv").query("origin == 'random'")
    assert len(rows)
    for _, row in rows.iterrows():
        told = svit("export", run, "--design", row["id"], "--out", f"chip_{row['id']}")
        share = f"{row['top1']:.2%}"
        assert f"top-1 {share} on 40 search images; the search recorded {share}" in told.out
        _evaluates_to(f"chip_{row['id']}", row)


def _mistake(told, *parts):
    assert (told.status, told.out) == (2, "")
    line = told.err.splitlines()[-1]
    assert line.startswith("svit-dse: ")
    for part in parts:
        assert part in line, (part, line)


CONFIGURATIONS = [
    ("search: {widths: [4, 9]}", ["my.yaml:1: search.widths", "width 9 does not exist; choose from 1, 2"]),
    ("search: {state_widths: [3]}", ["my.yaml:1: search.state_widths", "state width 3", "4 to 16"]),
    ("search: {fixed: {head: 9}}", ["my.yaml:1: search.fixed", "head: width 9 does not exist"]),
    ("hardware: own.yaml\nsearch: {widths: [3, 8]}", ["my.yaml:2: search.widths", "no 3-bit weights", "4, 8"]),
    ("checkpoint: net.safetensors\nnetwork: sdtv2_tiny", ["net.safetensors", "running_var"]),
    ("data: {name: grey.npz}", ["calibration images: channel 0 is", "no other channel varies"]),
]


@pytest.mark.parametrize(("text", "parts"), CONFIGURATIONS, ids=lambda x: x if isinstance(x, str) else "")
def test_what_cannot_be_quantized_is_one_line(svit, tmp_path, text, parts):
    chip = cli.__file__.replace("dse/cli.py", "costmodels/chips/generic_45nm.yaml")
    lines = Path(chip).read_text()
    assert "weight_widths: [1, 2, 3, 4, 5, 6, 7, 8, 16]" in lines
    (tmp_path / "own.yaml").write_text(lines.replace("[1, 2, 3, 4, 5, 6, 7, 8, 16]", "[4, 8]"))
    state = load_file(WEIGHTS)
    state["block3.0.mlp.fc1_bn.running_var"].fill_(float("nan"))
    save_file(state, tmp_path / "net.safetensors")
    grey = {"images": np.full((200, 32, 32, 3), 7, np.uint8), "labels": np.arange(200) % 10}
    np.savez(tmp_path / "grey.npz", **grey, classes=np.array([str(i) for i in range(10)]))
    (tmp_path / "my.yaml").write_text(text)
    _mistake(svit("sensitivity", "my.yaml"), *parts)


def test_designs_and_widths_that_a_run_does_not_have(svit, run):
    _mistake(
        svit("export", run, "--design", "uniform-2", "--out", "a", "--state-bits", 3), "--state-bits", "equal to 4"
    )
    _mistake(svit("export", run, "--design", "uniform-2", "--out", "a", "--state-bits", 8), "has its own widths")
    _mistake(svit("export", run, "--design", "float", "--out", "a", "--activation-bits", 17), "--activation-bits", "16")
    _mistake(svit("finetune", run, "--design", "uniform-9"), "--design uniform-9: no such id")
    _mistake(svit("finetune", run, "--design", "float", "--epochs", 1), "every layer of the design is float")


def test_a_design_of_another_network_is_refused(svit, run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    text = (run / "config.yaml").read_text()
    (other / "config.yaml").write_text(text.replace("form: unfused", "form: fused"))
    words = ("export", other, "--design", "uniform-2", "--out", "chip")
    _mistake(svit(*words), "138 weight layers", "(fused) has 70", "is in one only")
    state = load_file(WEIGHTS)
    state["head.weight"] += 0.01
    save_file(state, tmp_path / "net.safetensors")
    moved = text.replace("checkpoint: sdtv2_tiny_digits", f"checkpoint: {tmp_path / 'net.safetensors'}")
    (other / "config.yaml").write_text(moved.replace("network:", "network: sdtv2_tiny #"))
    for command in (words, ("finetune", other, "--design", "uniform-2"), ("evaluate", "--run", other)):
        _mistake(
            svit(*command, *(("--design", "float") if command[0] == "evaluate" else ())), "SHA-256", "search again"
        )
    assert not Path("chip").exists()
