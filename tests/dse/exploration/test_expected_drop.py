"""What the model of all measurements says of each design, and the candidates that follow from it."""

import numpy as np
import optuna
import pandas as pd
import pytest

from dse.exploration.expected_drop import Quality, expectation
from dse.exploration.loop import Loop
from dse.exploration.study import quiet_optuna
from dse.results.candidates import candidates
from dse.results.history import predictions_table
from dse.strategies import load
from dse.surrogate import Diagnostics
from tests.dse.toy import ToyCosting, ToyRunner, toy_evaluator, toy_problem


@pytest.fixture(scope="module")
def searched():
    problem = toy_problem(budgets={"drop": 5.0})
    with quiet_optuna():
        study = optuna.create_study(directions=["minimize"] * 3)
    loop = Loop(
        problem, toy_evaluator(ToyRunner()), ToyCosting().quantities, "posterior", load("posterior")(problem, 0)
    )
    loop.run(study, 16)
    return study, problem


def test_every_design_has_an_expectation_near_its_measurement(searched):
    study, problem = searched
    found, _ = expectation(study, problem)
    measured = {t.user_attrs["design"]: t.user_attrs["drop"] for t in study.trials if "drop" in t.user_attrs}
    assert set(found.index) <= set(measured)
    drops = np.array([measured[i] for i in found.index])
    assert (found["sd"] > 0).all()
    assert np.corrcoef(found["expected"], drops)[0, 1] > 0.8


def test_proposals_are_predicted_before_they_are_measured_and_baselines_are_not(searched):
    study, _ = searched
    table = predictions_table(study)
    origins = {t.user_attrs["design"]: t.user_attrs["origin"] for t in study.trials}
    assert len(table)
    assert {origins[i] for i in table["id"]} == {"posterior"}
    measured = {t.user_attrs["design"]: t.user_attrs["drop"] for t in study.trials if "drop" in t.user_attrs}
    assert table["measured"].tolist() == [measured[i] for i in table["id"]]


def test_a_model_says_how_far_it_can_be_trusted(searched):
    _, quality = expectation(*searched)
    record = quality.record
    trials = [t for t in searched[0].trials if "drop" in t.user_attrs]
    assert 5 <= record["count"] <= len(trials)
    assert record["r2"] <= record["additivity"] <= 1  # noise of the measurements is no harm that fails to add up
    inside = record["coverage"] * record["count"]
    assert inside == pytest.approx(round(inside))  # a share of the designs
    assert quality.lines[0].startswith(f"model: predicts each of {record['count']} designs from the others")
    assert f"R2 = {record['r2']:.2f}; {record['coverage']:.0%} of the measurements" in quality.lines[0]
    assert any("explains only" in line for line in quality.lines) == (record["additivity"] < 0.8)
    assert quality.lines[1].startswith("scores ")  # whether they are trusted
    assert set(record) == {"r2", "coverage", "additivity", "count", "search_bias", "says", "learned", "scatter"}
    assert record["says"] == quality.lines
    few = Quality(Diagnostics(np.nan, np.nan, np.nan, 2))
    assert few.lines == ["model: too few designs of interest (2) to judge it"]
    assert few.record == {"r2": None, "coverage": None, "additivity": None, "count": 2, "search_bias": 0.0} | {
        "says": few.lines,
        "learned": None,
        "scatter": None,
    }
    poor = Quality(Diagnostics(0.1, 0.9, 0.05, 40))
    assert "look 0.30 pp worse" in Quality(Diagnostics(0.9, 0.95, 0.9, 40), 0.3).lines[1]
    assert "look 0.20 pp better" in Quality(Diagnostics(0.9, 0.95, 0.9, 40), -0.2).lines[1]
    assert poor.lines[2].startswith("warning: the additive model explains only 5%")


def test_candidates_are_a_ladder_of_chances():
    # memory and expected drop of four designs; the limit is 1: chances are 0.98, 0.84, 0.5 and 0.02
    table = pd.DataFrame(
        {
            "id": list("abcd"),
            "origin": "posterior",
            "fits": True,
            "drop": [0.2, 0.4, 0.1, 0.3],
            "drop_low": [-1.0] * 4,
            "drop_high": [1.5] * 4,
            "memory_bytes": [40.0, 30.0, 20.0, 10.0],
            "power_w": [4.0, 3.0, 2.0, 1.0],
            "on_front": [False, False, True, True],
        }
    )
    expected = pd.DataFrame({"expected": [0.0, 0.5, 1.0, 2.0], "sd": 0.49}, index=list("abcd"))
    ids = candidates(table, {"drop": 1.0}, "power_w", expected=expected)
    assert ids[:3] == ["a", "b", "c"]
    assert "a" not in candidates(table, {"drop": 1.0, "memory_bytes": 35.0}, "power_w", expected=expected)
