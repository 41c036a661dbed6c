"""One search over weights, potentials, streams, sums between layers, time steps and the form, small."""

import json

import numpy as np
import pandas as pd
import pytest

import costmodels
import reports
import sviT_models
from dse.config.file import load_config, parse_config
from dse.config.schema import Config, Data, Quantization, Search
from dse.errors import ConfigError
from dse.evaluation.prepare import fingerprint, prepare
from dse.problem.design import Design
from dse.results.run import open_run
from dse.results.tables import design_of
from dse.workflows.export import export_design
from dse.workflows.search import search
from tests.shared import once

STREAMS = ("downsample1_1", "downsample1_2", "downsample2", "downsample3", "downsample4")
SUMS = ("ConvBlock1_1", "ConvBlock1_2", "ConvBlock2_1", "ConvBlock2_2", "block3", "block4")
CONFIG = Config(
    data=Data(search_images=30, verify_images=30, fisher_images=8, batch_size=30, calibration_images=16),
    quantization=Quantization(method="nearest"),
    search=Search(
        evaluations=14,
        widths=(4, 8),
        granularity="stage",
        state_widths=(6, 16),
        stream_widths=(5, 16),
        between_widths=(6, 16),
        time_steps=(1, 2),
        forms=("unfused", "fused"),
    ),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return once(tmp_path_factory, "every-dimension", lambda out: search(CONFIG, out / "run")) / "run"


@pytest.fixture(scope="module")
def table(run):
    return pd.read_csv(run / "results.csv")


def test_every_width_is_a_column_and_part_of_the_design(run, table):
    assert [c for c in table.columns if c.startswith("r:")] == [f"r:{name}" for name in STREAMS]
    assert [c for c in table.columns if c.startswith("b:")] == [f"b:{name}" for name in SUMS]
    assert (table[table["form"] == "fused"].filter(regex="^b:").isna()).all(axis=None)  # fusing removes these sums
    for _, row in table.iterrows():
        assert open_run(run).design(row["id"]) == design_of(row)
        assert design_of(row).id == row["id"]
    proposed = table[table["origin"] == "posterior"]
    for prefix in ("w:", "v:", "r:"):
        assert proposed.filter(regex=f"^{prefix}").stack().nunique() == 2  # noqa: PD013
    assert set(load_config(run / "config.yaml").search.stream_widths) == {5, 16}


def test_costs_are_those_of_the_layer_table_with_the_widths_written_into_it(run, table):
    spikes = pd.read_csv(run / "spikes.csv").set_index("id")
    chip = costmodels.load_hardware("generic_45nm")
    for _, row in table[table["origin"] != "float"].iterrows():
        layers = pd.read_csv(run / ("layers-fused.csv" if row["form"] == "fused" else "layers.csv"), dtype={"lif": str})
        layers["lif"] = layers["lif"].fillna("")
        start = ""
        for i, layer in layers.iterrows():
            if layer["name"].startswith("downsample"):
                start = layer["stage"]
            if layer["kind"] == "add":
                since = layer["since"]
                stage = layer["name"].split(".")[0]
                start = {"C": f"downsample{stage[9:].split('_')[0]}", "b": f"downsample{stage[5:]}"}[stage[0]]
                start = f"downsample{stage[9:]}" if stage.startswith("ConvBlock1") else start
                assert since
                layers.loc[i, "input_bits"] = row[f"r:{start}"]
            elif layer["input"] == "multibit" and i > 0:
                layers.loc[i, "input_bits"] = row[f"b:{layer['stage']}"]
        work = costmodels.Workload.from_table(layers)
        widths = [int(row[f"w:{name}"]) for name in work.weight_layers]
        states = [int(row.get(f"v:{stage}", 16)) for stage in work.stages]
        fired = [spikes.loc[row["id"], f"s:{name}"] for name in work.lif_layers]
        design = costmodels.Designs(widths, time_steps=row["time_steps"], state_bits=states, spikes=fired)
        cost = costmodels.estimate(work, chip, design, frame_rate=CONFIG.frame_rate)
        for column in ("memory_bytes", "energy_j", "latency_s", "power_w"):
            assert row[column] == pytest.approx(float(getattr(cost, column)), rel=1e-12)


def test_a_design_is_measured_with_its_streams_and_exported_with_them(run, table, tmp_path):
    rows = table[(table["form"] == "unfused") & (table.filter(regex="^[rb]:") < 16).any(axis=1)]
    row = rows.iloc[-1]
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    calibration = sviT_models.load_data("digits", "validation", count=16).images
    engine = sviT_models.Engine(model, sviT_models.WeightBank(model, method="nearest", images=calibration), threads=1)
    by_hand = {}
    for name in engine.activation_names(calibration)[1:]:
        by_hand[name] = int(row[f"b:{name.split('.')[0]}" if "." in name else f"r:{name}"])
    data = sviT_models.load_data("digits", "search", count=30)
    widths = [int(row[f"w:{name}"]) for name in sviT_models.weight_layers(model)]
    design = design_of(row)
    states = design.lif_bits(prepare(CONFIG).networks["unfused"].lif_by_stage)
    steps = int(row["time_steps"])
    found = engine.run(data.images, widths, state_bits=states, activation_bits=by_hand, time_steps=steps)
    assert row["top1"] == (found.logits.argmax(1) == data.labels.numpy()).mean()
    wide = engine.run(data.images, widths, state_bits=states, time_steps=steps)
    assert not np.array_equal(found.logits, wide.logits)
    assert export_design(run, row["id"], tmp_path / "chip").top1 == row["top1"]


def test_the_report_says_what_the_streams_are(run, tmp_path):
    reports.build(run, tmp_path / "report")
    shown = json.dumps(json.loads((tmp_path / "report" / "report.json").read_text()))
    assert '"stream_bits": {"downsample1_1"' in shown
    assert '"between_bits": {"ConvBlock1_1"' in shown


def test_the_space_is_part_of_what_a_study_depends_on():
    narrower = CONFIG.model_copy(update={"search": CONFIG.search.model_copy(update={"stream_widths": (8, 16)})})
    first, second = (fingerprint(each, prepare(each)) for each in (CONFIG, narrower))
    assert [key for key in first if first[key] != second[key]] == ["space"]


def test_sixteen_bits_are_not_part_of_an_id():
    plain = Design(("a",), (4,), 2, {"s": 8})
    assert plain.id == Design(("a",), (4,), 2, {"s": 8}, {"s": 16}, {"s": 16}).id
    ids = {plain.id, Design(("a",), (4,), 2, {"s": 8}, {"s": 8}).id, Design(("a",), (4,), 2, {"s": 8}, {}, {"s": 8}).id}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"search": {"stream_widths": [3]}}, r"stream width 3 does not exist; choose from 4 to 16"),
        ({"search": {"between_widths": [8, 17]}}, r"between width 17 does not exist"),
        (
            {"search": {"stream_widths": [8]}, "activations": {"stream": 12}},
            r"search\.stream_widths and activations\.stream set the same widths",
        ),
    ],
)
def test_widths_that_cannot_be_chosen_are_one_line(tree, said):
    with pytest.raises(ConfigError, match=said) as caught:
        parse_config(tree)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state_widths": ()}, r"search\.stream_widths: only the integer network .* set search\.state_widths"),
        ({"stream_widths": (), "forms": ("fused",)}, r"search\.between_widths: the layer table has no sums"),
    ],
)
def test_widths_that_the_network_does_not_have_are_one_line(change, said):
    with pytest.raises(ConfigError, match=said):
        prepare(CONFIG.model_copy(update={"search": CONFIG.search.model_copy(update=change)}))
