"""Verification is shared and kept: whoever measures a row, and whoever is killed, the rows are those of one process."""

import signal
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from optuna.trial import TrialState
from simulated_verification import ladder

from dse.exploration.study import beside, open_study
from dse.ledger import leases
from dse.ledger.journal import Journal
from dse.ledger.shared_work import PIECE, Result, SharedWork
from dse.results.verification import SharedRows
from dse.verification import plan
from tests.dse.exploration.test_loop import PRINT
from tests.dse.exploration.test_workers import forked, killing_write, status


def race():
    """Five candidates on 600 simulated images; several rounds."""
    world = ladder(np.random.default_rng(4), count=1500)
    return replace(world, race=replace(world.race, candidates=world.race.candidates[:5]))


WORLD = race()
WHOLE = []
while tasks := plan(WORLD.race, WHOLE):
    WHOLE += [WORLD.measure(task) for task in tasks]


def verified(folder, url=None, inputs="weights and images", measure=WORLD.measure):
    """All rows by a worker that shares them with others in a storage."""
    shared = SharedRows(SharedWork(beside(open_study(folder, PRINT, url=url), "verification")), inputs)
    rows = []
    while tasks := plan(WORLD.race, rows):
        rows += shared.rows(tasks, measure, lambda done: None)
    return rows


def logging(log):
    """A measurement that says in a file what it begins to measure."""

    def measure(task):
        with log.open("a") as file:
            file.write(f"{task.candidate}/{task.batch}\n")
        return WORLD.measure(task)

    return measure


def trials_of(folder, url=None):
    return beside(open_study(folder, PRINT, url=url), "verification").trials


def test_there_is_more_than_one_round():
    assert max(row.batch for row in WHOLE) >= 2


def test_a_second_process_measures_nothing_again(tmp_path):
    assert verified(tmp_path) == WHOLE
    log = tmp_path / "log"
    assert verified(tmp_path, measure=logging(log)) == WHOLE
    assert not log.exists()


def test_rows_of_other_inputs_are_not_taken_over(tmp_path):
    verified(tmp_path)
    log = tmp_path / "log"
    verified(tmp_path, inputs="other images", measure=logging(log))
    assert len(log.read_text().splitlines()) == len(WHOLE)


@pytest.mark.parametrize("place", ["before", "after"])
def test_killed_at_any_write_and_gone_on_the_rows_are_those_of_an_undisturbed_one(tmp_path, place):
    """Only the row under way is measured twice."""
    for count in (1, 2, 3, 7, 10, 11, 12):
        folder = tmp_path / f"killed{count}"
        folder.mkdir()
        open_study(folder, PRINT)
        write = killing_write(place, count)

        def work(folder=folder, write=write):
            Journal.append_logs = write
            verified(folder, measure=logging(folder / "log"))

        assert status(forked(work)) == -signal.SIGKILL
        assert verified(folder, measure=logging(folder / "log")) == WHOLE, count
        begun = Counter((folder / "log").read_text().splitlines())
        assert sum(begun.values()) - len(begun) <= 1, (count, begun)
        assert len(begun) == len(WHOLE)


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_workers_at_once_measure_every_row_once(tmp_path, kind):
    url = None if kind == "journal" else f"sqlite:///{tmp_path}/s.db?timeout=60"
    beside(open_study(tmp_path, PRINT, url=url), "verification")
    pids = [forked(lambda: verified(tmp_path, url, measure=logging(tmp_path / "log"))) for _ in range(2)]
    assert [status(pid) for pid in pids] == [0] * 2
    begun = Counter((tmp_path / "log").read_text().splitlines())
    assert begun == Counter(f"{row.candidate}/{row.batch}" for row in WHOLE)
    assert verified(tmp_path, url, measure=None) == WHOLE
    done = [t.user_attrs[PIECE] for t in trials_of(tmp_path, url) if t.state == TrialState.COMPLETE]
    assert len(done) == len(set(done)) == len(WHOLE)


def test_a_piece_of_a_worker_that_stands_still_is_done_by_another_and_its_late_result_is_not_counted(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(leases, "DEAD_AFTER", 0.3)
    monkeypatch.setattr(leases, "process_gone", lambda lease: False)  # as seen from another machine
    slow, quick = (SharedWork(beside(open_study(tmp_path, PRINT), "verification")) for _ in range(2))

    def late(piece):
        assert quick.results([piece], lambda piece: Result({"by": "quick"}, 0.0)) == [{"by": "quick"}]
        return Result({"by": "slow"}, 0.0)

    assert slow.results(["a"], late) == [{"by": "quick"}]
    assert [t.user_attrs.get("void") for t in trials_of(tmp_path)] == ["lost", None]


def test_what_cannot_be_measured_is_left_to_others_and_said(tmp_path):
    work = SharedWork(beside(open_study(tmp_path, PRINT), "verification"))
    with pytest.raises(ArithmeticError, match="no number"):
        work.results(["a"], lambda piece: (_ for _ in ()).throw(ArithmeticError("no number")))
    assert [t.user_attrs["void"] for t in trials_of(tmp_path)] == ["lost"]
    assert work.results(["a"], lambda piece: Result({}, 0.0)) == [{}]
