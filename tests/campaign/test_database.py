"""The relational storage on PostgreSQL reads and writes what Optuna's own does, and is made by whoever comes first."""

import os
import time

import psycopg
import pytest

from dse.exploration.study import open_study
from tests.campaign import postgres
from tests.dse.exploration.test_loop import PRINT
from tests.dse.exploration.test_workers import forked, status
from tests.dse.ledger.test_database import both, check_that_both_are_one

pytestmark = pytest.mark.campaign


def test_on_postgresql_what_one_writes_the_other_reads():
    with postgres.server() as server, both(server.url) as studies:
        check_that_both_are_one(*studies)


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_workers_that_start_at_once_on_an_empty_database_all_find_one_study(tmp_path, kind):
    with postgres.server() as server:
        for turn in range(8):
            url = f"sqlite:///{tmp_path}/{turn}.db?timeout=60"
            if kind == "postgresql":
                with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE made{turn}")
                url = server.url.replace("/postgres", f"/made{turn}")
            start = time.monotonic() + 0.5

            def work(url=url, start=start):
                time.sleep(start - time.monotonic())
                open_study(tmp_path, PRINT, url=url)

            pids = [forked(work) for _ in range(4)]
            assert [status(pid) for pid in pids] == [os.EX_OK] * 4
