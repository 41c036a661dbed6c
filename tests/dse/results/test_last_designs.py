"""The optima that a search measures last: surer ones for parts of the drop budget, then the one for the budgets."""

from functools import partial

import pytest
from optuna.trial import TrialState

from dse.exploration.best_design import best_under_budgets
from dse.exploration.study import evaluated, finished, open_study
from dse.results import verification
from dse.results.verification import add_exact_picks, last_designs
from tests.dse.exploration.test_loop import PRINT, loop
from tests.dse.toy import ToyCosting, ToyRunner, toy_problem

BUDGET = {"drop": 15.0}


class Costing(ToyCosting):
    """Costs of levels as the command line's costing gives them."""

    def of_levels(self, space, levels):
        memory, power = self.values(space.weight_bits(levels))
        return {"memory_bytes": memory, "power_w": power}


BEST = partial(best_under_budgets, Costing())


@pytest.mark.parametrize(
    ("budgets", "evaluations", "count"),
    [({"drop": 1.0}, 39, 1), ({"drop": 1.0}, 40, 3), ({"memory_bytes": 500.0}, 100, 1), ({}, 100, 1)],
)
def test_only_long_searches_with_a_drop_budget_end_in_surer_designs(budgets, evaluations, count):
    assert last_designs(toy_problem(budgets), evaluations) == count


def ended(path, monkeypatch, kill_after=None):
    """A study of 12 evaluations whose last three are optima; `kill_after` of them, the first process ends."""
    monkeypatch.setattr(verification, "LEAST_FOR_SURER", 12)
    study, worker = open_study(path, PRINT), loop(ToyRunner(), problem=toy_problem(BUDGET))
    worker.run(study, 12 - last_designs(worker.problem, 12))
    if kill_after is not None:
        measure, left = type(worker).measure, [kill_after]

        def killed(self, *arguments):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            measure(self, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(type(worker), "measure", killed)
            with pytest.raises(KeyboardInterrupt):
                add_exact_picks(worker, study, BEST, 12, print)
        study, worker = open_study(path, PRINT), loop(ToyRunner(), problem=toy_problem(BUDGET))
    lines = []
    add_exact_picks(worker, study, BEST, 12, lines.append)
    return study, lines


def told(study):
    return [(t.user_attrs["origin"], t.user_attrs["levels"]) for t in study.trials if t.state == TrialState.COMPLETE]


def test_the_last_three_are_for_a_third_two_thirds_and_all_of_the_drop_budget(tmp_path, monkeypatch):
    study, lines = ended(tmp_path, monkeypatch)
    assert [origin for origin, _ in told(study)][-3:] == ["surer", "surer", "exact"]
    assert finished(study) == 12
    drops = [float(line.split("predicted to lose ")[1].split()[0]) for line in lines]
    assert all(drop < limit for drop, limit in zip(drops, (5.0, 10.0, 15.0), strict=True))
    assert [line.split(" pp")[0] for line in lines[:2]] == [
        f"surer pick: the least memory for a drop of {limit}" for limit in ("5.00", "10.00")
    ]
    assert evaluated(study)[-1].values[1] == min(trial.values[1] for trial in evaluated(study)[-3:])
    assert lines[-1].startswith("exact pick")


@pytest.mark.parametrize("kill_after", [0, 1, 2])
def test_a_search_that_was_killed_between_them_ends_alike(tmp_path, monkeypatch, kill_after):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole, _ = ended(tmp_path / "whole", monkeypatch)
    killed, _ = ended(tmp_path / "killed", monkeypatch, kill_after)
    assert told(killed) == told(whole)


def test_a_budget_that_the_model_trusts_to_no_design_leaves_its_evaluation_to_the_strategy(tmp_path, monkeypatch):
    monkeypatch.setattr(verification, "LEAST_FOR_SURER", 12)
    monkeypatch.setattr(verification, "SURER_SHARES", (-5.0, 2 / 3))
    study, worker = open_study(tmp_path, PRINT), loop(ToyRunner(), problem=toy_problem(BUDGET))
    worker.run(study, 9)
    add_exact_picks(worker, study, BEST, 12, print)
    assert [origin for origin, _ in told(study)][-3:] == ["random", "surer", "exact"]
