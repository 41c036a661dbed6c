"""A network from the user's own file learns through its graph, and its weights go back to the file's own names."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import sviT_models
from sviT_models import load_data
from sviT_models.errors import ModelError
from sviT_models.training.recipe import command, recipe_for
from sviT_models.training.train import store_training, top1, train

# steps in a loop inside of forward, firing without a surrogate gradient, and a learned offset per pixel
NETWORK = """
import torch
from torch import nn


class LIFNode(nn.Module):
    def __init__(self):
        super().__init__()
        self.tau, self.decay_input, self.v_threshold, self.v_reset = 2.0, True, 0.4, 0.0
        self.step_mode, self.v = "s", 0.0

    def forward(self, x):
        self.v = self.v + (x - self.v) / self.tau
        spike = (self.v >= self.v_threshold).to(x)
        self.v = self.v * (1 - spike)
        return spike


class Net(nn.Module):
    def __init__(self, width, steps, classes):
        super().__init__()
        self.steps = steps
        self.place = nn.Parameter(torch.zeros(1, width, 8, 8))
        self.conv, self.bn, self.lif = nn.Conv2d(3, width, 3, 4, 1), nn.BatchNorm2d(width, momentum=0.3), LIFNode()
        self.fc = nn.Linear(64 * width, classes)

    def forward(self, images):
        self.lif.v = 0.0
        total = 0.0
        for _ in range(self.steps):
            total = total + self.fc(self.lif(self.bn(self.conv(images)) + self.place).flatten(1))
        return total / self.steps


def make(width=4, steps=2, classes=4):
    return Net(width, steps, classes)


class Tied(Net):
    def __init__(self, width, steps, classes):
        super().__init__(width, steps, classes)
        self.again = nn.Linear(classes, classes)
        self.more = nn.Linear(classes, classes)
        self.more.weight = self.again.weight

    def forward(self, images):
        return self.more(self.again(super().forward(images)))


def tied(**options):
    return Tied(4, 2, 4)
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(NETWORK)
    return "mine.py:make"


@pytest.fixture
def bars(tmp_path: Path) -> str:
    """Which quarter of a 32 px image is bright."""
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 4
    images = rng.integers(0, 90, (160, 32, 32), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = 16 * (label // 2), 16 * (label % 2)
        image[row : row + 16, column : column + 16] += 160
    splits = np.array(["train"] * 64 + ["validation"] * 32 + ["search"] * 32 + ["verify"] * 32)
    np.savez(tmp_path / "bars.npz", images=images, labels=labels, split=splits)
    return str(tmp_path / "bars.npz")


def test_a_file_s_network_learns_and_its_weights_are_the_file_s(file, bars):
    recipe = recipe_for(bars, model=file, options={"width": 5}, epochs=6, batch_size=16, learning_rate=0.02, shift=0)
    done = train(recipe)
    assert done.test >= 0.9  # a quarter is guessing
    store_training(done, "w.safetensors")
    module = sviT_models.user_network(file, {"width": 5}).module
    assert load_file("w.safetensors").keys() == module.state_dict().keys()
    sviT_models.load_weights(module, "w.safetensors")
    parts = [load_data(bars, split) for split in ("search", "verify")]
    # the module itself, run as the user wrote it, on the images that it was judged on
    assert np.mean([top1(module, part) for part in parts]) == done.test
    assert module.place.abs().max() > 0.01  # what is neither layer nor norm learns as well
    opened = sviT_models.open_network(file, parts[0].images, options={"width": 5}, checkpoint="w.safetensors")
    assert top1(opened.model, parts[0]) == top1(module, parts[0])


def test_one_step_moves_the_statistics_as_the_module_s_own_norms_would(file, bars):
    recipe = recipe_for(bars, model=file, epochs=1, batch_size=64, shift=0, learning_rate=1e-9)
    done = train(recipe)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        module = sviT_models.user_network(file).module.train()
    with torch.no_grad():
        module(load_data(bars, "train").images)
    found = done.model.weights()
    # two equal steps move the module's statistics twice by 0.3 each, the graph's once: 0.51 and 0.3 of the way
    moved = torch.stack([found["bn.running_mean"], module.bn.running_mean])
    torch.testing.assert_close(moved[0] / 0.3, moved[1] / 0.51, rtol=1e-4, atol=1e-5)


def test_a_training_goes_on_and_starts_from_weights_of_its_own(file, bars, tmp_path):
    recipe = recipe_for(bars, model=file, epochs=2, batch_size=32, half=True)
    whole = train(recipe)

    def stop(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, stop, state=tmp_path / "s.safetensors")
    resumed = train(recipe, state=tmp_path / "s.safetensors", resume=True)
    for key, tensor in whole.model.weights().items():
        assert torch.equal(resumed.model.weights()[key], tensor), key
    store_training(whole, "w.safetensors")
    assert load_file("w.safetensors")["fc.weight"].dtype == torch.float16
    again = train(replace(recipe, start=str(tmp_path / "w.safetensors"), epochs=1, learning_rate=1e-9))
    close = again.model.weights()["fc.weight"] - whole.model.weights()["fc.weight"]
    assert close.abs().max() < 1e-3


def test_the_command_names_the_file_and_its_options(file, bars):
    recipe = recipe_for("digits", model=file, options={"width": 5, "kind": "plain"})
    assert recipe.time_steps is None
    expected = "svit-dse train --data digits --model mine.py:make --option width=5 --option kind=plain --seed 0"
    assert command(recipe) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"widht": 5}}, r"mine.py:make has no option widht; did you mean width\? There are: width, steps"),
        ({"options": {"classes": 3}}, "mine.py:make has 3 classes, .* has 4; build it for as many"),
        ({"model": "mine.py:tied"}, "again.weight and more.weight are one tensor; train it with a script of its own"),
        ({"time_steps": 5}, "runs 2 time steps, not 5; build it for the number wanted"),
        ({"model": "mine.py:mak"}, "no function or class 'mak'; it has: LIFNode, Net, make"),
        ({"model": "yours.py:make"}, "yours.py:make: no such Python file"),
    ],
)
def test_mistakes_are_named_before_the_first_step(file, bars, changes, message):
    with pytest.raises(ModelError, match=message):
        train(recipe_for(bars, **{"model": file, **changes}))
