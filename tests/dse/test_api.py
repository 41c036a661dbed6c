"""The search as a function: the examples of docs/python-api.md run, and what they return is right."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from dse.api import ModuleRunner, search
from dse.errors import ConfigError
from tests.dse.toy import IMAGES, LAYERS, WEIGHTS, ToyRunner

PAGE = Path(__file__).parents[2] / "docs" / "python-api.md"
SIZES = dict(zip(LAYERS, WEIGHTS.tolist(), strict=True))
INDEX = np.arange(IMAGES)


def examples():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def test_the_examples_of_the_page_run(capsys):
    first, second, *_ = examples()
    names = {}
    exec(first, names)
    table = names["table"]
    assert 4 < len(table) <= 14  # the four uniform widths and more; designs that were cut short are no rows
    # by hand: 12 * 24 weights and 24 * 5 weights; biases stay float and are not counted
    bits = table[["w:0", "w:2"]].to_numpy(dtype=float)
    assert table["memory_bytes"].to_numpy() == pytest.approx((bits[:, 0] * 288 + bits[:, 1] * 120) / 8)
    assert table["cost"].to_numpy() == pytest.approx(bits[:, 0] ** 2 * 288 + bits[:, 1] ** 2 * 120)
    assert names["best"]["drop"] <= 5.0
    assert "memory_bytes" in capsys.readouterr().out
    exec(second, names)
    assert list(names["table"].filter(like="w:")) == ["w:first", "w:second", "w:last"]


def test_a_whole_space_gives_the_front_of_brute_force():
    table = search(
        ToyRunner(),
        INDEX,
        INDEX % 4,
        weights=SIZES,
        widths=(2, 4, 8),
        evaluations=27,
        options={"stop_gain": 0.0, "racing": False},
    )
    assert len(table) == 27
    points = table[["drop", "memory_bytes", "cost"]].to_numpy()
    for i, on_front in enumerate(table["on_front"]):
        beaten = any((points[j] <= points[i]).all() and (points[j] < points[i]).any() for j in range(27))
        assert on_front != beaten
    found = {tuple(row) for row in table[[f"w:{n}" for n in LAYERS]].to_numpy().tolist()}
    assert found == set(itertools.product((2, 4, 8), repeat=3))


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
        ({"cost": lambda bits: np.full(len(bits), np.nan)}, "cost: expected 1 finite numbers"),
        ({"strategy": "simplex"}, "no strategy 'simplex'"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(change, message):
    with pytest.raises(ConfigError, match=message) as error:
        search(ToyRunner(), INDEX, INDEX % 4, **({"weights": SIZES, "evaluations": 4} | change))
    assert "\n" not in str(error.value)
