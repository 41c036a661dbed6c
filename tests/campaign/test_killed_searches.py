"""The command line killed, interrupted, or without its database: what was finished is kept, the answer is the same."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import psycopg
import pytest

from tests.campaign import postgres
from tests.shared import once

pytestmark = pytest.mark.campaign
CONFIG = """\
hardware: seneca_like  # a chip without knobs, whose settings need no enumeration
data: {name: digits, search_images: 40, verify_images: 40, fisher_images: 16}
quantization: {method: nearest}
search: {strategy: random, evaluations: EVALUATIONS, widths: [4, 8]}
"""
PATIENCE = 300.0  # s
FINISHED = '"op_code":6,'  # of a line of the journal that ends a trial


def configured(folder: Path, evaluations: int = 12) -> Path:
    """A configuration whose search takes seconds."""
    (folder / "my.yaml").write_text(CONFIG.replace("EVALUATIONS", str(evaluations)), encoding="utf-8")
    return folder


def started(folder: Path, *words: object, group: bool = False, **environment: str) -> subprocess.Popen[str]:
    """`svit-dse WORDS` in a folder; in a process group of its own where `group`."""
    command = [sys.executable, "-m", "dse.cli", *map(str, words)]
    outside = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.Popen(
        command,
        cwd=folder,
        env=outside,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=group,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Status and streams of a command."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def run(folder: Path, *words: object) -> tuple[int, str, str]:
    """`svit-dse WORDS` from beginning to end."""
    return ended(started(folder, *words))


def until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something is true, while the command still runs."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def finished(journal: Path) -> int:
    """Trials that have ended, as the journal tells."""
    return journal.read_text(encoding="utf-8").count(FINISHED) if journal.is_file() else 0


def whole(factory: pytest.TempPathFactory) -> Path:
    """The run directory of an undisturbed search, made once for all workers of the test run."""

    def make(folder: Path) -> None:
        assert run(configured(folder), "search", "my.yaml", "--out", "whole", "--no-report")[0] == 0

    return once(factory, "whole-search", make) / "whole"


def same(one: Path, two: Path) -> bool:
    """Whether two runs have the same designs, values and picks."""
    return all((one / name).read_bytes() == (two / name).read_bytes() for name in ("results.csv", "picks.json"))


def tables(folder: Path) -> dict[str, bytes]:
    """All tables and picks of a run but its history, which says when each design was measured."""
    files = [*folder.glob("*.csv"), folder / "picks.json"]
    return {file.name: file.read_bytes() for file in files if file.name != "history.csv"}


def test_threads_batches_and_kills_change_no_bit_of_a_search(tmp_path):
    """The default strategy on reconstructed weights, whose sums and fits a change of their order would show in."""
    for batch in (40, 7):
        text = "hardware: tick_batched_28nm\n"
        text += "data: {name: digits, search_images: 40, verify_images: 40, fisher_images: 16, calibration_images: 64, "
        text += f"batch_size: {batch}}}\nsearch: {{evaluations: 10, widths: [2, 4, 8]}}\n"
        (tmp_path / f"batches-of-{batch}.yaml").write_text(text, encoding="utf-8")
    assert run(tmp_path, "search", "batches-of-40.yaml", "--out", "whole", "--no-report")[0] == 0
    words = ["search", "batches-of-7.yaml", "--out", "run", "--no-report"]
    journal = tmp_path / "run" / "study.journal"
    for threads, count in (("2", 2), ("1", 7)):
        search = started(tmp_path, *words, OMP_NUM_THREADS=threads)
        until(lambda count=count: finished(journal) >= count, search)
        search.kill()
        search.communicate()
    status, _, err = ended(started(tmp_path, *words, OMP_NUM_THREADS="2"))
    assert (status, "resuming a study" in err) == (0, True), err
    assert len(tables(tmp_path / "run")) > 5
    assert tables(tmp_path / "run") == tables(tmp_path / "whole")


def test_a_search_whose_database_is_killed_says_so_in_one_line_and_goes_on_when_it_is_back(tmp_path, tmp_path_factory):
    folder, undisturbed = configured(tmp_path), whole(tmp_path_factory)
    with postgres.server() as server:
        url = server.url.replace("svit@", "svit:Hunter2-TopSecret@")
        words = ["search", "my.yaml", "--out", "run", "--no-report", "--storage", url]
        first = started(folder, *words)
        assert first.stderr is not None
        for line in first.stderr:
            if re.match("search [1-9]", line):  # a design is measured
                break
        server.kill()
        status, out, err = ended(first)
        own = [line for line in err.splitlines() if re.match("svit-dse: (?!warning)", line)]
        assert (status, out) == (1, ""), err
        assert len(own) == 1, err
        assert "Traceback" not in err
        assert "Hunter2" not in err
        assert own[0].endswith("what was finished is kept there: once it answers, run the same command again")
        without = run(folder, *words)
        assert without[0] == 2
        assert without[2].splitlines()[-1].endswith("check the address, and that the database runs")
        assert "Traceback" not in without[2]
        server.start()
        status, _, err = run(folder, *words)
        assert (status, "resuming a study" in err) == (0, True)
    assert same(folder / "run", undisturbed)


def processes(folder: Path) -> list[int]:
    """Processes that work in a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (place / "cwd").resolve() == folder.resolve() and b"dse.cli" in (place / "cmdline").read_bytes():
                found.append(int(place.name))
        except OSError:  # it has ended, or is another user's
            continue
    return found


@pytest.mark.parametrize("who", ["the process group", "the parent only"])
def test_ctrl_c_ends_a_search_and_its_workers_and_leaves_the_front_so_far(tmp_path, who):
    folder = configured(tmp_path, evaluations=200)
    out = folder / "run"
    words = ["search", "my.yaml", "--out", "run", "--no-report"]
    search = started(folder, *words, "--workers", 2, group=True)
    until(lambda: finished(out / "study.journal") >= 9, search)
    assert len(processes(folder)) == 2
    if who == "the parent only":
        search.send_signal(signal.SIGINT)
    else:
        os.killpg(search.pid, signal.SIGINT)
    status, printed, err = ended(search)
    assert (status, printed) == (130, ""), err
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "interrupted; run the same command again to go on"
    assert processes(folder) == []
    for log in out.glob("worker-*.log"):
        assert "Traceback" not in log.read_text(encoding="utf-8")
    front = pd.read_csv(out / "front-so-far.csv")
    assert len(front) >= 3
    assert front["on_front"].all()
    if who == "the parent only":
        return  # it left what an interrupted group leaves, which the other case goes on from
    measured = finished(out / "study.journal")
    status, _, err = run(folder, *words, "--evaluations", measured + 2)
    assert status == 0, err
    assert not (out / "front-so-far.csv").exists()
    assert set(front["id"]) <= set(pd.read_csv(out / "results.csv")["id"])


def test_workers_of_a_search_that_is_killed_end_by_themselves(tmp_path):
    folder = configured(tmp_path, evaluations=200)
    search = started(folder, "search", "my.yaml", "--out", "run", "--no-report", "--workers", 2, group=True)
    until(lambda: finished(folder / "run" / "study.journal") >= 4, search)
    search.kill()
    search.communicate()
    end = time.monotonic() + 60
    while processes(folder):
        assert time.monotonic() < end
        time.sleep(0.2)


class Written(NamedTuple):
    """Rows of verification that a storage holds: begun and measured."""

    pieces: int
    results: int


def written(journal: Path, url: str | None) -> Written:
    """What the journal, or the database instead, says of verification; nothing before it is there."""
    if url is None:
        text = journal.read_text(encoding="utf-8") if journal.is_file() else ""
        return Written(text.count('"piece":'), text.count('"result":'))
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        if connection.execute("SELECT to_regclass('trial_user_attributes')").fetchone() == (None,):
            return Written(0, 0)
        query = "SELECT count(*) FROM trial_user_attributes WHERE key = %s"
        found = [connection.execute(query, (key,)).fetchone() for key in ("piece", "result")]
    return Written(*(row[0] for row in found if row))


@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_killed_in_verification_and_run_again_it_ends_as_an_undisturbed_search(tmp_path, tmp_path_factory, kind):
    """The one row under way is measured again, and no other."""
    folder, undisturbed = configured(tmp_path), whole(tmp_path_factory)
    rows = written(undisturbed / "study.journal", None).results
    assert rows > 2
    with postgres.server() if kind == "postgresql" else nullcontext() as server:
        url = server.url if server else None
        words = ["search", "my.yaml", "--no-report", "--out", "run", *(("--storage", url) if url else ())]
        search, journal = started(folder, *words), folder / "run" / "study.journal"
        until(lambda: written(journal, url).results > 0, search)
        search.kill()
        search.communicate()
        assert not (folder / "run" / "manifest.json").exists()
        status, _, err = run(folder, *words)
        assert (status, "measured before" in err) == (0, True), err
        end = written(journal, url)
        assert end.results == rows
        assert end.pieces <= rows + 1
        assert same(folder / "run", undisturbed)
        assert (folder / "run" / "verified.csv").read_bytes() == (undisturbed / "verified.csv").read_bytes()
        status, printed, err = run(folder, *words)
        assert (status, err) == (0, "")
        assert printed == "this search is finished, there is nothing to do; run directory: run\n"
