"""The command line killed, interrupted, or without its database: what was finished is kept, the answer is the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.campaign import postgres

pytestmark = pytest.mark.campaign
CONFIG = """\
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


def same(one: Path, two: Path) -> bool:
    """Whether two runs have the same designs, values and picks."""
    return all((one / name).read_bytes() == (two / name).read_bytes() for name in ("results.csv", "picks.json"))


def test_a_search_whose_database_is_killed_says_so_in_one_line_and_goes_on_when_it_is_back(tmp_path):
    folder = configured(tmp_path)
    assert run(folder, "search", "my.yaml", "--out", "whole", "--no-report")[0] == 0
    with postgres.server() as server:
        url = server.url.replace("svit@", "svit:Hunter2-TopSecret@")
        words = ["search", "my.yaml", "--out", "run", "--no-report", "--storage", url]
        first = started(folder, *words)
        assert first.stderr is not None
        for line in first.stderr:
            if line.startswith("search "):  # a design is measured
                break
        server.kill()
        status, out, err = ended(first)
        own = [line for line in err.splitlines() if line.startswith("svit-dse: ")]
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
    assert same(folder / "run", folder / "whole")
