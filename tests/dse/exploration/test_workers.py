"""Several workers on one study, and workers that are killed: nothing lost, nothing twice, every name its design."""

import importlib
import itertools
import os
import signal
import time
from collections import Counter

import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState
from sqlalchemy import event

from dse.exploration import together
from dse.exploration.claims import Claims, Wanted
from dse.exploration.loop import Step
from dse.exploration.study import evaluated, finished, open_study
from dse.ledger import leases
from dse.ledger.attributes import keep
from dse.ledger.journal import Journal
from dse.strategies import load
from tests.dse.exploration.test_loop import PRINT, bits_of, loop
from tests.dse.toy import ToyRunner, toy_problem

UNIFORM = {f"uniform-{bits}": (bits,) * 3 for bits in (8, 4, 2)}


def forked(work):
    """A process that works and ends; its number."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def seen(study):
    """What a table of the study is made from."""
    return repr([(t.number, t.user_attrs["origin"], t.user_attrs["design"], t.values) for t in evaluated(study)])


def status(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def labels(study):
    return {t.user_attrs["origin"]: bits_of(t) for t in evaluated(study) if t.user_attrs["origin"] in UNIFORM}


def killing_write(place, count):
    """A journal's method that ends the process as by kill -9 at the `count`-th write: before it or after it."""
    real = Journal.append_logs
    calls = itertools.count(1)

    def write(self, logs):
        at = next(calls) == count
        if at and place == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, logs)
        if at:
            os.kill(os.getpid(), signal.SIGKILL)

    return write


def killed_at(place, count, tmp_path, budget=8):
    """A worker that is killed at its `count`-th write."""
    write = killing_write(place, count)

    def work():
        study = open_study(tmp_path, PRINT)
        Journal.append_logs = write
        loop(ToyRunner()).run(study, budget)

    return status(forked(work))


def test_a_search_killed_at_any_write_and_resumed_is_the_undisturbed_search(tmp_path):
    (tmp_path / "whole").mkdir()
    whole = open_study(tmp_path / "whole", PRINT)
    loop(ToyRunner()).run(whole, 8)
    told = [(t.user_attrs["origin"], bits_of(t), t.values) for t in evaluated(whole)]
    assert labels(whole) == UNIFORM
    for count in (1, 2, 4, 6, 9, 12, 14, 15, 16, 20):
        path = tmp_path / f"killed{count}"
        path.mkdir()
        assert killed_at("after", count, path) == -signal.SIGKILL
        study = open_study(path, PRINT)
        loop(ToyRunner()).run(study, 8)
        assert [(t.user_attrs["origin"], bits_of(t), t.values) for t in evaluated(study)] == told, count
        assert labels(study) == UNIFORM
        assert finished(study) == 8
        assert not [t for t in study.trials if not t.state.is_finished()]


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_four_workers_at_once_share_the_budget_and_measure_each_design_once(tmp_path, kind):
    url = None if kind == "journal" else f"sqlite:///{tmp_path}/s.db?timeout=60"
    open_study(tmp_path, PRINT, url=url)

    def work():
        study = open_study(tmp_path, PRINT, url=url)
        loop(ToyRunner(), seed=1).run(study, 20)
        (tmp_path / f"seen-{os.getpid()}").write_text(seen(study))

    pids = [forked(work) for _ in range(4)]
    assert [status(pid) for pid in pids] == [0] * 4
    study = open_study(tmp_path, PRINT, url=url)
    assert finished(study) == 20
    assert {(tmp_path / f"seen-{pid}").read_text() for pid in pids} == {seen(study)}  # each ends with the whole study
    assert labels(study) == UNIFORM
    assert not [t for t in study.trials if not t.state.is_finished()]
    measured = [
        t.user_attrs["design"] for t in study.trials if t.state == TrialState.COMPLETE and not t.user_attrs["repeat"]
    ]
    assert max(Counter(measured).values()) == 1


def test_a_worker_whose_counter_stands_still_is_taken_over_and_one_that_renews_it_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "DEAD_AFTER", 0.3)
    monkeypatch.setattr(leases, "RENEW_EVERY", 0.05)
    monkeypatch.setattr(leases, "process_gone", lambda lease: False)  # as seen from another machine
    study, problem = open_study(tmp_path, PRINT), toy_problem()
    study.sampler = load("random")(problem, 0)
    first, second = (Claims(problem, "random", study.sampler) for _ in range(2))
    claim = first.claim(study, 9, first.wanted(study.trials))
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        assert not second.bury(study, study.get_trials(deepcopy=False))
        time.sleep(0.02)
    claim.renewal.__exit__(None, None, None)  # the worker is killed
    while not second.bury(study, study.get_trials(deepcopy=False)):
        time.sleep(0.02)
    again = second.claim(study, 9, second.wanted(study.trials))
    again.renewal.__exit__(None, None, None)
    assert (again.origin, tuple(again.levels)) == ("uniform-8", tuple(claim.levels))
    assert again.trial.user_attrs["again"] == 0
    assert again.trial.user_attrs["turn"] == 0  # random numbers as if nothing had happened


def test_who_comes_second_gets_nothing(tmp_path):
    study, problem = open_study(tmp_path, PRINT), toy_problem()
    study.sampler = load("random")(problem, 0)
    claims = Claims(problem, "random", study.sampler)
    wanted = claims.wanted(study.trials)
    one, two = claims.claim(study, 9, wanted), claims.claim(study, 9, Wanted(wanted.said))
    assert two is None
    assert claims.claim(study, 1, None) is None  # the budget is taken by a trial under way
    one.renewal.__exit__(None, None, None)
    assert [t.user_attrs.get("void") for t in study.trials] == [None, "withdrawn", "withdrawn"]


def test_a_result_that_comes_after_the_worker_was_given_up_is_not_counted_twice(tmp_path):
    study, taken = open_study(tmp_path, PRINT), []

    class Slow(ToyRunner):
        def run(self, images, weight_bits, **options):
            running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if running and not taken:  # another worker takes this one for dead
                taken.append(running[0].number)
                leases.give_up(study, running[0]._trial_id, "lost")
            return super().run(images, weight_bits, **options)

    loop(Slow()).run(study, 5)
    assert taken == [0]
    assert finished(study) == 5
    assert labels(study) == UNIFORM


def test_the_last_design_is_measured_once_whoever_measures_it(tmp_path):
    open_study(tmp_path, PRINT)

    def work():
        study, worker = open_study(tmp_path, PRINT), loop(ToyRunner())
        worker.run(study, 5)
        worker.measure(study, worker.problem.space.nearest_levels(4), "exact", 6)

    assert [status(pid) for pid in [forked(work) for _ in range(3)]] == [0] * 3
    study = open_study(tmp_path, PRINT)
    assert [t.user_attrs["origin"] for t in study.trials if t.state == TrialState.COMPLETE].count("exact") == 1
    assert finished(study) == 6


def test_writes_per_trial_do_not_grow_with_the_number_of_parameters(tmp_path, monkeypatch):
    study, written = open_study(tmp_path, PRINT), []
    loop(ToyRunner()).run(study, 3)
    real = Journal.append_logs
    monkeypatch.setattr(Journal, "append_logs", lambda self, logs: written.append(logs) or real(self, logs))
    loop(ToyRunner()).run(study, 4)
    assert len(written) == 3  # claim, proposal, measurement with state
    assert not [log for logs in written for log in logs if "param_name" in log]


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_attributes_are_kept_together_and_refused_together_where_the_trial_has_ended(tmp_path, kind):
    study = open_study(tmp_path, PRINT, url=None if kind == "journal" else f"sqlite:///{tmp_path}/s.db")
    trial = study.ask()
    keep(trial, {"b": [1, 2], "a": "x"})
    assert study.trials[0].user_attrs == trial.user_attrs == {"b": [1, 2], "a": "x"}
    study.tell(trial, state=TrialState.FAIL)
    with pytest.raises(UpdateFinishedTrialError):
        keep(trial, {"a": "y", "c": 1, "d": 2})
    study.ask()  # what was refused is behind
    assert study.trials[0].user_attrs == {"b": [1, 2], "a": "x"}


def test_statements_per_trial_of_a_database_do_not_grow_with_trials_or_parameters(tmp_path):
    study, said, counted = open_study(tmp_path, PRINT, url=f"sqlite:///{tmp_path}/s.db"), [], []
    engine = study._storage._backend.engine
    event.listen(engine, "before_cursor_execute", lambda c, cursor, statement, *rest: said.append(statement))
    for budget in (3, 8, 9, 18, 19):
        said.clear()
        loop(ToyRunner()).run(study, budget)
        counted.append(len(said))
    assert counted[2] == counted[4]  # one trial, after 8 and after 18
    # three looks at the study and one at the trial (2 each), claim (3), proposal (2), measurement with state (4)
    assert counted[4] <= 17
    engine.dispose()


def test_workers_that_ask_at_once_fit_the_same_measurements_once(tmp_path, monkeypatch):
    study, problem, fits = open_study(tmp_path, PRINT), toy_problem(), []
    loop(ToyRunner(), "posterior").run(study, 4)
    belief = importlib.import_module("dse.surrogate.belief")  # the package has a function of this name
    real = belief.fit
    monkeypatch.setattr(belief, "fit", lambda *given: fits.append(given) or real(*given))
    held = []
    for _ in range(3):  # while the first one measures, the others ask
        study.sampler = load("posterior")(problem, 0)
        held.append(Claims(problem, "posterior", study.sampler).claim(study, 9, None))
    for claim in held:
        claim.renewal.__exit__(None, None, None)
    assert len({tuple(claim.levels) for claim in held}) == 3
    assert len(fits) == 2  # the first one saw nobody to share with


def test_one_display_tells_of_all_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(together, "EVERY", 0.02)
    study, steps = open_study(tmp_path, PRINT), []

    class Slow(ToyRunner):
        def run(self, images, weight_bits, **options):
            time.sleep(0.1)
            return super().run(images, weight_bits, **options)

    crew = [forked(lambda: loop(Slow(), seed=1).run(open_study(tmp_path, PRINT), 12)) for _ in range(2)]
    found = []

    def show(step):
        steps.append(step)
        found.append(step.best)

    with together.shown_together(study, 12, show) as own:
        own(Step(0, 12, 1.0, None, lambda: "the best"))  # found here, in the thread of the search
        assert [status(pid) for pid in crew] == [0, 0]
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert (steps[-1].done, steps[-1].workers) == (12, 0)
    assert max(step.workers for step in steps) == 2
    assert max(step.images_per_second for step in steps) > 0
    assert set(found) == {"the best"}
