"""Weights of any module from files as training scripts leave them."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sviT_models.checkpoints.weights import load_weights
from sviT_models.errors import ModelError


def network(classes=5):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, classes))


@pytest.fixture
def state():
    torch.manual_seed(3)
    return network().state_dict()


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: {"model": state, "epoch": 3},
        lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}},
        lambda state: {"model_ema": {f"_orig_mod.{key}": value for key, value in state.items()}},
        lambda state: {f"module._orig_mod.{key}": value for key, value in state.items()},
        lambda state: {"n_averaged": torch.tensor(5), **{f"module.{key}": value for key, value in state.items()}},
        lambda state: {key: value for key, value in state.items() if "num_batches_tracked" not in key},
    ],
)
def test_the_layouts_that_people_meet(state, wrapped, tmp_path):
    torch.save(wrapped(state), tmp_path / "net.pth")
    model = network()
    load_weights(model, tmp_path / "net.pth")
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_half_precision_becomes_the_modules_own(state, tmp_path):
    save_file({key: value.half() for key, value in state.items()}, tmp_path / "net.safetensors")
    model = network()
    load_weights(model, tmp_path / "net.safetensors")
    assert model[0].weight.dtype == torch.float32
    assert torch.equal(model[0].weight, state["0.weight"].half().float())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("0.bias"), r"1 missing \(0.bias\)"),
        (lambda s: s.update(more=torch.ones(1)), r"1 unexpected \(more\)"),
        (lambda s: s.update({"0.weight": torch.ones(4, 3, 5, 5)}), r"1 misshapen \(0.weight \(4, 3, 5, 5\) instead of"),
        (lambda s: s.update({"1.bias": torch.tensor([0, 1, float("nan"), 0])}), "1.bias holds NaN or infinity"),
    ],
)
def test_what_does_not_fit_is_named(state, change, message, tmp_path):
    change(state)
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(ModelError, match=message) as raised:
        load_weights(network(), tmp_path / "net.pth")
    assert "\n" not in str(raised.value)


def test_another_number_of_classes_is_named_as_such(tmp_path):
    torch.save(network(classes=7).state_dict(), tmp_path / "net.pth")
    with pytest.raises(ModelError, match="3 has 7 classes, not 5"):
        load_weights(network(), tmp_path / "net.pth")
