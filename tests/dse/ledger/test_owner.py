"""A run directory has one owner at a time, and what others put there is left alone."""

import os
import signal
import subprocess
import sys

import pytest

from dse.errors import ConfigError
from dse.exploration.study import open_study
from dse.ledger.owner import owned
from tests.dse.conftest import Run

HOLD = "import sys, time\nfrom pathlib import Path\nfrom dse.ledger.owner import owned\n"
HOLD += "with owned(Path(sys.argv[1])):\n    print(1, flush=True)\n    time.sleep(60)\n"


def test_a_living_owner_is_named_and_a_dead_ones_lock_taken_over(tmp_path):
    out = tmp_path / "run"
    other = subprocess.Popen([sys.executable, "-c", HOLD, out], stdout=subprocess.PIPE)
    other.stdout.readline()
    with pytest.raises(ConfigError, match=rf"process {other.pid} on \S+ works in it"), owned(out):
        pass
    other.send_signal(signal.SIGKILL)
    other.wait()
    other.stdout.close()
    with owned(out):
        assert str(os.getpid()) in (out / "owner.lock").read_text()


def test_a_folder_with_files_of_somebody_else_is_refused_before_anything_is_computed(svit: Run, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "results.csv").write_text("mine")
    (tmp_path / "my.yaml").write_text("search: {strategy: random, evaluations: 4}\n")
    said = svit("search", "my.yaml", "--out", "thesis", "--no-report")
    assert said.status == 2
    assert "--out thesis: holds results.csv, which no search wrote; take an empty folder" in said.err
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["results.csv"]
    assert "--out my.yaml: is a file; give a folder" in svit("search", "my.yaml", "--out", "my.yaml").err


def test_a_search_that_is_refused_leaves_no_folder_and_takes_none_away(tmp_path):
    (tmp_path / "before").mkdir()
    for out in (tmp_path / "runs" / "a", tmp_path / "before"):
        with pytest.raises(ConfigError, match="wrong"), owned(out):
            raise ConfigError("wrong")
    assert [p.name for p in tmp_path.iterdir()] == ["before"]


def test_a_worker_needs_a_study_to_join(svit: Run, tmp_path):
    (tmp_path / "my.yaml").write_text("search: {strategy: random, evaluations: 4}\n")
    assert "give --storage URL, or --out" in svit("worker", "my.yaml").err


def test_repair_waits_for_nobody_and_changes_nothing_of_a_search_that_runs(svit: Run, tmp_path):
    journal = tmp_path / "run" / "study.journal"
    journal.parent.mkdir()
    open_study(journal.parent, {"data": "digits"})
    journal.write_bytes(damaged := journal.read_bytes().replace(b"digits", b"glyphs"))
    other = subprocess.Popen([sys.executable, "-c", HOLD, journal.parent], stdout=subprocess.PIPE)
    other.stdout.readline()
    said = svit("repair", "run")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert f"run: process {other.pid} on" in said.err
    assert journal.read_bytes() == damaged
    other.kill()
    other.communicate()
    assert svit("repair", "run").status == 0
    assert len(journal.read_bytes()) < len(damaged)
