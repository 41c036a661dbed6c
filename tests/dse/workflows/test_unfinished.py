"""The report of a search that was killed half-way: what was measured, how much of it there is, and nothing verified."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from dse.config.file import load_config
from dse.results.start import is_unfinished
from dse.workflows.search import search
from dse.workflows.search_values import Listener
from tests.conftest import SMALL
from tests.shared import once

BEFORE = 5  # evaluations before the end


class Killed(BaseException):
    """Ends a search as a killed process does: nothing of it is written any more."""


@contextmanager
def killed_after():
    """Told of every evaluation; ends the search after `BEFORE` of them."""
    left = [BEFORE]

    def step(step):
        left[0] -= 1
        if not left[0]:
            raise Killed

    yield step


def kill(folder: Path) -> None:
    (folder / "my.yaml").write_text(SMALL)
    with pytest.raises(Killed):
        search(load_config(folder / "my.yaml"), folder / "run", command=["search"], hear=Listener(watch=killed_after))


@pytest.fixture
def killed(tmp_path_factory, tmp_path) -> Path:
    """The directory of a search that was killed after five of eight evaluations."""
    shutil.copytree(once(tmp_path_factory, "killed", kill), tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def test_the_report_says_how_many_evaluations_exist_and_calls_nothing_verified(svit, killed, small_run):
    assert is_unfinished(killed)
    journal = (killed / "study.journal").read_bytes()
    said = svit("report", "run")
    assert said.status == 0, said.err
    assert said.out == "run/report/index.html\n"
    told = json.loads((killed / "report" / "report.json").read_text())
    banner = "This search is not finished: 5 of 8 evaluations exist. No design was verified on unseen images"
    assert told["banner"].startswith(banner)
    page = (killed / "report" / "index.html").read_text()
    assert f'role="status">{banner}' in page
    decision = told["sections"]["decision"]
    assert (decision["verdict"], decision["picks"], told["recommended"]) == ("REVIEW", [], None)
    assert decision["sentence"] == told["banner"]  # which the first page of the PDF says
    assert len(told["designs"]) == 1 + BEFORE
    assert {design["unseen"]["status"] for design in told["designs"]} <= {"predicted", "searched"}
    assert not any(design["verified"] for design in told["designs"])
    # the same seed measured the same designs in the whole search
    whole, part = (pd.read_csv(path / "results.csv") for path in (small_run, killed / "so-far"))
    columns = ["id", "origin", "top1", "drop", "memory_bytes", "energy_j"]
    pd.testing.assert_frame_equal(part[columns], whole[columns][: 1 + BEFORE])
    assert (killed / "study.journal").read_bytes() == journal
    assert not (killed / "manifest.json").exists()


def test_going_on_ends_as_if_nothing_had_happened(svit, killed, small_run):
    svit("report", "run", "--out", "interim")
    said = svit("search", "my.yaml", "--out", "run", "--no-report")
    assert said.status == 0, said.err
    assert (killed / "results.csv").read_bytes() == (small_run / "results.csv").read_bytes()
    assert not (killed / "so-far").exists()
    assert not is_unfinished(killed)


def test_what_cannot_be_reported_is_one_line(svit, killed):
    said = svit("report", "run", "--hardware", "generic_22nm")
    assert (said.status, said.err) == (
        2,
        "svit-dse: --hardware generic_22nm: run is not finished; finish the search first\n",
    )
    (killed / "study.journal").unlink()
    said = svit("report", "run")
    assert said.status == 2
    assert said.err.startswith("svit-dse: run/study.journal: no such file, so the study lies in a database")
    assert not (killed / "so-far").exists()
    assert not (killed / "report").exists()


def test_code_that_a_killed_search_from_elsewhere_names_is_not_executed(svit, killed):
    start = json.loads((killed / "search.json").read_text())
    start["configuration"]["search"]["strategy"] = "strategy.py"
    start["paths_from"] = ".."
    (killed / "search.json").write_text(json.dumps(start))
    (killed.parent / "strategy.py").write_text("open('executed', 'w').close()\n")
    said = svit("report", "run")
    assert said.status == 2
    assert "names the Python file" in said.err
    assert not (killed.parent / "executed").exists()
