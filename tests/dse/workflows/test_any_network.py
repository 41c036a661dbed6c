"""A network from the user's own file, and one of the zoo, through every step of a run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

import sviT_models
from dse.config.file import dump_config, load_config, parse_config
from dse.config.schema import Config
from dse.errors import ConfigError
from dse.evaluation.opened import open_configured
from dse.evaluation.prepare import fingerprint, prepare
from dse.results.run import open_run
from sviT_models import ModelError
from sviT_models.graph.run import run as float_run

NETWORK = '''
"""A convolutional network as people write them with SpikingJelly: steps in a loop inside of forward."""
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
    def __init__(self, width, steps):
        super().__init__()
        self.steps = steps
        self.conv1, self.bn1, self.lif1 = nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), LIFNode()
        self.conv2, self.bn2, self.lif2 = nn.Conv2d(width, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), LIFNode()
        self.pool, self.fc = nn.MaxPool2d(2), nn.Linear(16 * width, 10)

    def forward(self, images):
        self.lif1.v = self.lif2.v = 0.0
        total = 0.0
        for _ in range(self.steps):
            x = self.lif1(self.bn1(self.conv1(images)))
            x = self.lif2(self.bn2(self.conv2(x)))
            total = total + self.fc(self.pool(x).flatten(1))
        return total / self.steps


def make(width=6, steps=3):
    torch.manual_seed(0)
    return Net(width, steps)
'''
CONFIG = """
network: {file: mine.py, build: make, options: {width: 5}}
checkpoint: weights.pth
data: {name: digits, search_images: 20, verify_images: 20, calibration_images: 16, fisher_images: 16}
search: {evaluations: 9, widths: [2, 8], granularity: layer}
budgets: {drop: 20}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, weights as training scripts store them, and a configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(NETWORK)
    module = sviT_models.user_network("mine.py:make", {"width": 5}).module
    for layer in (module.conv1, module.conv2, module.fc):
        layer.weight.data.mul_(2)
    torch.save({"state_dict": {f"module.{key}": value for key, value in module.state_dict().items()}}, "weights.pth")
    (tmp_path / "my.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.campaign
def test_the_users_own_network_from_file_to_report(svit, folder):
    said = svit("search", "my.yaml", "--out", "run")
    assert said.status == 0, said.err
    run = open_run(Path("run"))
    assert {"w:conv1", "w:conv2", "w:fc"} <= set(run.table.columns)
    assert set(run.table["time_steps"]) <= {1, 2, 3}
    manifest = json.loads(Path("run/manifest.json").read_text())
    assert manifest["checkpoint"]["network"] == "mine.py:make"
    assert Path("run/report/index.html").is_file()
    assert load_config(Path("run/config.yaml")).network == load_config(Path("my.yaml")).network
    # the float network is the module's: its classes on the search images
    experiment = prepare(load_config(Path("my.yaml")))
    logits = float_run(experiment.network.model.graph, experiment.images.images)
    right = float((logits.argmax(1) == experiment.images.labels).double().mean())
    assert run.table.set_index("origin").loc["float", "top1"] == pytest.approx(right)
    for words in (
        ("evaluate", "--run", "run", "--design", "uniform-8", "--images", 20),
        ("finetune", "run", "--design", "uniform-2", "--epochs", 1, "--images", 64),
        ("reestimate", "run", "--design", "uniform-2", "--images", 16),
        ("sensitivity", "my.yaml", "--out", "scores.csv"),
        ("evaluate", "--network", "mine.py:make", "--option", "width=5", "--checkpoint", "weights.pth", "--images", 20),
    ):
        said = svit(*words)
        assert said.status == 0, (words, said.err)
    assert set(pd.read_csv("scores.csv")["group"]) == {"conv1", "conv2", "fc"}
    # a run from elsewhere is data: its file is executed when the user says so
    shutil.copytree(folder, "received")
    Path("received/mine.py").write_text(f"open('executed', 'w').close()\n{NETWORK}")
    for words in (("evaluate", "--run", "received/run"), ("export", "received/run", "--out", "chip")):
        said = svit(*words, "--design", "uniform-8")
        assert said.status == 2
        assert "received/mine.py" in said.err
        assert "--trust" in said.err
    assert svit("reproduce", "received/run", "--out", "again").status == 2
    assert not Path("executed").exists()
    assert not Path("again").exists()
    svit("evaluate", "--run", "received/run", "--design", "uniform-8", "--trust")
    assert Path("executed").exists()
    # another file is another network: the study and the run are refused, with what would do
    (folder / "mine.py").write_text(NETWORK.replace("0.4", "0.5"))
    said = svit("search", "my.yaml", "--out", "run")
    assert said.status == 2
    assert "checkpoint" in said.err
    assert "--trust" in svit("evaluate", "--run", "run", "--design", "uniform-8").err
    said = svit("evaluate", "--run", "run", "--design", "uniform-8", "--trust")
    assert said.status == 2
    assert "network mine.py:make has the SHA-256" in said.err


def test_a_checkpoint_that_is_named_is_never_passed_over(svit, folder):
    """Not even the one that a configuration has where it names neither network nor checkpoint."""
    text = CONFIG.replace("checkpoint: weights.pth", "checkpoint: sdtv2_tiny_digits")
    (folder / "my.yaml").write_text(text)
    said = svit("check", "my.yaml")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert said.err.startswith("svit-dse: my.yaml:3: checkpoint: ")
    assert "sdtv2_tiny_digits.safetensors: does not fit the network" in said.err
    tree = {"network": {"name": "sdtv2_tiny", "options": {"time_steps": 1}}, "checkpoint": "sdtv2_tiny_digits"}
    images = sviT_models.load_data("digits", "search", count=20)
    opened = open_configured(Config.model_validate(tree), images)
    assert opened.sha256 == sviT_models.sha256(sviT_models.checkpoint_path("sdtv2_tiny_digits"))
    assert opened.assumed == ""


def test_a_network_without_a_checkpoint_is_said_to_be_as_it_was_built(folder):
    images = sviT_models.load_data("digits", "search", count=20)
    tree = {"network": {"file": "mine.py", "build": "make", "options": {"width": 5}}}
    opened = open_configured(Config.model_validate(tree), images)
    assert opened.assumed == "no checkpoint is named, so mine.py:make has the weights that it is built with"


@pytest.mark.parametrize("name", ["sdtv1_tiny_digits"])
def test_a_trained_network_of_another_family_is_searched_by_its_name(svit, tmp_path, name):
    (tmp_path / "my.yaml").write_text(
        f"checkpoint: {name}\n"
        "data: {name: digits, search_images: 20, verify_images: 20, calibration_images: 16, fisher_images: 16}\n"
        "search: {evaluations: 7, widths: [2, 8], time_steps: [2], state_widths: [6]}\n"
        "budgets: {drop: 20}\n"
    )
    said = svit("search", "my.yaml", "--out", "run", "--no-report")
    assert said.status == 0, said.err
    run = open_run(Path("run"))
    table = run.table.set_index("origin")
    assert table.loc["float", "top1"] >= 0.9
    assert table.loc["uniform-8", "memory_bytes"] < 0.3 * table.loc["float", "memory_bytes"]
    # the design ran with fixed-point potentials, which is what is exported
    said = svit("export", "run", "--design", "uniform-8", "--out", "chip", "--golden", 2)
    assert said.status == 0, said.err
    assert json.loads(Path("chip/specification.json").read_text())["notes"]["top1"] == table.loc["uniform-8", "top1"]
    assert svit("verify-export", "chip").status == 0
    kinds = set(run.layers["kind"])
    assert {"conv", "linear", "attention", "add"} <= kinds  # SDTv1's shortcuts, and the products of its attention


def test_a_network_without_a_checkpoint_is_opened_again_as_it_was_built(folder):
    text = CONFIG.replace("checkpoint: weights.pth\n", "").replace("search: {", "search: {state_widths: [], ")
    (folder / "my.yaml").write_text(text)
    config = load_config(folder / "my.yaml")
    again = parse_config(YAML(typ="safe", pure=True).load(dump_config(config)))
    built = sviT_models.user_network("mine.py:make", {"width": 5}).module
    for each in (config, again):
        assert torch.equal(prepare(each).network.model.fc.weight, built.fc.weight)


def test_workers_search_the_space_of_the_first_process(folder):
    config = load_config(folder / "my.yaml")
    workers = parse_config(YAML(typ="safe", pure=True).load(dump_config(config, as_given=True)))
    spaces = [fingerprint(each, prepare(each))["space"] for each in (config, workers)]
    assert spaces[0] == spaces[1]


def test_identity_follows_code_and_weights(folder):
    config = load_config(folder / "my.yaml")
    first = fingerprint(config, prepare(config))
    assert fingerprint(config, prepare(config)) == first
    weights = torch.load("weights.pth")
    weights["state_dict"]["module.fc.bias"] += 1
    torch.save(weights, "weights.pth")
    second = fingerprint(config, prepare(config))
    (folder / "mine.py").write_text(NETWORK + "\n# a comment\n")
    third = fingerprint(config, prepare(config))
    assert len({f["checkpoint"] for f in (first, second, third)}) == 3
    rest = [{key: value for key, value in f.items() if key != "checkpoint"} for f in (first, second, third)]
    assert rest[0] == rest[1] == rest[2]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"time_steps: []": "time_steps: [5]"}, ConfigError, r"search.time_steps: mine.py:make as built cannot run 5"),
        ({"width: 5": "width: 7"}, ModelError, r"weights.pth: does not fit the network: 11 misshapen .*conv1.weight"),
        ({"width: 5": "depth: 7"}, ModelError, r"mine.py:make has no option depth; there are: width, steps"),
        ({"build: make": "build: fake"}, ModelError, r"no function or class 'fake'; it has: LIFNode, Net, make"),
        ({"checkpoint: weights.pth": "checkpoint: none"}, ModelError, "no checkpoint 'none'"),
        ({"name: digits,": "name: glyphs,"}, ConfigError, r"has 36 classes, network mine.py:make has 10"),
    ],
)
def test_mistakes_name_what_would_do(folder, changes, error, message):
    text = CONFIG.replace("granularity: layer", "granularity: layer, time_steps: []")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "my.yaml").write_text(text)
    with pytest.raises(error, match=message):
        prepare(load_config(folder / "my.yaml"))


def test_levels_stand_where_others_have_time_steps(svit):
    option = ("--option", "embed_dims=[8, 8, 8, 8]", "--option", "levels=2")
    said = svit("evaluate", "--network", "sdtv3_tiny", *option, "--data", "digits", "--images", 10, "--json")
    assert said.status == 0, said.err
    (record,) = json.loads(said.out)
    assert {"rate_1", "rate_2"} <= record["health"][0].keys()
    assert not np.isnan([row["rate"] for row in record["health"]]).any()
    said = svit("evaluate", "--network", "sdtv3_tiny", "--time-steps", 2, "--images", 10)
    assert said.status == 2
    assert "sdtv3_tiny has levels where others have time steps; give levels=2 as an option" in said.err


PLAIN = CONFIG.replace("network: {file: mine.py, build: make, options: {width: 5}}\ncheckpoint: weights.pth\n", "")
GIVEN = ("--network", "mine.py:make", "--option", "width=5", "--checkpoint", "weights.pth")


def test_the_network_of_a_command_line_stands_in_the_place_of_the_configurations(svit, folder):
    (folder / "plain.yaml").write_text(PLAIN)
    said = svit("sensitivity", "plain.yaml", *GIVEN, "--out", "given.csv")
    assert said.status == 0, said.err
    said = svit("sensitivity", "my.yaml", "--out", "named.csv")
    assert said.status == 0, said.err
    pd.testing.assert_frame_equal(pd.read_csv("given.csv"), pd.read_csv("named.csv"))
    assert set(pd.read_csv("given.csv")["group"]) == {"conv1", "conv2", "fc"}


@pytest.mark.parametrize("command", ["search", "check", "sensitivity"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("plain.yaml", "--option", "width=5"), "--option width=5: the configuration names no network; add --network"),
        (("my.yaml", "--option", "width=7"), "weights.pth: does not fit the network: 11 misshapen"),
        (
            ("my.yaml", "--option", "widht=7"),
            "svit-dse: --option widht=7: mine.py:make has no option widht; did you mean width? There are: width,",
        ),
        (("plain.yaml", *GIVEN[:-1], "none"), "svit-dse: --checkpoint none: no checkpoint 'none'"),
        (("plain.yaml", "--network", "sdtv1_tny"), "svit-dse: --network sdtv1_tny: no model 'sdtv1_tny'; the near"),
    ],
)
def test_a_network_that_cannot_be_is_one_line_and_leaves_nothing(svit, folder, command, words, message):
    (folder / "plain.yaml").write_text(PLAIN)
    before = sorted(folder.rglob("*"))
    said = svit(command, *words)
    assert said.status == 2
    assert message in said.err
    assert len([line for line in said.err.splitlines() if line.startswith("svit-dse:")]) == 1
    assert [path for path in sorted(folder.rglob("*")) if path.suffix not in (".pyc", "")] == [
        path for path in before if path.suffix not in (".pyc", "")
    ]
