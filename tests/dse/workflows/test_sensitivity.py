"""The precision study and the base setting, on tables made by hand and on the engine."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dse.config.schema import Config, Data, Quantization, Search
from dse.errors import ConfigError
from dse.evaluation import one_at_a_time
from dse.evaluation.distances import measure_distances
from dse.evaluation.prepare import prepare
from dse.problem.design import uniform
from dse.problem.space import Dimension, Space
from dse.results import tables
from dse.workflows import sensitivity as study
from dse.workflows.search import search
from dse.workflows.search_values import Listener

LAYERS = ("downsample2.encode_conv", "block3.0.attn.q_conv.0.body.0", "block3.0.mlp.fc1_conv", "block3.1.mlp.fc1_conv")
SPACE = Space(
    (
        Dimension("w:downsample2.encode_conv", "weight", (2, 4, 32), LAYERS[:1]),
        Dimension("w:block3.0.mlp", "weight", (2, 4, 32), LAYERS[2:3]),
        Dimension("w:block3.1.mlp", "weight", (2, 4, 32), LAYERS[3:]),
        Dimension("v:block3", "state", (6, 8), LAYERS[1:]),
        Dimension("T", "time_steps", (1, 2), ()),
    ),
    LAYERS,
    {LAYERS[1]: 8},
    2,
)
FLOAT = uniform(LAYERS, 32, 2)
TABLE = pd.DataFrame(  # a 3x3 convolution, an attention and two halves of MLPs, each with its shortcut
    [
        (LAYERS[0], "downsample2", "conv", 3, 1, "", ""),
        (LAYERS[1], "block3", "conv", 1, 1, "", ""),
        ("block3.0.attn.qkv", "block3", "attention", 1, 0, "", ""),
        (LAYERS[2], "block3", "conv", 1, 1, "", ""),
        (LAYERS[3], "block3", "conv", 1, 1, "", ""),
        ("block3.0.add", "block3", "add", 1, 0, "block3.0.attn.qkv", LAYERS[0]),
        ("block3.0.add_1", "block3", "add", 1, 0, LAYERS[3], "block3.0.add"),
    ],
    columns=["name", "stage", "kind", "kernel", "weights", "after", "since"],
)


def test_probes_change_one_thing_at_a_time():
    probes = one_at_a_time.group_probes(SPACE, FLOAT, TABLE)
    # 3 groups at 2 widths; 32 bits would change nothing
    assert [(p.group, p.bits) for p in probes] == [(d.name[2:], b) for d in SPACE.dimensions[:3] for b in (2, 4)]
    for probe in probes:
        changed = [b for b in probe.design.weight_bits if b != 32]
        assert changed == [probe.bits]
    assert [(p.type, p.stage) for p in probes[::2]] == [
        ("downsampling", "downsample2"),
        ("MLP", "block3"),
        ("MLP", "block3"),
    ]
    by_type = {(p.type, p.bits): p.design.weight_bits for p in one_at_a_time.type_probes(SPACE, FLOAT, TABLE)}
    assert by_type == {
        ("downsampling", 2): (2, 32, 32, 32),
        ("downsampling", 4): (4, 32, 32, 32),
        ("MLP", 2): (32, 32, 2, 2),
        ("MLP", 4): (32, 32, 4, 4),
    }
    others = one_at_a_time.other_probes(SPACE, FLOAT)
    assert [(p.kind, p.design.state_bits, p.design.time_steps) for p in others] == [
        ("state", {"block3": 6}, 2),
        ("state", {"block3": 8}, 2),
        ("time_steps", {}, 1),
    ]


def _rows(**kl_by_bits):
    """Rows of kind `type` where the drop is 10 points per nat, without noise."""
    return pd.DataFrame(
        [
            {"kind": "type", "type": kind, "bits": bits, "kl": kl, "drop": 10 * kl, "drop_low": 10 * kl - 0.1}
            | {"drop_high": 10 * kl + 0.1, "drop_stderr": 0.05, "images": 1000}
            for kind, values in kl_by_bits.items()
            for bits, kl in values.items()
        ]
    )


def test_the_base_setting_is_the_lowest_width_inside_the_allowance():
    # a budget of 2 points, half of it, two types: 0.5 points each, so KL up to 0.05
    rows = _rows(MLP={2: 0.2, 3: 0.04, 4: 0.01, 8: 0.001}, head={2: 0.03, 3: 0.02, 4: 0.01, 8: 0.001})
    setting = study.base_setting(rows, 2.0, 0.5).set_index("type")
    assert setting["bits"].to_dict() == {"MLP": 3, "head": 2}
    assert (setting["allowance"] == 0.5).all()
    assert setting["predicted"].to_dict() == pytest.approx({"MLP": 0.4, "head": 0.3}, rel=0.15)
    assert setting.loc["MLP", "next_bits"] == 2
    assert setting.loc["MLP", "next_predicted"] > 0.5
    assert setting.loc["MLP", "drop_high"] == pytest.approx(0.5)
    assert pd.isna(setting.loc["head", "next_bits"])
    assert setting["within"].all()


def test_a_narrow_width_beyond_a_bad_one_is_not_trusted():
    rows = _rows(MLP={2: 0.01, 3: 0.3, 4: 0.02, 8: 0.001})
    setting = study.base_setting(rows, 1.0, 0.5)
    assert setting["bits"].tolist() == [4]


def test_where_nothing_is_good_enough_the_widest_is_taken_and_it_is_said():
    setting = study.base_setting(_rows(MLP={2: 0.9, 4: 0.5}), 1.0, 0.5)
    assert setting[["bits", "within"]].to_numpy().tolist() == [[4, False]]


@pytest.mark.parametrize(("budget", "share", "message"), [(1.0, 0.0, "--share is 0"), (0.0, 0.5, "budgets.drop is 0")])
def test_a_budget_that_is_none_is_refused(budget, share, message):
    with pytest.raises(ConfigError, match=message):
        study.base_setting(_rows(MLP={2: 0.1}), budget, share)


def test_the_base_setting_as_a_design_keeps_what_is_pinned():
    setting = pd.DataFrame({"type": ["downsampling", "MLP"], "bits": [4, 2]})
    assert study.base_design(SPACE, FLOAT, setting, TABLE).weight_bits == (4, 8, 2, 2)


def test_the_study_measures_what_single_evaluations_measure():
    config = Config(
        data=Data(search_images=20, verify_images=20, fisher_images=8, batch_size=20),
        quantization=Quantization(method="nearest"),
        search=Search(widths=(2, 8), granularity="stage", state_widths=(8, 16)),
    )
    experiment = prepare(config)
    probes = one_at_a_time.group_probes(experiment.space, experiment.network.float_design, experiment.network.table)[
        -4:
    ]
    others = one_at_a_time.other_probes(experiment.space, experiment.network.float_design)
    probes += [others[0], others[-1]]  # the first stage at 8 bits, all others at 16; one time step
    found = one_at_a_time.measured(experiment, probes, experiment.images)
    evaluator = experiment.evaluator(experiment.images)
    assert found == [evaluator(probe.design) for probe in probes]
    scores = pd.DataFrame([(p.group, p.bits, 0.5) for p in probes], columns=["group", "bits", "score"])
    table = study.sensitivity_table(probes, found, scores)
    assert table["kind"].tolist() == ["weight"] * 4 + ["state", "time_steps"]
    assert table["score"].isna().tolist() == [False] * 4 + [True] * 2
    assert table["drop"].tolist() == [e.drop for e in found]
    assert (table["drop_low"] <= table["drop"]).all()
    assert table["time_steps"].tolist() == [2, 2, 2, 2, 2, 1]


def test_scores_carry_type_and_stage():
    scores = np.arange(15.0).reshape(5, 3)
    table = tables.score_rows(SPACE, scores, TABLE)
    assert list(table.columns) == ["group", "type", "stage", "bits", "score"]
    # 3 weight dimensions of 3 widths
    assert table["score"].tolist() == list(range(9))
    assert table["stage"].tolist() == ["downsample2"] * 3 + ["block3"] * 6


def test_images_that_stay_on_disk_are_refused():
    with pytest.raises(ConfigError, match=r"data\.search_images: these images do not fit into memory"):
        one_at_a_time.measured(None, [], SimpleNamespace(images=SimpleNamespace(part=None)))


@pytest.mark.campaign
def test_a_distance_is_the_divergence_of_one_change_at_a_time():
    config = Config(
        data=Data(search_images=20, fisher_images=16, batch_size=20),
        search=Search(widths=(2, 3, 4), granularity="stage", state_widths=(8,), time_steps=(1, 2)),
        quantization=Quantization(method="nearest"),
    )
    experiment = prepare(config)
    found = measure_distances(experiment, 24)
    images = experiment.source.at_most("validation", 24)
    weights = [i for i, d in enumerate(experiment.space.dimensions) if d.kind == "weight"]
    assert len(weights) < len(experiment.space.dimensions)
    assert found.images == 2 * len(weights) * 24
    # ten evaluations of 20 images are 200 images, less than 16 for each change
    assert measure_distances(experiment).images == 2 * len(weights) * 16
    evaluator = experiment.evaluator(images)
    for i, (row, d) in enumerate(zip(found.distances, experiment.space.dimensions, strict=True)):
        if i not in weights:
            assert np.isnan(row).all()
            continue
        assert np.isnan(row[1])  # 3 bits
        for level in (0, 2):
            bits = tuple(
                d.choices[level] if name in d.layers else 32 for name in experiment.network.float_design.layers
            )
            assert row[level] == pytest.approx(
                evaluator(replace(experiment.network.float_design, weight_bits=bits)).kl, rel=1e-9
            )


@pytest.mark.campaign
def test_a_search_starts_from_both_priors_and_charges_for_them(tmp_path):
    config = Config(
        data=Data(search_images=20, verify_images=20, fisher_images=16, batch_size=20),
        search=Search(
            evaluations=5, widths=(2, 4), granularity="stage", state_widths=(), prior="both", prior_images=16
        ),
        quantization=Quantization(method="nearest"),
    )
    lines = []
    search(config, tmp_path / "run", hear=Listener(lines.append))
    phases = json.loads((tmp_path / "run" / "manifest.json").read_text())["phases"]
    paid = 2 * 16 * sum(d.kind == "weight" for d in prepare(config).space.dimensions)
    assert next(p["images"] for p in phases if p["name"] == "1 precision study") == 16 + paid
    assert any(f"{paid:,} images evaluated" in line for line in lines)
