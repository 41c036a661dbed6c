"""The whole job on real digits, small: what a run directory holds and what a second run does."""

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sviT_models
from costmodels import Designs, Workload, estimate, load_hardware
from dse.config.file import load_config
from dse.config.schema import Config, Data, Search
from dse.errors import ConfigError
from dse.evaluation.prepare import chip_widths
from dse.optimize.pareto import is_nondominated
from dse.results.history import hypervolume_curve
from dse.results.robustness import Robustness
from dse.results.run import write_run
from dse.workflows import search as pipeline
from dse.workflows.recost import recost
from dse.workflows.search import search
from dse.workflows.search_values import Listener
from reports.run import read_run
from reports.sections import s12_search

COLUMNS = [
    *("id", "origin", "time_steps", "top1", "top1_stderr", "drop", "drop_low", "drop_high", "kl", "images"),
    *("memory_bytes", "energy_j", "latency_s", "power_w", "mean_weight_bits", "on_front", "feasible"),
]
SMALL = Config(
    data=Data(search_images=60, verify_images=50, fisher_images=16, calibration_images=32, batch_size=30),
    search=Search(strategy="tpe", evaluations=8, widths=(2, 4, 8)),
)
FILES = {
    *("config.yaml", "manifest.json", "layers.csv", "sensitivity.csv", "results.csv", "front.csv", "spikes.csv"),
    *("breakdown.csv", "hardware.csv", "picks.json", "verified.csv", "history.csv", "study.journal"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "small"
    lines, parts = [], {}

    def advance(what, place, total):
        parts.setdefault(what, []).append((place, total))

    search(SMALL, out, command=["svit-dse", "search"], hear=Listener(lines.append, advance=advance))
    return out, lines, parts


@pytest.fixture(scope="module")
def table(run):
    return pd.read_csv(run[0] / "results.csv")


def test_the_run_directory_is_complete(run):
    out = run[0]
    assert {p.name for p in out.iterdir()} >= FILES
    assert not list(out.glob(".*"))
    assert load_config(out / "config.yaml") == SMALL


def test_the_columns_are_the_documented_ones(table):
    assert list(table.columns[: len(COLUMNS)]) == COLUMNS
    widths = [c for c in table.columns if c.startswith("w:")]
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    assert widths == [f"w:{name}" for name in sviT_models.weight_layers(model)]
    assert list(table.columns[-138:]) == widths


def test_the_steps_of_the_python_page_with_the_same_seed_give_the_same_files_and_the_run_opens(
    run, table, capsys, tmp_path, monkeypatch
):
    page = Path(__file__).parents[3] / "docs" / "python-api.md"
    steps, opened = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)[-2:]
    names: dict = {}
    exec(steps, names)
    assert names["config"] == SMALL
    buffer = io.StringIO()
    names["searched"].table.to_csv(buffer, index=False, lineterminator="\n")
    assert buffer.getvalue() == (run[0] / "results.csv").read_text()
    assert names["final"].picks == json.loads((run[0] / "picks.json").read_text())
    _the_same_seed_gives_the_same_files(run[0], names, tmp_path / "again", monkeypatch)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "demo-fashion_mnist").symlink_to(run[0])
    monkeypatch.chdir(tmp_path)
    exec(opened, names)
    row = table[table["origin"] == "uniform-4"].iloc[0]
    assert names["costs"]["energy_j"].tolist() == [row["energy_j"]]
    assert row["id"] in capsys.readouterr().out


def _the_same_seed_gives_the_same_files(run, names, again, monkeypatch):
    """The steps' values written as a run; studies of the finished table, half of a search's time, are left out."""
    left_out = Robustness(None, pd.DataFrame(), *[None] * 5, pd.DataFrame())
    monkeypatch.setattr(pipeline, "robustness", lambda *_: left_out)
    prepared, precision, base, searched, final = (
        names[name] for name in ("prepared", "precision", "base", "searched", "final")
    )
    record = pipeline.search_manifest((), prepared, precision, base, searched, final)
    write_run(again, pipeline.contents(prepared, base, searched, final, record))
    for name in ("results.csv", "front.csv", "spikes.csv", "breakdown.csv", "sensitivity.csv", "verified.csv"):
        assert (again / name).read_bytes() == (run / name).read_bytes(), name


def test_baselines_are_evaluated_first(table):
    origins = table["origin"].tolist()
    assert origins[:6] == ["float", "uniform-8", "uniform-4", "uniform-2", "uniform-8-T1", "guided"]
    assert len(origins) == 1 + 8
    widths = table.set_index("origin")[[c for c in table.columns if c.startswith("w:")]]
    assert set(widths.loc["uniform-4"]) == {4}
    assert table["time_steps"].tolist()[:5] == [2, 2, 2, 2, 1]


def test_the_base_setting_is_an_artefact_with_its_evidence(run, table):
    base = json.loads((run[0] / "base_setting.json").read_text())
    row = table[table["origin"] == "guided"].iloc[0]
    assert base["design"] == row["id"]
    assert len(base["groups"]) == 74
    widths = {g["group"]: g["bits"] for g in base["groups"]}
    assert widths["head"] == row["w:head"]
    scores = pd.read_csv(run[0] / "sensitivity.csv").set_index(["group", "bits"])["score"]
    assert all(scores[g["group"], g["bits"]] == pytest.approx(g["score"]) for g in base["groups"])
    measured = {m["origin"]: m["drop"] for m in base["measured"]}
    assert measured == dict(zip(table["origin"][1:6], table["drop"][1:6], strict=True))


def test_the_float_row_is_the_float_network(table):
    images = sviT_models.load_data("digits", "search", count=60)
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    right = (model(images.images).argmax(1).numpy() == np.asarray(images.labels)).mean()
    assert table["top1"][0] == pytest.approx(right)
    assert table["drop"][0] == 0


def test_a_drop_is_the_difference_of_the_accuracies(table):
    assert np.allclose(table["drop"], 100 * (table["top1"][0] - table["top1"]))
    assert (table["drop_low"] <= table["drop"]).all()
    assert (table["drop"] <= table["drop_high"]).all()
    assert (table["drop_low"] < table["drop_high"]).all()


def test_costs_are_those_of_the_cost_model_at_the_measured_spikes(run, table):
    out = run[0]
    work = Workload.from_csv(out / "layers.csv")
    spikes = pd.read_csv(out / "spikes.csv")[[f"s:{name}" for name in work.lif_layers]].to_numpy()
    bits = table[[f"w:{name}" for name in work.weight_layers]].to_numpy()
    for row in (0, 2, len(table) - 1):
        own = {stage: table.get(f"v:{stage}", pd.Series(np.nan, table.index))[row] for stage in work.stages}
        cost = estimate(
            work,
            load_hardware("generic_45nm"),
            Designs(
                bits[row],
                time_steps=int(table["time_steps"][row]),
                state_bits=None if row == 0 else [16 if np.isnan(own[s]) else own[s] for s in work.stages],
                spikes=spikes[row],
            ),
            frame_rate=30.0,
        )
        for name in ("memory_bytes", "energy_j", "latency_s", "power_w"):
            assert table[name][row] == pytest.approx(float(getattr(cost, name)), rel=1e-9)


def test_the_front_is_the_non_dominated_part(run, table):
    out = run[0]
    designs = table[table["origin"] != "float"]
    values = designs[["expected", "memory_bytes", "power_w"]].to_numpy()
    assert designs["on_front"].tolist() == is_nondominated(values).tolist()
    front = pd.read_csv(out / "front.csv")
    verified = pd.read_csv(out / "verified.csv")["id"]
    assert set(front["id"]) == {*table["id"][table["on_front"]], *verified}
    assert set(pd.read_csv(out / "breakdown.csv")["id"]) >= set(front["id"])
    assert front["memory_bytes"].is_monotonic_increasing


def test_the_breakdown_adds_up_to_the_totals(run, table):
    parts = pd.read_csv(run[0] / "breakdown.csv").groupby(["id", "quantity"])["value"].sum()
    for _, row in table[table["on_front"] | table["origin"].str.startswith(("float", "uniform"))].iterrows():
        assert parts[row["id"], "energy_j"] == pytest.approx(row["energy_j"], rel=1e-9)
        assert parts[row["id"], "memory_bytes"] == pytest.approx(row["memory_bytes"], rel=1e-9)


def test_the_manifest_names_every_input(run):
    manifest = json.loads((run[0] / "manifest.json").read_text())
    checkpoint = sviT_models.open_checkpoint("sdtv2_tiny_digits")
    assert manifest["checkpoint"]["sha256"] == checkpoint.sha256
    assert manifest["hardware"]["sha256"] == load_hardware("generic_45nm").sha256
    assert len(manifest["data"]["ids"]) == manifest["data"]["images"] == 60
    assert [p["name"] for p in manifest["phases"]] == [
        "prepare",
        "1 precision study",
        "2 base setting",
        "3 guided search",
        "4 final network",
    ]
    assert manifest["chaos"]["changed"] >= 0


def test_the_steps_are_announced_in_the_words_of_the_methodology(run):
    text = "\n".join(run[1])
    for words in ("step 1 precision study", "step 2 base setting", "step 3 guided search", "step 4 final network"):
        assert words in text
    assert "chaos floor" in text


def test_every_count_of_evaluations_is_the_configured_one_without_the_float_network(run, table):
    manifest, report = json.loads((run[0] / "manifest.json").read_text()), read_run(run[0])
    found = {phase["name"]: phase["evaluations"] for phase in manifest["phases"]}
    assert found["prepare"] == 1  # the float network
    counts = {
        *(len(table) - 1, len(pd.read_csv(run[0] / "history.csv"))),
        *(found["2 base setting"] + found["3 guided search"], len(s12_search.record(report).hypervolume)),
    }
    assert counts == {SMALL.search.evaluations} == {8}
    assert manifest["stop_reason"] == "budget of 8 evaluations used"


def test_verification_images_are_not_those_of_the_search(run):
    search_ids = set(sviT_models.load_data("digits", "search").ids)
    verify_ids = set(sviT_models.load_data("digits", "verify").ids)
    assert not search_ids & verify_ids
    verified = pd.read_csv(run[0] / "verified.csv")
    assert (verified["images"] == 50).all()


def test_copies_of_the_float_network_are_verified_beside_the_candidates(run):
    assert any("candidates and 2 copies of the float network on 50 unseen images" in line for line in run[1])


def test_verification_says_how_many_of_its_measurements_are_there(run):
    verified = len(pd.read_csv(run[0] / "verified.csv"))
    (said,) = (parts for what, parts in run[2].items() if what.startswith("verification, round"))
    assert said == [(done, verified + 2) for done in range(verified + 3)]  # two copies of the float network


def test_a_finished_run_repeats_nothing_and_writes_the_same(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run[0], copy)
    lines = []
    search(SMALL, copy, hear=Listener(lines.append))
    assert "resuming a study with 8 finished evaluations" in "\n".join(lines)
    assert (copy / "results.csv").read_bytes() == (run[0] / "results.csv").read_bytes()
    phases = json.loads((copy / "manifest.json").read_text())["phases"]
    assert [p["images"] for p in phases if p["name"] in ("2 base setting", "3 guided search")] == [0, 0]


def test_other_images_are_refused_with_the_difference(run):
    """Those of calibration decide how weights are rounded, so that the same widths are another design."""
    other = {"search_images": 50, "calibration_images": 31}
    changed = SMALL.model_copy(update={"data": SMALL.data.model_copy(update=other)})
    differ = "; ".join(
        rf"{key} was {name}/{count}/\w+[^;]* and is {name}/{other[of]}/[^;]*"
        for key, name, count, of in (
            ("calibration", "validation", 32, "calibration_images"),
            ("data", "digits/search", 60, "search_images"),
        )
    )
    before = (run[0] / "results.csv").read_bytes()
    with pytest.raises(ConfigError, match=rf"made with other inputs: {differ}; take another --out, or --allow-mixed$"):
        search(changed, run[0])
    assert (run[0] / "results.csv").read_bytes() == before


def test_recosting_changes_the_costs_and_nothing_measured(run, tmp_path, table):
    recost(run[0], "seneca_like", tmp_path / "seneca")
    new = pd.read_csv(tmp_path / "seneca" / "results.csv")
    for name in ("id", "origin", "top1", "drop", "drop_low", "drop_high", "kl", "images"):
        assert new[name].equals(table[name]), name
    assert not np.allclose(new["energy_j"], table["energy_j"])
    assert load_config(tmp_path / "seneca" / "config.yaml").hardware == "seneca_like"


def test_recosting_on_the_same_chip_changes_nothing(run, tmp_path, table):
    recost(run[0], "generic_45nm", tmp_path / "same")
    new = pd.read_csv(tmp_path / "same" / "results.csv")
    pd.testing.assert_frame_equal(new, table, rtol=1e-9)


def test_recosting_something_else_is_a_users_mistake(run, tmp_path):
    with pytest.raises(ConfigError, match="no such file; is"):
        recost(tmp_path, "generic_45nm", tmp_path / "x")
    with pytest.raises(ConfigError, match="is the run itself"):
        recost(run[0], "generic_45nm", run[0])


def test_a_width_that_the_chip_does_not_have(tmp_path):
    config = SMALL.model_copy(
        update={"hardware": "seneca_like", "search": SMALL.search.model_copy(update={"widths": (3, 8)})}
    )
    with pytest.raises(ConfigError, match=r"search\.widths: seneca_like has no 3-bit weights; it has 4, 8, 16"):
        search(config, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_widths_that_nobody_asked_for_are_those_of_the_chip():
    chip = load_hardware("seneca_like")
    assert chip_widths(Search(), chip) == (4, 8)
    assert chip_widths(Search(widths=(4, 16)), chip) == (4, 16)


def test_a_checkpoint_with_other_classes_than_the_data(tmp_path):
    config = SMALL.model_copy(update={"data": Data(name="glyphs", search_images=50)})
    with pytest.raises(ConfigError, match="has 36 classes, the checkpoint 'sdtv2_tiny_digits' has 10"):
        search(config, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_the_hypervolume_curve_by_hand():
    # scaled to (10, 4, 4): (0.5, 0.5, 1) adds nothing at the reference; (0, 0.5, 0.5) adds 1 * 0.5 * 0.5
    curve = hypervolume_curve([[5.0, 2.0, 4.0], [0.0, 2.0, 2.0], [0.0, 4.0, 4.0]])
    assert curve == pytest.approx([0.0, 0.25, 0.25])
