"""Optuna's gRPC proxy in front of PostgreSQL: searches through it are those of a journal, also when it is lost."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pandas as pd
import pytest

from tests.campaign import postgres
from tests.campaign.test_killed_searches import PATIENCE, configured, ended, run, same, started, whole

pytestmark = pytest.mark.campaign
SECRET = "Hunter2-TopSecret"
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "cluster.md"


def script(port: int) -> str:
    """The proxy of the how-to, on another port."""
    found = re.search(r"<!-- file: proxy.py -->\n```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    assert 'host="127.0.0.1"' in found[1]
    return found[1].replace("13000", str(port))


class Proxy:
    """A proxy on loopback in front of a database whose password it alone knows."""

    def __init__(self, url: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._environment = {"SVIT_DSE_STORAGE": url}
        self._process = self._started()

    @property
    def url(self) -> str:
        """As `--storage` takes it."""
        return f"grpc://127.0.0.1:{self.port}"

    def _started(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-W", "ignore", "-c", script(self.port)]
        process = subprocess.Popen(words, env=os.environ | self._environment, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return process
            time.sleep(0.1)
        raise AssertionError("the proxy does not start")

    def start(self) -> None:
        """Start it again, after a kill."""
        self._process = self._started()

    def kill(self) -> None:
        """End it as by kill -9."""
        self._process.kill()
        self._process.wait()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    pytest.importorskip("grpc")
    with ExitStack() as stack:
        server = stack.enter_context(postgres.server())
        found = Proxy(server.url.replace("svit@", f"svit:{SECRET}@"))
        stack.callback(found.kill)
        yield found


def test_a_search_through_a_proxy_that_is_lost_and_comes_back_is_that_of_a_journal(tmp_path, tmp_path_factory, proxy):
    folder, undisturbed = configured(tmp_path), whole(tmp_path_factory)
    words = ["search", "my.yaml", "--out", "run", "--no-report", "--storage", proxy.url]
    first = started(folder, *words)
    assert first.stderr is not None
    for line in first.stderr:
        if re.match("search [1-9]", line):  # a design is measured
            break
    proxy.kill()
    status, out, err = ended(first)
    assert (status, out) == (1, ""), err
    last = err.splitlines()[-1]
    assert re.match(f"svit-dse: --storage {proxy.url}: .*what was finished is kept there: ", last), err
    assert "Traceback" not in err
    without = run(folder, *words)
    assert without[0] == 2
    assert without[2].splitlines()[-1].endswith("no proxy answers in 10 s; check the address, and that it runs")
    proxy.start()
    status, _, err = run(folder, *words)
    assert (status, "resuming a study" in err) == (0, True), err
    assert same(folder / "run", undisturbed)
    for file in (folder / "run").rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes()


def test_workers_through_a_proxy_share_the_budget_and_measure_each_design_once(tmp_path, proxy):
    folder = configured(tmp_path, evaluations=16)
    words = ["search", "my.yaml", "--out", "run", "--no-report", "--workers", 3, "--storage", proxy.url]
    status, _, err = run(folder, *words)
    assert status == 0, err
    assert "Traceback" not in err
    table = pd.read_csv(folder / "run" / "results.csv")
    assert table["id"].is_unique
    assert len(table) == 16 + 1  # with the float network
    for log in (folder / "run").glob("worker-*.log"):
        assert "Traceback" not in log.read_text(encoding="utf-8")
