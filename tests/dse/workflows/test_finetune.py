"""Fine-tuning a design of a run: what is written can be loaded, and evaluates to what was recorded."""

import json

import pandas as pd
import pytest

import sviT_models
from dse.config.schema import Config, Data, Quantization, Search
from dse.errors import ConfigError
from dse.results.experiment import experiment_of
from dse.results.run import open_run
from dse.results.tuned_weights import load_weights, with_weights
from dse.workflows.finetune import finetuned
from dse.workflows.search import search

CONFIG = Config(
    data=Data(search_images=20, verify_images=40, fisher_images=8, batch_size=20),
    quantization=Quantization(method="nearest"),
    search=Search(
        strategy="random", evaluations=2, widths=(1, 8), granularity="stage", time_steps=(1,), state_widths=()
    ),
)
SCHEDULE = sviT_models.Schedule(epochs=2, batch_size=8, learning_rate=0.005)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "small"
    search(CONFIG, out)
    return out


def test_a_design_is_fine_tuned_kept_and_measured_as_integers(run):
    before = (run / "results.csv").read_bytes()
    told, parts = [], {}

    def advance(what, place, total):
        parts.setdefault(what, []).append((place, total))

    done = finetuned(run, "uniform-1", SCHEDULE, 16, lambda epoch, loss: told.append(epoch), advance)
    assert told == [1, 2]
    # two epochs of two batches of eight images
    assert parts["training steps"] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert parts["measuring float, before and after"][-1] == (3, 3)
    assert (run / "results.csv").read_bytes() == before
    record = json.loads((done.directory / "design.json").read_text())
    assert record["origin"] == "finetuned"
    assert record["images"] == 40
    assert record["before"]["low"] <= record["before"]["drop"] <= record["before"]["high"]
    # drop before = drop after + what was won back, all on the same images
    assert record["before"]["drop"] == pytest.approx(record["after"]["drop"] + record["gain"]["drop"])

    table = pd.read_csv(run / "finetuned.csv")
    columns = list(pd.read_csv(run / "results.csv").columns)
    assert list(table.columns[: len(columns)]) == columns
    row = table.iloc[0]
    assert (row["id"], row["origin"], row["parent"]) == (done.id, "finetuned", record["parent"])

    design, experiment = open_run(run).design("uniform-1"), experiment_of(open_run(run), "uniform-1")
    weights = load_weights(done.directory, design.layers, design.weight_bits)
    again = with_weights(experiment, weights).evaluator(experiment.images)(design)
    assert again.drop == pytest.approx(row["drop"])
    assert again.kl == pytest.approx(row["kl"])
    assert again.kl != pytest.approx(experiment.evaluator(experiment.images)(design).kl)


@pytest.mark.campaign
def test_the_same_fine_tuning_gives_the_same_design_once(run):
    first = finetuned(run, "uniform-1", SCHEDULE, 16)
    second = finetuned(run, "uniform-1", SCHEDULE, 16)
    assert first == second
    assert (pd.read_csv(run / "finetuned.csv")["id"] == first.id).sum() == 1


def test_designs_that_cannot_be_fine_tuned_are_named(run):
    with pytest.raises(ConfigError, match="--design none: no such id"):
        finetuned(run, "none", SCHEDULE, 16)
    with pytest.raises(sviT_models.ModelError, match="every layer of the design is float"):
        finetuned(run, "float", SCHEDULE, 16)
