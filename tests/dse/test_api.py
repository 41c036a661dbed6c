"""The search as a function: the examples of docs/python-api.md run, and what they return is right."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from dse.api import ModuleRunner, search_table
from dse.api.front import Front
from dse.errors import ConfigError
from dse.exploration.loop import Loop
from tests.dse.toy import IMAGES, LAYERS, WEIGHTS, ToyRunner

PAGE = Path(__file__).parents[2] / "docs" / "python-api.md"
SIZES = dict(zip(LAYERS, WEIGHTS.tolist(), strict=True))
INDEX = np.arange(IMAGES)


def examples():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def test_every_example_of_the_page_is_tried():
    assert (
        len(examples()) == 6
    )  # three below, one in test_own_search.py, the steps of a search and its run in workflows/test_search.py


def test_the_example_that_reads_a_run(small_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "demo-fashion_mnist").symlink_to(small_run)
    names = {}
    exec(examples()[0], names)
    assert names["best"].id in capsys.readouterr().out
    assert json.loads(Path("bits.json").read_text())["id"] == names["best"].id
    assert Path("front.png").stat().st_size > 1000


def test_the_examples_of_the_page_run(capsys):
    _, _, first, second, *_ = examples()  # the first one reads a finished run, the second one makes one
    names = {}
    exec(first, names)
    table = names["table"]
    assert 4 < len(table) <= 14  # the four uniform widths and more; designs that were cut short are no rows
    # by hand: 12 * 24 weights and 24 * 5 weights; biases stay float and are not counted
    bits = table[["w:0", "w:2"]].to_numpy(dtype=float)
    assert table["memory_bytes"].to_numpy() == pytest.approx((bits[:, 0] * 288 + bits[:, 1] * 120) / 8)
    assert table["cost"].to_numpy() == pytest.approx(bits[:, 0] ** 2 * 288 + bits[:, 1] ** 2 * 120)
    assert names["best"]["expected_high"] <= 5.5  # 95 % on one side
    assert list(table.columns[:12]) == [
        *("id", "drop", "drop_low", "drop_high", "expected", "expected_low", "expected_high", "p_within"),
        *("memory_bytes", "cost", "on_front", "feasible"),
    ]
    assert "memory_bytes" in capsys.readouterr().out
    exec(second, names)
    assert list(names["table"].filter(like="w:")) == ["w:first", "w:second", "w:last"]


def test_a_whole_space_gives_the_front_of_brute_force():
    table = search_table(
        ToyRunner(),
        INDEX,
        INDEX % 4,
        weights=SIZES,
        widths=(2, 4, 8),
        evaluations=27,
        options={"stop_gain": 0.0, "racing": False},
    )
    assert len(table) == 27
    points = table[["expected", "memory_bytes", "cost"]].to_numpy()
    for i, on_front in enumerate(table["on_front"]):
        beaten = any((points[j] <= points[i]).all() and (points[j] < points[i]).any() for j in range(27))
        assert on_front != beaten
    found = {tuple(row) for row in table[[f"w:{n}" for n in LAYERS]].to_numpy().tolist()}
    assert found == set(itertools.product((2, 4, 8), repeat=3))


def test_a_design_is_feasible_by_the_model_and_not_by_a_lucky_measurement():
    """With few images the cheapest design that measures within the budget is chosen by its luck; the model is not."""
    table = search_table(
        ToyRunner(), INDEX[:60], INDEX[:60] % 4, weights=SIZES, widths=(2, 4, 8), evaluations=27, drop=4.0,
        options={"stop_gain": 0.0, "racing": False},
    )  # fmt: skip
    mean, sd = table["expected"], (table["expected_high"] - table["expected_low"]) / (2 * 1.959964)
    assert table["p_within"].to_numpy() == pytest.approx(norm.cdf((4.0 - mean) / sd), abs=1e-6)
    assert (table["feasible"] == (table["p_within"] >= 0.95)).all()
    lucky = table[(table["drop"] <= 4.0) & ~table["feasible"]]
    assert len(lucky)  # measured within the budget, and not trusted to be
    assert (table.loc[table["feasible"], "expected"] < 4.0).all()


def test_the_module_runner_rounds_the_layers_it_is_told_to_and_leaves_the_module_alone():
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Linear(4, 3, bias=False))
    module[0].weight.data = torch.tensor([[1.0, -0.5, 0.0, 0.25]] * 3)
    before = module[0].weight.clone()
    runner = ModuleRunner(module)
    out = runner.run(torch.eye(4), [2])
    assert runner.weights == {"0": 12}
    assert len(set(out.logits[:, 0].tolist())) <= 4  # two bits have at most four levels
    assert torch.equal(module[0].weight, before)
    assert np.array_equal(runner.run(torch.eye(4), [32]).logits, before.detach().T.numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": {}}, "no layer with weights"),
        ({"widths": ()}, "widths: give at least one"),
        ({"scores": np.zeros((2, 2))}, r"scores: expected shape \(3, 5\)"),
        ({"cost": lambda bits: np.full(len(bits), np.nan)}, "cost: .* not finite for cost; expected 1 finite numbers"),
        ({"cost": lambda bits: bits}, r"cost: .* shape \(1, 3\) for cost; expected 1 finite numbers"),
        ({"strategy": "simplex"}, "no strategy 'simplex'"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(change, message):
    with pytest.raises(ConfigError, match=message) as error:
        search_table(ToyRunner(), INDEX, INDEX % 4, **({"weights": SIZES, "evaluations": 4} | change))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(IMAGES - 1, int), r"labels: have shape \(\d+,\) for \d+ images; give one class index per image"),
        (np.zeros((IMAGES, 1), int), r"labels: have shape .*; give one class index per image"),
        (np.eye(4, dtype=int)[INDEX % 4], r"labels: have shape .*; give one class index per image"),
        (INDEX % 4 + 0.6, r"labels: are float64; give class indices"),
        (INDEX % 4 - 1, r"labels: the least is -1; class indices start at 0"),
        (INDEX % 4 + 1, r"labels: the largest is 4 and the network has 4 classes; expected 0 to 3"),
    ],
)
def test_labels_that_do_not_fit_are_named(labels, message):
    with pytest.raises(ConfigError, match=message):
        search_table(ToyRunner(), INDEX, labels, weights=SIZES, widths=(4, 8), evaluations=2)


def test_a_search_leaves_every_part_of_the_module_in_its_mode():
    """A batch norm that is frozen in the middle of a training stays so, and one that learns has learned nothing."""
    layers = [torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(), torch.nn.Linear(8, 3)]
    net = torch.nn.Sequential(*layers, torch.nn.BatchNorm1d(3)).train()
    net[1].eval()
    modes, state = [part.training for part in net.modules()], {k: v.clone() for k, v in net.state_dict().items()}
    search_table(net, torch.eye(6), torch.arange(6) % 3, widths=(4, 8), evaluations=2, drop=100.0)
    assert [part.training for part in net.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())


def test_the_last_evaluation_is_the_least_memory_that_the_model_trusts(monkeypatch):
    # 81 designs, 9 evaluated by a strategy without a model: the best one of the model is better than a random one
    sizes = {"a": 100, "b": 400, "c": 200, "d": 5000}
    options = {"weights": sizes, "widths": (2, 4, 8), "strategy": "random", "drop": 30.0, "seed": 2, "evaluations": 9}
    found = search_table(Four(), INDEX, INDEX % 4, **options)
    monkeypatch.setattr("dse.api.table_search.add_exact_picks", lambda *arguments: None)
    plain = search_table(Four(), INDEX, INDEX % 4, **options)
    assert len(found) == len(plain) == 9
    assert (found["id"].isin(plain["id"])).sum() == 8
    least = [table.loc[table["feasible"], "memory_bytes"].min() for table in (found, plain)]
    assert least[0] < least[1]


class Four(ToyRunner):
    """The toy with a fourth layer, which does no harm."""

    def run(self, images, weight_bits, **kwargs):
        return super().run(images, list(weight_bits)[:3], **kwargs)


def test_long_searches_measure_surer_designs_before_the_last_as_the_command_line_does(monkeypatch):
    monkeypatch.setattr("dse.results.verification.LEAST_FOR_SURER", 12)
    seen = []
    measure = Loop.measure
    monkeypatch.setattr(Loop, "measure", lambda self, *given: (seen.append(given[2]), measure(self, *given))[1])
    sizes = {"a": 100, "b": 400, "c": 200, "d": 5000}
    options = {"weights": sizes, "widths": (2, 3, 4, 6, 8), "strategy": "random", "drop": 30.0, "evaluations": 12}
    assert len(search_table(Four(), INDEX, INDEX % 4, **options)) == 12
    assert seen == ["surer", "surer", "exact"]


def test_a_label_with_dollars_is_no_formula():
    table = pd.DataFrame(
        {"name": ["$x$"], "status": ["verified"], "drop": [0.1], "drop_low": [0.0], "drop_high": [0.2]}
    )
    axes = Front(table.assign(memory_bytes=[1e3])).plot()
    (label,) = axes.texts
    assert (label.get_text(), label.get_parse_math()) == ("$x$", False)
