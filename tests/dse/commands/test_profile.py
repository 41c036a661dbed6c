"""`svit-dse profile --network`: the layer table of any network that can be captured, and its costs."""

import json

import pandas as pd
import pytest
import torch

import costmodels
import sviT_models

NETWORK = """
import torch
from torch import nn
from sviT_models import LIF

class Net(nn.Module):
    def __init__(self, steps, act):
        super().__init__()
        self.steps, self.act = steps, act
        self.stem, self.lif = nn.Conv2d(3, 4, 3, 4), LIF()
        self.conv, self.head = nn.Conv2d(4, 4, 1), nn.Linear(4, 10)

    def forward(self, images):
        x = self.stem(images).expand(self.steps, -1, -1, -1, -1)
        x = x + self.act(self.conv(self.lif(x).flatten(0, 1))).unflatten(0, x.shape[:2])
        return self.head(x.mean((3, 4))).mean(0)

def make(steps=3):
    torch.manual_seed(0)
    return Net(steps, nn.Identity())

def loud():
    net = make(2)
    net.stem.weight.data.mul_(40)
    return net

def gelu():
    return Net(2, nn.GELU())

def averaging():
    torch.manual_seed(0)
    return Net(2, nn.AvgPool2d(3, 1, 1))
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_model.py").write_text(NETWORK)
    return "my_model.py"


def test_a_network_of_the_users_own_has_a_table_and_costs(svit, file, tmp_path):
    said = svit("profile", "--network", f"{file}:make", "--option", "steps=2", "--images", "4", "--out", "layers.csv")
    assert said.status == 0, said.err
    assert "no --checkpoint; the weights are those it is built with" in said.err
    table = pd.read_csv(tmp_path / "layers.csv")
    assert table.name.tolist() == ["stem", "conv", "head", "add"]
    assert table.time_steps.tolist() == [2] * 4
    work = costmodels.Workload.from_csv(tmp_path / "layers.csv")
    assert work.names == ("stem", "conv", "head")
    assert [(each.name, work.names[each.after], each.since) for each in work.streams] == [("add", "conv", "stem")]
    said = svit("estimate", "layers.csv", "--hardware", "generic_45nm", "--bits", "8", "--json")
    assert said.status == 0, said.err
    assert json.loads(said.out)[0]["streams"] is True


def test_a_network_that_cannot_be_evaluated_exactly_has_a_table_and_costs_and_says_so(svit, file, tmp_path):
    refusal = "act.average_pool: an average pool with padding"
    said = svit("profile", "--network", f"{file}:averaging", "--images", "2", "--out", "layers.csv")
    assert said.status == 0, said.err
    assert f"averaging: can be costed but not evaluated exactly, so search and export refuse it: {refusal}" in (
        said.err
    )
    assert costmodels.Workload.from_csv(tmp_path / "layers.csv").names == ("stem", "conv", "head")
    said = svit("estimate", "layers.csv", "--hardware", "generic_45nm", "--bits", "8", "--json")
    assert said.status == 0, said.err
    assert json.loads(said.out)[0]["energy_j"] > 0
    said = svit("profile", "--network", f"{file}:make", "--images", "2")
    assert said.status == 0
    assert "for costs only" not in said.err
    (tmp_path / "my.yaml").write_text("network: {file: my_model.py, build: averaging}\nbudgets: {drop: 5}\n")
    said = svit("search", "my.yaml", "--out", "run")
    assert (said.status, refusal in said.err) == (2, True), said.err


def test_a_chip_with_product_sparsity_takes_a_profile_that_counted_it(svit, file, tmp_path):
    words = ("profile", "--network", f"{file}:loud", "--images", "2", "--out")
    assert svit(*words, "plain.csv").status == 0
    assert svit(*words, "products.csv", "--products").status == 0
    found, plain = (pd.read_csv(tmp_path / name) for name in ("products.csv", "plain.csv"))
    assert list(found.drop(columns=["product_synops", "product_sums"])) == list(plain)
    rows = found[(found["kind"] != "add") & (found["input"] == "spike")]
    assert len(rows)
    assert (rows["product_synops"] <= rows["synops"]).all()
    assert (rows["product_sums"] > 0).all()
    costs = ("--hardware", "prosperity_28nm", "--bits", "8", "--json")
    said = svit("estimate", "plain.csv", *costs)
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "measure them: svit-dse profile --products" in said.err
    said = svit("estimate", "products.csv", *costs)
    assert said.status == 0, said.err
    energy = json.loads(said.out)[0]["energy_j"]
    more = found.assign(product_synops=found["synops"])
    more.to_csv(tmp_path / "nothing.csv", index=False)
    assert energy <= json.loads(svit("estimate", "nothing.csv", *costs).out)[0]["energy_j"]


def test_its_weights_come_from_a_checkpoint(svit, file, tmp_path):
    module = sviT_models.user_network(f"{file}:make").module
    with torch.no_grad():
        module.stem.bias.fill_(-100.0)  # nothing ever fires
    torch.save({"state_dict": module.state_dict()}, "net.pth")
    said = svit(
        "profile", "--network", f"{file}:make", "--checkpoint", "net.pth", "--images", "4", "--out", "layers.csv"
    )
    assert said.status == 0, said.err
    assert pd.read_csv("layers.csv").set_index("name").loc["conv", "spikes"] == 0


def test_a_network_of_the_zoo_is_profiled_by_its_name(svit):
    said = svit(
        *("profile", "--network", "spikingformer_tiny", "--option", "num_classes=10", "--option", "resolution=32"),
        *("--time-steps", "1", "--images", "2", "--json"),
    )
    assert said.status == 0, said.err
    rows = json.loads(said.out)
    assert rows[0]["name"] == "patch_embed.block0_conv"
    assert {row["time_steps"] for row in rows} == {1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--network", "my_model.py:gelu"], "act (GELU): operation gelu is not supported"),
        (
            ["--network", "my_model.py:none"],
            "my_model.py: no function or class 'none'; it has: Net, make, loud, gelu, averaging",
        ),
        (["--network", "none.py:make"], "none.py:make: no such Python file; expected FILE.py:FUNCTION"),
        (["--network", "my_model.py:make", "--option", "steps"], "--option steps: expected KEY=VALUE"),
        (
            ["--network", "my_model.py:make", "--option", "depth=2"],
            "my_model.py:make has no option depth; there are: steps",
        ),
        (["--network", "my_model.py:make", "--time-steps", "9"], "the network runs 3 time steps, not 9"),
        (["--network", "my_model.py:make", "--form", "fused"], "--form: not with --network"),
        (["--option", "steps=2"], "--option steps=2: only with --network"),
        (["--network", "my_model.py:make", "--checkpoint", "none.pth"], "no checkpoint 'none.pth'"),
        (["--network", "spikingformer_tiny", "--option", "wings=2"], "spikingformer_tiny has no option wings"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(svit, file, tmp_path, arguments, message):
    said = svit("profile", *arguments, "--images", "2", "--out", "layers.csv")
    assert said.status == 2
    assert message in said.err
    assert "Traceback" not in said.err
    assert len([line for line in said.err.strip().splitlines() if message in line]) == 1
    assert not (tmp_path / "layers.csv").exists()
