"""A search over both forms on real digits, small: against runs of each form alone, and what comes after a search."""

import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest

import reports
import sviT_models
from dse.config.file import load_config
from dse.config.schema import Config, Data, Quantization, Search
from dse.errors import ConfigError
from dse.evaluation.prepare import prepare
from dse.problem.widths_file import Target, one_of
from dse.results.experiment import experiment_of
from dse.results.run import open_run
from dse.results.tables import design_of
from dse.workflows import search_steps
from dse.workflows.export import export_design
from dse.workflows.recost import recost
from dse.workflows.search import search
from dse.workflows.search_values import Listener

PREFIXES = {"v:": "state_bits", "r:": "stream_bits", "b:": "between_bits"}
FORMS = ("unfused", "fused")
CONFIG = Config(
    hardware="literature_45nm",  # a chip on which fusing saves energy and costs memory
    data=Data(search_images=60, verify_images=50, fisher_images=16, batch_size=30),
    quantization=Quantization(method="nearest"),
    search=Search(evaluations=13, widths=(2, 4, 8), state_widths=(8,), forms=FORMS),
)


def alone(form):
    return CONFIG.model_copy(
        update={"form": form, "search": CONFIG.search.model_copy(update={"forms": (), "evaluations": 4})}
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "both"
    search(CONFIG, out)
    return out


@pytest.fixture(scope="module")
def table(run):
    return pd.read_csv(run / "results.csv")


@pytest.fixture(scope="module")
def unfused():
    """What a search of one form begins with."""
    return search_steps.prepare(alone("unfused"))


def test_designs_of_both_forms_are_proposed_and_measured(table):
    assert table["form"].tolist()[:5] == ["unfused"] * 5
    origins = dict(zip(table["origin"], table["form"], strict=True))
    assert origins["uniform-8-fused"] == origins["guided-fused"] == "fused"
    assert set(table[table["origin"] == "posterior"]["form"]) == set(FORMS)
    assert set(table[table["on_front"]]["form"]) == set(FORMS)


def test_a_design_has_widths_for_the_layers_of_its_form_only(table):
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    layers = {"unfused": sviT_models.weight_layers(model), "fused": sviT_models.weight_layers(sviT_models.fuse(model))}
    for _, row in table.iterrows():
        assert design_of(row).layers == tuple(layers[row["form"]])
        assert design_of(row).id == row["id"]
    widths = table.set_index("id")[[c for c in table.columns if c.startswith("w:")]]
    assert widths.notna().sum(axis=1).tolist() == [len(layers[g]) for g in table["form"]]


def test_a_design_is_measured_and_costed_to_the_last_bit_as_in_a_search_of_its_form(table, unfused):
    measured = ["top1", "drop", "drop_low", "drop_high", "kl", "nll", "logit_distance", "changed", "images"]
    costs = ["memory_bytes", "energy_j", "latency_s", "power_w", "area_mm2", "fits"]
    for form in FORMS:
        experiment = unfused.experiment if form == "unfused" else prepare(alone(form))
        evaluator, costing = experiment.evaluator(experiment.images), experiment.costing()
        rows = table[(table["form"] == form) & (table["origin"] != "float")]
        assert len(rows) >= 3
        for _, row in rows.iterrows():
            design = design_of(row)
            evaluation = evaluator(design)
            found = costing.columns([design], np.array([evaluation.spikes]))
            assert [getattr(evaluation, name) for name in measured] == row[measured].tolist()
            assert [found[name][0] for name in costs] == row[costs].tolist()


def test_the_baselines_of_one_form_are_those_of_a_search_in_it(table, unfused):
    base = search_steps.base_setting(unfused, search_steps.precision_study(unfused))
    buffer = io.StringIO()
    search_steps.guided_search(unfused, base).table.to_csv(buffer, index=False)
    one = pd.read_csv(io.StringIO(buffer.getvalue()))
    assert "form" not in one.columns
    both = table.set_index("id")
    judged = ("on_front", "origin", "feasible", "expected", "expected_low", "expected_high")  # by all measurements
    shared = [c for c in one.columns if c not in judged]
    for _, row in one[one["origin"].isin(["float", "uniform-8", "uniform-4", "uniform-2", "uniform-8-T1"])].iterrows():
        if row["origin"] != "float":
            assert both.loc[row["id"], shared[1:]].fillna("").tolist() == row[shared[1:]].fillna("").tolist()
        assert both.loc[row["id"], "energy_j"] == row["energy_j"]


@pytest.mark.campaign
def test_the_same_seed_gives_the_same_results_and_a_finished_run_repeats_nothing(run, tmp_path):
    lines = []
    search(CONFIG, tmp_path / "again")
    search(CONFIG, tmp_path / "again", hear=Listener(lines.append))
    assert any("resuming a study with" in line for line in lines)
    for name in ("results.csv", "front.csv", "spikes.csv", "breakdown.csv", "verified.csv", "comparisons.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (run / name).read_bytes(), name
    assert load_config(tmp_path / "again" / "config.yaml").forms == FORMS


def test_other_forms_are_other_inputs(run):
    with pytest.raises(ConfigError, match="form was unfused or fused and is fused"):
        search(alone("fused"), run)


def test_the_files_beside_the_results(run, table):
    assert len(pd.read_csv(run / "layers.csv").query("weights > 0")) == 138
    assert len(pd.read_csv(run / "layers-fused.csv").query("weights > 0")) == 70
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["forms"]["unfused"]["top1"] == manifest["float"]["top1"] == table["top1"][0]
    parts = pd.read_csv(run / "breakdown.csv").groupby(["id", "quantity"])["value"].sum()
    for _, row in table[table["on_front"]].iterrows():
        assert parts[row["id"], "energy_j"] == pytest.approx(row["energy_j"], rel=1e-9)
        assert parts[row["id"], "memory_bytes"] == pytest.approx(row["memory_bytes"], rel=1e-9)
    spiking = pd.read_csv(run / "comparisons.csv").query("network == 'spiking'").set_index("id")["energy_j"]
    energy = table.set_index("id")["energy_j"]
    assert spiking.to_dict() == pytest.approx(energy.loc[spiking.index].to_dict(), rel=1e-9)


def test_the_report_shows_the_form(run, table):
    reports.build(run)
    told = json.loads((run / "report" / "report.json").read_text())
    designs = {d["id"]: d for d in told["designs"]}
    assert {i: d["form"] for i, d in designs.items()} == dict(zip(table["id"], table["form"], strict=True))
    row = table[table["origin"] == "guided-fused"].iloc[0]
    layers = told["layers"]["names"]
    shown = dict(zip(layers, designs[row["id"]]["bits"], strict=True))
    for part in ("body.0", "body.2.0", "body.2.1"):
        assert shown[f"block3.0.attn.k_conv.0.{part}"] == row["w:block3.0.attn.k_conv.0"]
    assert shown["ConvBlock1_1.0.Conv.dwconv"] == row["w:ConvBlock1_1.0.Conv.pwconv2"]
    assert shown["head"] == row["w:head"]
    targets = [Target.of(workload) for workload in open_run(run).costing().workloads.values()]
    for design in told["designs"]:  # as the page's download writes them, their widths build the same design
        cells = {f"{prefix}{n}": b for prefix, kind in PREFIXES.items() for n, b in design[kind].items()}
        tree = {"id": design["id"], "time_steps": design["time_steps"], "weights": design["own_bits"]} | cells
        (run / "one.json").write_text(json.dumps(tree), encoding="utf-8")
        assert one_of(run / "one.json", *targets).id == design["id"]


def test_recosting_on_the_same_chip_changes_nothing_and_needs_both_tables(run, table, tmp_path):
    recost(run, "literature_45nm", tmp_path / "same")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "same" / "results.csv"), table, rtol=1e-9)
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "layers-fused.csv").unlink()
    with pytest.raises(ConfigError, match=r"layers-fused\.csv: no such file, and search\.forms has fused"):
        recost(copy, "generic_45nm", tmp_path / "other")


def test_a_fused_design_is_exported_with_the_accuracy_that_was_recorded(run, table, tmp_path):
    row = table[(table["form"] == "fused") & (table["origin"] == "posterior")].iloc[0]
    design, experiment = open_run(run).design(row["id"]), experiment_of(open_run(run), row["id"])
    assert experiment.network.form == "fused"
    assert experiment.network.layers == design.layers
    found = export_design(run, row["id"], tmp_path / "chip", golden=2)
    assert found.top1 == found.recorded == row["top1"]
    assert sviT_models.verify_export(tmp_path / "chip")["mismatches"].sum() == 0


def test_estimate_costs_designs_of_both_forms(run, table, svit):
    shown = table["on_front"] | table["id"].isin(open_run(run).chosen)  # picks and verified designs beside the front
    front = table[shown & (table["origin"] != "float")].set_index("id")
    told = json.loads(svit("estimate", "--run", run, "--json").out)
    assert {row["design"]: row["energy_j"] for row in told} == pytest.approx(front["energy_j"].to_dict(), rel=1e-9)
    parts = pd.DataFrame(json.loads(svit("estimate", "--run", run, "--breakdown", "--json").out))
    energy = parts[parts["quantity"] == "energy_j"].groupby("design")["value"].sum()
    assert energy.to_dict() == pytest.approx(front["energy_j"].to_dict(), rel=1e-9)
    fused = table[table["form"] == "fused"]["id"].iloc[0]
    beside = json.loads(svit("estimate", "--run", run, "--design", fused, "--compare", "--json").out)
    energy = table.set_index("id")["energy_j"]
    assert pytest.approx(energy[fused], rel=1e-9) in [row["energy_j"] for row in beside]
    ranked = json.loads(svit("estimate", "--run", run, "--stability", "--json").out)
    assert ranked["designs"] == len(table) - 1
    assert svit("check", run / "config.yaml").out.count("138 weight layers") == 2
