"""Widths between layers: from the configuration through evaluation, costs and export."""

import json

import numpy as np
import pandas as pd
import pytest

import sviT_models
from dse.config.file import dump_config, parse_config
from dse.config.schema import Activations, Config, Data, Quantization, Search
from dse.errors import ConfigError
from dse.evaluation.activation_widths import engine_widths, with_input_widths
from dse.evaluation.prepare import fingerprint, prepare
from dse.problem.design import uniform
from dse.workflows.export import export_design
from dse.workflows.search import search
from tests.sviT_models.small import IMAGES, network

NAMES = ("downsample1_1.encode_conv", "downsample1_1", "ConvBlock1_1.0.Conv.pwconv2", "block3.0.attn.q_conv.0.body.2.0")


def test_widths_go_to_the_names_of_the_engine():
    assert engine_widths(8, 16, 16, NAMES) == {}
    everywhere = engine_widths(6, 12, 8, NAMES)
    assert everywhere == dict(zip(NAMES, (6, 12, 8, 8), strict=True))
    some = engine_widths(8, {"downsample1_1": 10}, {"block3": 5}, NAMES)
    assert some == {"downsample1_1": 10, "block3.0.attn.q_conv.0.body.2.0": 5}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stream": {"block3": 8}}, r"activations.stream: no stage 'block3' .* downsample1_1"),
        ({"between": {"head": 8}}, r"activations.between: no stage 'head' .* ConvBlock1_1, block3"),
    ],
)
def test_a_stage_without_such_numbers_is_named(given, said):
    with pytest.raises(ConfigError, match=said):
        engine_widths(**({"image": 8, "stream": 16, "between": 16} | given), names=NAMES)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"between": 3}, r"activations\.between.* width 3 does not exist; choose from 4 to 16"),
        ({"stream": {"downsample2": 17}}, r"activations\.stream.*downsample2: width 17"),
        ({"image": 9}, r"activations\.image is 9"),
        ({"imag": 8}, r"unknown key activations\.imag; did you mean 'image'"),
    ],
)
def test_widths_that_do_not_exist_are_refused(tree, said):
    with pytest.raises(ConfigError, match=said):
        parse_config({"activations": tree})


def test_the_names_of_the_engine_are_rows_of_the_layer_table_or_streams():
    model = network()
    engine = sviT_models.Engine(model, sviT_models.WeightBank(model))
    table = sviT_models.profile(model, IMAGES)
    names = engine.activation_names(IMAGES)
    assert [name for name in names if "." not in name] == [
        "downsample1_1",
        "downsample1_2",
        "downsample2",
        "downsample3",
        "downsample4",
    ]
    rows = [name for name in names if "." in name]
    layers = table[table["kind"] != "add"]
    assert sorted(rows) == sorted(layers.loc[(layers["input"] == "multibit"), "name"])
    narrow = with_input_widths(table, engine_widths(5, 16, {"block3": 6}, names))
    changed = narrow["input_bits"] != table["input_bits"]
    # 6 blocks with 4 RepConvs of two layers that see numbers, and the image
    assert changed.sum() == 6 * 4 * 2 + 1
    assert set(narrow.loc[changed, "input_bits"]) == {5, 6}
    assert with_input_widths(table, {}) is table
    streams = with_input_widths(table, {"downsample2": 7, "downsample3": 9})
    width = streams.set_index("name")["input_bits"]
    # the shortcuts of ConvBlock2_1 and ConvBlock2_2 are on one stream, those of six blocks on the next
    assert list(width[width == 7].index) == [f"ConvBlock2_{i}.0.{add}" for i in (1, 2) for add in ("add", "add_2")]
    assert list(width[width == 9].index) == [f"block3.{i}.{add}" for i in range(6) for add in ("add", "add_2")]


def config(**more):
    return Config(
        data=Data(search_images=40, verify_images=40, fisher_images=8, batch_size=40, calibration_images=32),
        quantization=Quantization(method="nearest"),
        search=Search(
            strategy="random", evaluations=4, widths=(4, 8), granularity="stage", time_steps=(2,), state_widths=(8,)
        ),
        **more,
    )


def test_float_potentials_have_no_such_widths():
    with pytest.raises(ConfigError, match=r"activations\.stream: only the integer network .* search\.state_widths"):
        prepare(config(activations=Activations(stream=8)).model_copy(update={"search": Search(state_widths=())}))


def test_a_run_with_narrow_activations_is_measured_costed_and_exported_with_them(tmp_path):
    chosen = config(activations=Activations(image=6, stream=10, between={"block3": 6, "ConvBlock2_1": 8}))
    assert parse_config(json.loads(chosen.model_dump_json())) == chosen
    assert "between:" in dump_config(chosen)
    run = tmp_path / "run"
    search(chosen, run)
    row = pd.read_csv(run / "results.csv").query("origin == 'uniform-4'").iloc[0]

    # the engine by itself, with widths written out by hand
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    images = sviT_models.load_data("digits", "validation", count=32).images
    engine = sviT_models.Engine(model, sviT_models.WeightBank(model, images=images), threads=1)
    by_hand = {"downsample1_1.encode_conv": 6}
    for name in engine.activation_names(images)[1:]:
        stage = name.split(".")[0]
        by_hand[name] = 10 if "." not in name else {"block3": 6, "ConvBlock2_1": 8}.get(stage, 16)
    data = sviT_models.load_data("digits", "search", count=40)
    found = engine.run(data.images, [4] * 138, state_bits=8, activation_bits=by_hand)
    assert row["top1"] == (found.logits.argmax(1) == data.labels.numpy()).mean()
    wide = engine.run(data.images, [4] * 138, state_bits=8)
    assert not np.array_equal(found.logits, wide.logits)

    # narrower inputs of multipliers cost less energy than those of the same run without them
    plain, narrow = prepare(config()), prepare(chosen)
    design = uniform(plain.network.layers, 4, 2)
    assert narrow.costing().columns([design])["energy_j"][0] < plain.costing().columns([design])["energy_j"][0]
    narrow_print = fingerprint(chosen, narrow)
    assert fingerprint(config(), plain) == {k: v for k, v in narrow_print.items() if k != "activations"}

    out = export_design(run, "uniform-4", tmp_path / "chip")
    assert out.top1 == out.recorded == row["top1"]
    spec = json.loads((tmp_path / "chip" / "specification.json").read_text())
    assert spec["image"]["bits"] == 6
    widths = {r["high"] for name, r in spec["rescales"].items() if name.startswith("downsample")}
    assert widths == {2**9 - 1}
    logits = sviT_models.load_export(tmp_path / "chip").run(data.images.numpy()).logits
    np.testing.assert_array_equal(logits, found.logits)
