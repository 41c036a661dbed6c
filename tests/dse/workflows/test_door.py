"""What `check` and `search` refuse before any image runs, and what budgets of a space can be kept."""

import itertools

import numpy as np
import pytest

from dse.config.schema import Config
from dse.errors import ConfigError
from dse.evaluation.prepare import prepare
from dse.optimize.integer_program import InfeasibleError
from dse.workflows.door import check_search
from sviT_models import ModelError

GIVEN = {
    "data": {"search_images": 20, "verify_images": 20, "calibration_images": 16, "fisher_images": 16},
    "quantization": {"method": "nearest"},
    "search": {"widths": [4, 8], "granularity": "stage", "state_widths": [], "time_steps": [2]},
}


def config(**parts):
    return Config.model_validate({key: GIVEN.get(key, {}) | parts.get(key, {}) for key in {*GIVEN, *parts}})


@pytest.fixture(scope="module")
def experiment():
    return prepare(config())


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"search": {"options": {"pop": 4}}}, ConfigError, r"search\.options\.pop: posterior has no such option"),
        (
            {"search": {"strategy": "nsga2", "options": {"population": 1}}},
            ConfigError,
            r"population of nsga2 is 1; expected at least 2",
        ),
        (
            {"search": {"options": {"racing": "no"}}},
            ConfigError,
            r"racing of posterior is 'no'; expected true or false",
        ),
        ({"search": {"strategy": "luck"}}, ConfigError, r"search\.strategy: no strategy 'luck'; there are"),
        ({"constraints": {"allowed": [5]}}, ConfigError, r"constraints\.allowed: width 5 is not searched"),
        ({"constraints": {"equal": [["foo", "bar"]]}}, ConfigError, r"constraints\.equal: no group 'foo'"),
        ({"budgets": {"memory": "1 kB"}}, InfeasibleError, r"budgets\.memory: 1 kB is impossible: the least that"),
    ],
)
def test_what_a_search_would_refuse_is_refused_at_the_door(experiment, parts, error, message):
    with pytest.raises(error, match=message):
        check_search(config(**parts), experiment)


def test_images_of_verification_are_asked_for_at_the_door():
    asked = config(data={"verify_images": 5000})
    with pytest.raises(ModelError, match="split verify: asked for 5000 images"):
        check_search(asked, prepare(asked))


def test_the_reach_of_a_budget_is_that_of_all_designs(experiment):
    """Against every design of the space, costed one by one."""
    given = config(budgets={"memory": "1 MB", "energy": "1 J"})
    found = {quantity.column: ends for quantity, ends in check_search(given, experiment).items()}
    space, costing = experiment.space, experiment.costing()
    every = np.array(list(itertools.product(*(range(len(d.choices)) for d in space.dimensions))))
    costs = costing.of_levels(space, every)
    for column in ("memory_bytes", "energy_j"):
        assert found[column] == pytest.approx((costs[column].min(), costs[column].max()), rel=1e-9)


def test_a_fixed_name_that_the_network_does_not_have_is_told_before_the_network_is_traced(monkeypatch):
    def traced(*_, **__):
        raise AssertionError("the network was traced")

    monkeypatch.setattr("sviT_models.graph.capture._structure", traced)
    monkeypatch.setattr("sviT_models.profile", traced)
    known = "downsample1_1, ConvBlock1_1, downsample1_2, ConvBlock1_2, downsample2, ConvBlock2_1, ConvBlock2_2, "
    known += "downsample3, block3, downsample4, block4, head"
    with pytest.raises(ConfigError) as refused:
        prepare(config(search={"fixed": {"head": 8, "block3.6": 4}}))
    assert str(refused.value) == f"search.fixed: no layer, group, block or stage 'block3.6'; stages are {known}"
    with pytest.raises(AssertionError, match="was traced"):  # a name that may be right
        prepare(config(search={"fixed": {"head": 8, "block3.5": 4, "block3.0.attn.q_conv": 4}}))
