"""A search from Python: a module, an evaluator and cost functions of a caller's own give a run like any other."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import dse
from dse.config.file import parse_config
from dse.errors import ConfigError
from dse.workflows.search import search as by_configuration
from tests.dse.test_api import examples
from tests.shared import once

NET = """
import torch
from torch import nn
from sviT_models import LIF


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8)
        self.lif, self.head = LIF(), nn.Linear(8, 4)

    def forward(self, images):
        steps = self.norm(self.stem(images)).expand(2, -1, -1, -1, -1)
        return self.head(self.lif(steps).mean((3, 4))).mean(0)
"""
SETTINGS = {
    "budgets": {"drop": 20.0},
    "quantization": {"method": "nearest"},
    "data": {"fisher_images": 16, "batch_size": 60},
    "search": {"strategy": "random", "evaluations": 7, "widths": [2, 4, 8]},
}
SCALES = np.array([3.0, 1.0])  # J per bit of the two layers


def quiet(line):
    """Nothing is said."""


def network():
    names = {}
    exec(NET, names)
    torch.manual_seed(0)  # as a network from a file is built
    return names["Net"]()


def arrays():
    rng = np.random.default_rng(5)
    images = rng.normal(size=(350, 3, 8, 8)).astype(np.float32)
    with torch.inference_mode():
        return images, network().eval()(torch.from_numpy(images)).argmax(1).numpy()


def energy(bits, time_steps):
    return time_steps * (bits @ SCALES)


class Bench:
    """Right on every image but the first `wrong` of each call, as many as the narrowest width says."""

    left = 10**9  # calls until the user interrupts

    def run(self, images, weight_bits, *, time_steps, batch_size):
        Bench.left -= 1
        if Bench.left < 0:
            raise KeyboardInterrupt
        with torch.inference_mode():
            logits = network().eval()(images).numpy()
        wrong = 8 - min(min(weight_bits), 8)
        logits[:wrong] = -logits[:wrong]
        return SimpleNamespace(logits=logits)


@pytest.fixture(scope="module")
def own_run(tmp_path_factory):
    """A run with an evaluator and a cost function of the caller's own."""
    made = once(
        tmp_path_factory,
        "own",
        lambda folder: dse.search(
            network(), arrays(), folder / "run", evaluator=Bench(), costs={"energy": energy}, say=quiet, **SETTINGS
        ),
    )
    return dse.load(made / "run")


def test_the_example_of_the_page_gives_a_run_with_its_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(examples()[1], names)
    run, said = names["run"], capsys.readouterr().out
    assert run.pick("recommended").id in said
    assert "verification, round 1" in said
    assert run.pick("recommended").costs["memory_bytes"] <= 2000.0  # the budget of 2 kB
    assert "verified" in run.pick("recommended").drops
    assert Path("runs/own/report/index.html").is_file()
    exec(examples()[1], names)
    assert "this search is finished, there is nothing to do" in capsys.readouterr().out


def test_a_module_is_searched_as_the_same_network_in_a_file(tmp_path, monkeypatch):
    """The same weights, images and settings by another way: the same table, byte by byte."""
    monkeypatch.chdir(tmp_path)
    module = network()
    module.train()
    module.norm.eval()
    before = [part.training for part in module.modules()]
    dse.search(module, arrays(), "own", say=quiet, **SETTINGS)
    assert [part.training for part in module.modules()] == before
    Path("net.py").write_text(NET)
    images, labels = arrays()
    np.savez("images.npz", images=images, labels=labels, classes=np.array(list("0123")))
    tree = {**SETTINGS, "network": "net.py:Net", "data": {**SETTINGS["data"], "name": "images.npz"}}
    by_configuration(parse_config(tree), Path("file"))
    for name in ("results.csv", "verified.csv", "layers.csv", "spikes.csv", "breakdown.csv", "picks.json"):
        assert (Path("own") / name).read_bytes() == (Path("file") / name).read_bytes(), name


def test_own_costs_and_measurements_stand_in_the_run(own_run):
    table = own_run.files.table
    bits = table[["w:stem", "w:head"]].to_numpy(dtype=float)
    assert table["energy_j"].to_numpy() == pytest.approx(table["time_steps"] * (3 * bits[:, 0] + bits[:, 1]))
    # memory stays the chip's: 216 and 32 weights in bytes are below it, as constants and potentials are counted too
    assert (table["memory_bytes"] > (bits @ [216, 32]) / 8).all()
    # 150 images in calls of at most 4 x 60 at once: one call, whose first 8 - b images are wrong
    images = int(table["images"].iloc[0])
    wrong = np.array([8 - min(min(row), 8) for row in bits])
    assert table["drop"].to_numpy() == pytest.approx(100.0 * wrong / images)
    chosen = own_run.files.config.search
    assert chosen.objectives == ("drop", "memory", "energy")


def test_the_run_directory_and_the_report_say_what_was_the_callers(own_run, tmp_path):
    own = json.loads((own_run.files.path / "manifest.json").read_text())["own"]
    assert own["evaluator"]["name"].endswith("test_own_search.Bench")
    assert own["costs"]["energy_j"]["name"].endswith("test_own_search.energy")
    page = own_run.report(tmp_path / "report").read_text()
    assert re.search(r"measured by an evaluator of the caller, [\w.]*test_own_search\.Bench", page)
    assert re.search(r"Functions of the caller computed Energy per image by [\w.]*test_own_search\.energy", page)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search", "RUN/config.yaml", "--out", "RUN"], "this study was made with other inputs: own was"),
        (["reproduce", "RUN", "--out", "again"], "test_own_search.Bench, which a run directory does not hold"),
        (
            ["reestimate", "RUN", "--design", "recommended"],
            "test_own_search.Bench, which a run directory does not hold",
        ),
    ],
)
def test_what_would_mix_two_measures_is_refused(svit, own_run, words, said):
    told = svit(*(word.replace("RUN", str(own_run.files.path)) for word in words))
    assert told.status == 2
    assert said in told.err
    assert "Traceback" not in told.err


def test_costing_again_says_that_it_is_by_the_chips_model(svit, own_run):
    told = svit("estimate", "--run", own_run.files.path)
    assert "by the chip's model (results.csv has energy_j by" in " ".join(told.out.split())


def test_an_interrupted_search_goes_on_to_the_same_table(own_run, tmp_path, monkeypatch, svit):
    monkeypatch.setattr(Bench, "left", 4)
    given = {"evaluator": Bench(), "costs": {"energy": energy}, "say": quiet, **SETTINGS}
    with pytest.raises(KeyboardInterrupt):
        dse.search(network(), arrays(), tmp_path / "run", **given)
    told = svit("report", tmp_path / "run")  # the command line has neither the evaluator nor the costs
    assert told.status == 2
    assert "its evaluator and costs were given in Python; run that program again" in told.err
    assert "\n" not in told.err.strip()
    assert not (tmp_path / "run" / "report").exists()
    Bench.left = 10**9
    run = dse.search(network(), arrays(), tmp_path / "run", **given)
    assert (tmp_path / "run" / "results.csv").read_bytes() == (own_run.files.path / "results.csv").read_bytes()
    assert run.pick().id == own_run.pick().id


IMAGES, LABELS = arrays()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": (IMAGES[:, :2], LABELS)}, r"images: are float32 \(350, 2, 8, 8\); expected floating-point"),
        ({"images": (IMAGES.astype(np.uint8), LABELS)}, "images: are uint8"),
        ({"images": (np.full_like(IMAGES, np.nan), LABELS)}, "images: hold NaN"),
        ({"images": IMAGES}, r"images: is ndarray; expected a pair \(images, labels\)"),
        (
            {"images": {"search": (IMAGES, LABELS)}},
            "images: has the splits search; expected search, verify, validation",
        ),
        ({"images": (IMAGES, LABELS[:-1])}, r"labels: have shape \(349,\) for 350 images"),
        ({"images": (IMAGES, LABELS + 1)}, "labels: the largest is 4 and the network has 4 classes; expected 0 to 3"),
        ({"images": "digits"}, "images: a module takes arrays"),
        ({"costs": {"speed": energy}}, "costs: unknown cost 'speed'; there are memory, energy"),
        (
            {"costs": {"energy": lambda bits, steps: bits}},
            r"costs: .* shape .* for energy_j; expected \d+ finite numbers",
        ),
        (
            {"costs": {"energy": lambda bits, steps: np.full(len(bits), np.inf)}},
            r"costs: .* not finite for energy_j; expected \d+ finite numbers",
        ),
        ({"evaluator": object()}, r"evaluator: object has no method run\(images, weight_bits"),
        ({"hardwear": "x"}, "dse.search: unknown key hardwear; did you mean 'hardware'"),
        ({"budgets": {"memory": "1 B"}}, "budgets.memory: .* is impossible"),
        ({"checkpoint": "x"}, "checkpoint: stands beside the network"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(change, message, tmp_path):
    given = {"images": (IMAGES, LABELS), "say": quiet, **SETTINGS} | change
    with pytest.raises((ConfigError, ValueError), match=message) as error:
        dse.search(network(), given.pop("images"), tmp_path / "runs" / "own", **given)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_an_evaluator_that_gives_something_else_is_named(tmp_path):
    class Short(Bench):
        def run(self, images, weight_bits, **named):
            return SimpleNamespace(logits=np.zeros((1, 4)))

    with pytest.raises(ConfigError, match=r"evaluator: gave logits of shape \(1, 4\) for \d+ images"):
        dse.search(network(), arrays(), tmp_path / "own", evaluator=Short(), say=quiet, **SETTINGS)
    settings = SETTINGS | {"search": {**SETTINGS["search"], "state_widths": [8]}}
    with pytest.raises(ConfigError, match=r"search\.state_widths: an evaluator of your own is given"):
        dse.search(network(), arrays(), tmp_path / "own", evaluator=Bench(), say=quiet, **settings)


def test_a_module_without_layers_that_can_be_captured_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Softplus|softplus"):
        dse.search(nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Softplus()), arrays(), tmp_path / "x", say=quiet)
