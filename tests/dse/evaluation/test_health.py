"""Firing of designs: with float32 potentials where they have no widths, of the integer network where they have."""

import numpy as np
import pytest

from dse.config.schema import Config, Data, Quantization
from dse.evaluation.experiment import Experiment
from dse.evaluation.health import health_table
from dse.evaluation.prepare import prepare
from dse.problem.design import Design, uniform


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    data = Data(search_images=12, verify_images=12, fisher_images=8, calibration_images=8, batch_size=4)
    return prepare(Config(data=data, quantization=Quantization(method="nearest")))


def with_potentials(experiment: Experiment, bits: int, time_steps: int) -> Design:
    """All weights at 4 bits, all potentials at `bits`."""
    plain = uniform(experiment.network.layers, 4, time_steps)
    return Design(plain.layers, plain.weight_bits, time_steps, dict.fromkeys(experiment.network.lif_by_stage, bits))


def test_rates_are_those_of_the_spikes_that_the_evaluator_counts(experiment):
    design = with_potentials(experiment, 4, 2)
    table = health_table(experiment, {"float": experiment.network.float_design, "design": design})
    assert dict(table.groupby("id")["membrane"].first()) == {"float": "float", "design": "fixed"}
    part = table[table["id"] == "design"].set_index("name")
    evaluation = experiment.evaluator(experiment.images)(design)
    counted = np.array(evaluation.spikes) / (part["neurons"].to_numpy() * 2)
    assert list(part.index) == experiment.network.lif_layers
    np.testing.assert_allclose(part["rate"], counted, rtol=1e-12)
    np.testing.assert_allclose(part["rate"], part[["rate_1", "rate_2"]].mean(axis=1))
    floats = health_table(experiment, {"plain": uniform(experiment.network.layers, 4, 2)})
    assert set(floats["membrane"]) == {"float"}
    assert not np.allclose(floats["rate"], part["rate"])  # the potentials have four bits


def test_on_one_image_at_one_time_step_a_neuron_is_either_dead_or_saturated(experiment, monkeypatch):
    monkeypatch.setattr("dse.evaluation.health.IMAGES", 1)
    table = health_table(experiment, {"design": with_potentials(experiment, 8, 1)})
    np.testing.assert_allclose(table["saturated"], table["rate"], atol=1e-12)
    np.testing.assert_allclose(table["dead"], 1 - table["rate"], atol=1e-12)
