"""A network on frames of events, trained in seconds: the first layer runs in every step, and every command follows."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import costmodels
import sviT_models
from dse.results.run import open_run

NETWORK = """
import torch
from torch import nn

from sviT_models import LIF


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.lif1 = nn.Conv2d(2, 8, 5, 4, 2, bias=False), nn.BatchNorm2d(8), LIF(0.5)
        self.fc1, self.lif2, self.fc2 = nn.Linear(8 * 64, 64), LIF(0.3), nn.Linear(64, 36)

    def forward(self, frames):
        x = frames.transpose(0, 1)  # (T, B, 2, H, W)
        x = self.lif1(self.bn(self.conv(x.flatten(0, 1))).unflatten(0, x.shape[:2]))
        return self.fc2(self.lif2(self.fc1(x.flatten(2)))).mean(0)


def make():
    torch.manual_seed(0)
    return Net()
"""
CONFIG = """
network: {file: events.py, build: make}
checkpoint: events.pth
data: {name: event_glyphs, frames: 3, search_images: 36, verify_images: 36, calibration_images: 16, fisher_images: 16}
search: {evaluations: 8, widths: [2, 8]}
budgets: {drop: 50}
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The state_dict of the network after a few seconds of training on 360 samples."""
    file = tmp_path_factory.mktemp("events") / "events.py"
    file.write_text(NETWORK)
    model = sviT_models.user_network(f"{file}:make").module.train()
    data = sviT_models.load_data("event_glyphs", "train", count=360, binning=sviT_models.Binning(3))
    optimizer = torch.optim.Adam(model.parameters(), 0.004)
    frames = data.images[:]
    for _ in range(14):
        for part in torch.randperm(len(frames)).split(60):
            loss = nn.functional.cross_entropy(model(frames[part]), data.labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.state_dict()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.py").write_text(NETWORK)
    (tmp_path / "my.yaml").write_text(CONFIG)
    torch.save({"model": weights}, "events.pth")
    return tmp_path


def test_a_search_on_events(svit, folder):
    said = svit("search", "my.yaml", "--out", "run")
    assert said.status == 0, said.err
    run = open_run(Path("run"))
    table = run.table.set_index("origin")
    assert table.loc["float", "top1"] > 3 / 36  # chance is 1 / 36
    assert set(run.table["time_steps"]) == {3}  # the frames say how many
    assert table.loc["uniform-8", "energy_j"] < table.loc["float", "energy_j"]
    assert Path("run/report/index.html").is_file()
    # the first layer sees events, others in every step: its non-zero inputs are those of all frames
    layers = run.layers.set_index("name")
    sample = sviT_models.load_data("event_glyphs", "validation", count=64, binning=sviT_models.Binning(3)).images[:]
    assert layers.loc["conv", "spikes"] == pytest.approx(float(sample.count_nonzero()) / 64)
    assert costmodels.Workload.from_csv("run/layers.csv").names == ("conv", "fc1", "fc2")
    said = svit("evaluate", "--run", "run", "--design", "uniform-8", "--images", 36, "--json")
    assert said.status == 0, said.err
    assert json.loads(said.out)[0]["health"][0]["rate_3"] > 0


def test_frames_of_another_number_are_one_line(svit, folder):
    (folder / "my.yaml").write_text(CONFIG.replace("search: {", "search: {time_steps: [2], "))
    said = svit("check", "my.yaml")
    assert said.status == 2
    assert "events.py:make as built cannot run 2 time steps, but 3" in said.err
    frames = np.zeros((40, 2, 2, 32, 32), np.uint8)
    np.savez("frames.npz", frames=frames, labels=np.arange(40) % 36)
    (folder / "my.yaml").write_text(CONFIG.replace("event_glyphs", "frames.npz"))
    said = svit("check", "my.yaml")
    assert said.status == 2
    assert "frames.npz" in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_a_profile_by_either_rule_of_binning(svit, folder):
    spikes = []
    for rule in ("count", "time"):
        words = ("--network", "events.py:make", "--checkpoint", "events.pth", "--data", "event_glyphs", "--images", 8)
        said = svit("profile", *words, "--binning", rule, "--time-steps", 4, "--out", f"{rule}.csv")
        assert said.status == 0, said.err
        spikes.append(pd.read_csv(f"{rule}.csv").set_index("name")["spikes"])
        assert (pd.read_csv(f"{rule}.csv")["time_steps"] == 4).all()
    assert spikes[0]["conv"] != spikes[1]["conv"]
