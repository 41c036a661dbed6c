"""The relational storage on PostgreSQL reads and writes what Optuna's own does, and is made by whoever comes first."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import optuna
import psycopg
import pytest

from dse.errors import ConfigError
from dse.exploration import study as study_module
from dse.exploration.study import open_study
from tests.campaign import postgres
from tests.dse.exploration.test_loop import PRINT
from tests.dse.exploration.test_workers import forked, status
from tests.dse.ledger.test_database import both, check_that_both_are_one

pytestmark = pytest.mark.campaign


def test_on_postgresql_what_one_writes_the_other_reads():
    with postgres.server() as server, both(server.url) as studies:
        check_that_both_are_one(*studies)


REAL = study_module._created
PATIENCE = 60.0  # s
REFUSED = 3  # status of a worker whose inputs are not the study's


@contextmanager
def empty_storages(kind: str, folder: Path) -> Iterator[Callable[[int], tuple[Path, str | None]]]:
    """New storages of a kind by number: a run directory, and the URL of a database."""

    def address(turn: int) -> tuple[Path, str | None]:
        (folder / str(turn)).mkdir(exist_ok=True)
        if kind == "journal":
            return folder / str(turn), None
        if kind == "sqlite":
            return folder / str(turn), f"sqlite:///{folder}/{turn}.db?timeout=60"
        with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE made{turn}")
        return folder / str(turn), server.url.replace("/postgres", f"/made{turn}")

    if kind != "postgresql":
        yield address
        return
    with postgres.server() as server:
        yield address


def at_once(place: tuple[Path, str | None], inputs: Sequence[Mapping[str, str]]) -> list[int]:
    """Status of workers, one for each of the inputs, that open a study at one moment and meet again when it is open."""
    start, meeting = time.monotonic() + 0.5, multiprocessing.Barrier(len(inputs))

    def created(*given: object) -> optuna.Study:
        study = REAL(*given)
        meeting.wait(PATIENCE)
        return study

    def work(given: Mapping[str, str]) -> None:
        study_module._created = created
        time.sleep(max(0.0, start - time.monotonic()))  # forking four takes longer on a busy machine
        try:
            open_study(place[0], given, url=place[1])
        except ConfigError as error:
            os._exit(REFUSED if "data was" in str(error) else os.EX_SOFTWARE)

    return [status(pid) for pid in [forked(partial(work, given)) for given in inputs]]


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_workers_that_start_at_once_on_an_empty_database_all_find_one_study(tmp_path, kind):
    with empty_storages(kind, tmp_path) as address:
        for turn in range(8):
            assert at_once(address(turn), [PRINT] * 4) == [os.EX_OK] * 4


@pytest.mark.parametrize("kind", ["journal", "postgresql", "sqlite"])
def test_of_workers_with_other_inputs_that_start_at_once_those_of_one_kind_go_on(tmp_path, kind):
    inputs = [PRINT | {"data": name} for name in ("digits", "glyphs", "digits", "glyphs")]
    with empty_storages(kind, tmp_path) as address:
        for turn in range(5):
            place = address(turn)
            found = at_once(place, inputs)
            first = inputs[found.index(os.EX_OK)]
            assert found == [os.EX_OK if given == first else REFUSED for given in inputs]
            assert at_once(place, inputs[:2]) == found[:2]  # and so it stays
