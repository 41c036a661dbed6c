"""Twenty random kill -9 among four workers, on the journal and on PostgreSQL, whose server is among the killed: nothing
lost, nothing twice.
"""

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

from dse.exploration.loop import Step
from dse.exploration.study import finished, open_study
from tests.campaign import postgres
from tests.dse.exploration.test_loop import PRINT, loop
from tests.dse.exploration.test_workers import UNIFORM, forked, labels, status
from tests.dse.toy import ToyRunner

pytestmark = [pytest.mark.campaign, pytest.mark.filterwarnings("default")]
BUDGET, KILLS, WORKERS = 22, 20, 4
DATABASE, WORKERS_ALL, EVERYTHING = 5, 10, 15  # which of the kills meets the server, all workers at once, both


class Slow(ToyRunner):
    """Evaluations long enough to be killed in, and to outlast all the kills together."""

    def run(self, images, weight_bits, **options):
        time.sleep(0.08 * sum(weight_bits))  # 0.5 to 1.9 s
        return super().run(images, weight_bits, **options)


@pytest.fixture(params=["journal", "postgresql"])
def server(request) -> Iterator[postgres.Server | None]:
    if request.param == "journal":
        yield None
    else:
        with postgres.server() as found:
            yield found


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


def killed(number: int, crew: list[int], server: postgres.Server | None, dice: random.Random) -> list[int]:
    """The workers that end with a kill; one that loses its database ends by itself, and the server starts again."""
    lost = server is not None and number in (DATABASE, EVERYTHING)
    if lost:
        server.kill()
    victims = list(crew) if number in (WORKERS_ALL, EVERYTHING) else [] if lost else [dice.choice(crew)]
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    ended = crew if lost else victims
    assert {status(worker) for worker in ended} == {-signal.SIGKILL if victims else 1}  # all of them were at work
    if lost:
        server.start()
    return list(ended)


def test_twenty_kills_lose_nothing(tmp_path, server, request):
    url = None if server is None else server.url
    forked_open = forked(lambda: open_study(tmp_path, PRINT, url=url))  # no connection of this process is forked
    assert status(forked_open) == 0
    dice, crew = random.Random(7), list[int]()
    for number in range(1, KILLS + 1):
        crew += [forked(lambda: work(tmp_path, url)) for _ in range(WORKERS - len(crew))]
        time.sleep(dice.uniform(0.05, 0.5))
        ended = killed(number, crew, server, dice)
        crew = [pid for pid in crew if pid not in ended]
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
