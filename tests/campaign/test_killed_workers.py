"""Twenty random kill -9 among four workers, on the journal and on PostgreSQL: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from dse.search.loop import Step
from dse.search.study import finished, open_study
from tests.campaign import postgres
from tests.dse.search.test_loop import PRINT, loop
from tests.dse.search.test_workers import UNIFORM, forked, labels, status
from tests.dse.toy import ToyRunner

pytestmark = [pytest.mark.campaign, pytest.mark.filterwarnings("default")]
BUDGET, KILLS, WORKERS = 22, 20, 4


class Slow(ToyRunner):
    """An evaluation long enough to be killed in."""

    def run(self, images, weight_bits, **options):
        time.sleep(0.15)
        return super().run(images, weight_bits, **options)


@pytest.fixture(params=["journal", "postgresql"])
def url(request) -> Iterator[str | None]:
    if request.param == "journal":
        yield None
    else:
        with postgres.server() as server:
            yield server.url


def work(path: Path, url: str | None) -> None:
    study = open_study(path, PRINT, url=url)
    with (path / f"{os.getpid()}.log").open("a", buffering=1) as log:

        def say(step: Step) -> None:
            log.write(json.dumps([step.trial.user_attrs["design"], step.trial.values]) + "\n")

        loop(Slow(), seed=3).run(study, BUDGET, say)


def hang_up(study: optuna.Study) -> None:
    """Close the connections to the database, which would else warn when they are collected."""
    study._storage.remove_session()
    study._storage._backend.engine.dispose()


def test_twenty_kills_lose_nothing(tmp_path, url, request):
    forked_open = forked(lambda: open_study(tmp_path, PRINT, url=url))  # no connection of this process is forked
    assert status(forked_open) == 0
    dice, crew, kills = random.Random(7), [], 0
    while kills < KILLS:
        crew += [forked(lambda: work(tmp_path, url)) for _ in range(WORKERS - len(crew))]
        time.sleep(dice.uniform(0.05, 0.9))
        victims = list(crew) if kills == KILLS // 2 else [dice.choice(crew)]  # once all of them together
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        assert {status(victim) for victim in victims} <= {-signal.SIGKILL, 0}
        crew = [pid for pid in crew if pid not in victims]
        kills += 1
    crew += [forked(lambda: work(tmp_path, url)) for _ in range(WORKERS - len(crew))]
    assert [status(pid) for pid in crew] == [0] * WORKERS
    assert status(forked(lambda: work(tmp_path, url))) == 0  # nothing to do

    study = open_study(tmp_path, PRINT, url=url)
    if url is not None:
        request.addfinalizer(lambda: hang_up(study))
    assert finished(study) == BUDGET
    assert labels(study) == UNIFORM
    assert not [t for t in study.trials if not t.state.is_finished()]
    complete = [t for t in study.trials if t.state == TrialState.COMPLETE]
    measured = Counter(t.user_attrs["design"] for t in complete if not t.user_attrs["repeat"])
    assert max(measured.values()) == 1
    done = {t.user_attrs["design"]: t.values for t in complete}
    said = [json.loads(line) for log in tmp_path.glob("*.log") for line in log.read_text().splitlines()]
    assert len(said) > BUDGET // 2
    assert all(done[design] == values for design, values in said)
