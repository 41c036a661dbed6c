import itertools
from statistics import NormalDist

import numpy as np
import optuna
import pytest

from dse.errors import ConfigError, EvaluationError
from dse.exploration import study as study_module
from dse.exploration.expected_drop import cheapest_trusted, model_of
from dse.exploration.loop import Loop
from dse.exploration.study import evaluated, finished, open_study
from dse.strategies import load
from dse.surrogate import Learner, prior_of
from tests.dse.toy import WIDTHS, ToyCosting, ToyRunner, every_design, toy_evaluator, toy_problem

PRINT = {"checkpoint": "abc", "data": "digits"}


def loop(runner, strategy="random", problem=None, seed=0):
    problem = problem or toy_problem()
    return Loop(problem, toy_evaluator(runner), ToyCosting().quantities, strategy, load(strategy)(problem, seed))


def searched(tmp_path, budget, strategy="random", seed=0, name="run"):
    path = tmp_path / name
    path.mkdir(exist_ok=True)
    study = open_study(path, PRINT)
    runner = ToyRunner()
    reason = loop(runner, strategy, seed=seed).run(study, budget)
    return study, runner, reason


def bits_of(trial):
    return tuple(WIDTHS[level] for level in trial.user_attrs["levels"])


def test_baselines_come_first_and_are_marked(tmp_path):
    study, _, reason = searched(tmp_path, 8)
    assert [t.user_attrs["origin"] for t in study.trials] == ["uniform-8", "uniform-4", "uniform-2"] + ["random"] * 5
    assert bits_of(study.trials[1]) == (4, 4, 4)
    assert reason == "budget of 8 evaluations used"


def test_values_are_the_measured_drop_and_the_computed_costs(tmp_path):
    study, _, _ = searched(tmp_path, 3)
    eight = study.trials[0]
    # 8 bits x (100 + 400 + 200) weights / 8 = 700 bytes; power 1e-3 (1 + 8 (200 + 4 x 100 + 100) / 8)
    assert eight.values[1] == pytest.approx(700)
    assert eight.values[2] == pytest.approx(1e-3 * (1 + (200 + 400 + 100)))
    assert eight.values[0] == eight.user_attrs["drop"] == eight.user_attrs["evaluation"]["drop"]


def test_a_resumed_search_repeats_nothing(tmp_path):
    searched(tmp_path, 6)
    study, runner, _ = searched(tmp_path, 12)
    assert finished(study) == 12
    # the second process runs the float network once and only designs that the first did not evaluate
    first = {bits_of(t) for t in study.trials[:6]}
    assert not first & set(runner.designs[1:])
    assert len(set(runner.designs)) == len(runner.designs)


def test_a_search_in_two_parts_is_the_search_in_one(tmp_path):
    searched(tmp_path, 5, name="parts")
    parts, _, _ = searched(tmp_path, 11, name="parts")
    whole, _, _ = searched(tmp_path, 11, name="whole")
    assert [bits_of(t) for t in parts.trials] == [bits_of(t) for t in whole.trials]


@pytest.mark.parametrize("strategy", ["random", "nsga2", "tpe", "guided"])
def test_the_same_seed_gives_the_same_search(tmp_path, strategy):
    runs = [searched(tmp_path, 12, strategy, seed=3, name=name)[0] for name in ("one", "two")]
    one, two = ([(bits_of(t), t.values) for t in study.trials] for study in runs)
    assert one == two


def test_the_front_of_a_full_search_is_the_brute_force_front(tmp_path):
    study, _, _ = searched(tmp_path, 60, "guided")
    evaluator = toy_evaluator(ToyRunner())
    truth = {}
    for design in every_design():
        truth[design.weight_bits] = (evaluator(design).drop, *ToyCosting.values(design.weight_bits))

    def dominated(p):
        return any(all(x <= y for x, y in zip(q, p, strict=True)) and q != p for q in truth.values())

    front = {bits for bits, values in truth.items() if not dominated(values)}
    found = {bits_of(t) for t in evaluated(study)}
    values = {bits_of(t): tuple(t.values) for t in evaluated(study)}
    best = {
        b
        for b in found
        if not any(all(x <= y for x, y in zip(v, values[b], strict=True)) and v != values[b] for v in values.values())
    }
    assert best == front


def test_of_two_that_begin_a_study_at_once_with_other_inputs_one_is_refused(tmp_path, monkeypatch):
    """The second comes where it did the most harm: when the first has seen that the study has no inputs yet."""
    real, told = study_module.beside, []

    def beside(study, name):
        monkeypatch.setattr(study_module, "beside", real)
        told.append(open_study(tmp_path, PRINT | {"data": "glyphs"}).user_attrs["fingerprint"])
        return real(study, name)

    monkeypatch.setattr(study_module, "beside", beside)
    with pytest.raises(ConfigError, match="other inputs: data was glyphs and is digits; take another --out"):
        open_study(tmp_path, PRINT)
    assert told == [PRINT | {"data": "glyphs"}]
    assert open_study(tmp_path, PRINT | {"data": "glyphs"}).user_attrs["fingerprint"]["data"] == "glyphs"


def test_a_failing_evaluation_is_a_failed_trial_and_the_search_goes_on(tmp_path):
    study = open_study(tmp_path, PRINT)
    runner = ToyRunner(broken=lambda bits: tuple(bits) == (4, 4, 4))
    loop(runner).run(study, 8)
    failed = [t for t in study.trials if t.state == optuna.trial.TrialState.FAIL]
    assert {bits_of(t) for t in failed} == {(4, 4, 4)}
    assert failed[0].user_attrs["error"] == "RuntimeError: out of memory"
    assert finished(study) == 8
    assert len(study.trials) == 9  # a failed evaluation takes nothing of the budget


def test_ten_failures_in_a_row_stop_the_search(tmp_path):
    study = open_study(tmp_path, PRINT)
    runner = ToyRunner(broken=lambda bits: bits[0] != 32)
    with pytest.raises(EvaluationError, match="10 evaluations in a row failed; the last: out of memory"):
        loop(runner).run(study, 40)
    assert len(study.trials) == 10
    assert finished(study) == 0


def test_logits_that_are_not_finite_fail_the_trial(tmp_path):
    class NaN(ToyRunner):
        def run(self, images, weight_bits, **kwargs):
            out = super().run(images, weight_bits, **kwargs)
            if tuple(weight_bits) == (8, 8, 8):
                out.logits[0, 0] = np.nan
            return out

    study = open_study(tmp_path, PRINT)
    loop(NaN()).run(study, 4)
    assert "NaN or infinite logits" in study.trials[0].user_attrs["error"]


def test_budgets_are_recorded_as_constraints(tmp_path):
    problem = toy_problem({"drop": 1.0, "memory_bytes": 400.0})
    study = open_study(tmp_path, PRINT)
    loop(ToyRunner(), problem=problem).run(study, 3)
    constraints = [t.constraints for t in study.trials]
    assert [c["memory_bytes<=400"] for c in constraints] == [300.0, -50.0, -225.0]  # 700, 350, 175 bytes
    assert constraints[0]["drop<=1"] == study.trials[0].values[0] - 1.0


def test_other_inputs_are_refused_with_the_difference(tmp_path):
    open_study(tmp_path, PRINT)
    with pytest.raises(ConfigError, match=r"data was digits and is glyphs; take another --out, or --allow-mixed"):
        open_study(tmp_path, {**PRINT, "data": "glyphs"})
    mixed = open_study(tmp_path, {**PRINT, "data": "glyphs"}, allow_mixed=True)
    assert mixed.user_attrs["mixed"] == ["data was digits and is glyphs"]
    open_study(tmp_path, {**PRINT, "data": "glyphs"})


@pytest.mark.parametrize("key", ["space", "objectives"])
def test_trials_of_another_space_are_never_taken_for_designs_of_this_one(tmp_path, key):
    open_study(tmp_path, PRINT | {key: "old"})
    with pytest.raises(ConfigError, match=rf"{key} was old and is new; .* {key} differ: take another --out$"):
        open_study(tmp_path, PRINT | {key: "new"}, allow_mixed=True)


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////no/such/folder/x.db"])
def test_a_storage_that_cannot_be_opened_is_a_users_mistake(tmp_path, url):
    with pytest.raises(ConfigError, match="--storage"):
        open_study(tmp_path, PRINT, url=url)


def test_any_optuna_storage_works(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    loop(ToyRunner()).run(open_study(tmp_path, PRINT, url=url), 4)
    assert finished(open_study(tmp_path, PRINT, url=url)) == 4


def test_every_step_is_shown(tmp_path):
    study = open_study(tmp_path, PRINT)
    steps = []
    loop(ToyRunner(), problem=toy_problem({"drop": 100.0})).run(study, 8, lambda s: steps.append((s, s.best)))
    assert [s.done for s, _ in steps] == [*range(1, 9)]
    least = itertools.accumulate((s.trial.values[1] for s, _ in steps), min)  # all keep a budget of 100 points
    assert [None if best is None else best.memory for _, best in steps] == [None] * 4 + [*least][4:]


def test_the_best_so_far_is_not_the_one_that_was_measured_well_by_luck(tmp_path):
    study, problem = open_study(tmp_path, PRINT), toy_problem({"drop": 2.0})
    loop(ToyRunner(), "guided", problem).run(study, 20)
    believed = model_of(study, problem)
    trials = evaluated(study)
    mean, sd = believed.predict(np.array([t.user_attrs["levels"] for t in trials]))
    trusted = [t for t, m, s in zip(trials, mean, sd, strict=True) if NormalDist(m, s).cdf(2.0) >= 0.95]
    best = cheapest_trusted(study, problem, Learner(prior_of(problem)))
    assert best.memory == min(t.values[1] for t in trusted)
