"""A finished search is not made again, and what has changed since is seen without preparing a network."""

import shutil

import pytest

from dse.config.file import load_config
from dse.workflows.again import finished_run
from tests.conftest import SMALL
from tests.dse.conftest import Run


@pytest.fixture
def again(small_run, tmp_path):
    """A finished run as `run`, and its configuration as `my.yaml`."""
    shutil.copytree(small_run, tmp_path / "run")
    (tmp_path / "my.yaml").write_text(SMALL)
    return tmp_path


def test_a_second_run_of_a_finished_command_says_so_in_one_line_and_prepares_nothing(again, svit: Run, monkeypatch):
    monkeypatch.setattr("dse.workflows.search.prepare", None)
    monkeypatch.setattr("sviT_models.open_checkpoint", None)
    before = {path: path.read_bytes() for path in (again / "run").glob("*.csv")}
    told = svit("search", "my.yaml", "--out", "run", "--no-report", "--workers", 2)
    assert (told.status, told.err) == (0, "")
    assert told.out == "this search is finished, there is nothing to do; run directory: run\n"
    assert before == {path: path.read_bytes() for path in before}


def test_the_report_is_built_where_it_is_missing(again, svit: Run, monkeypatch):
    monkeypatch.setattr("reports.build", lambda run, progress: run / "report" / "index.html")
    assert svit("search", "my.yaml", "--out", "run").out.endswith("nothing to do; report: run/report/index.html\n")


CHANGES = {
    "evaluations: 8": "evaluations: 9",
    "search_images: 40": "search_images: 41",
    "verify_images: 40": "verify_images: 41",
    "time_steps: [1, 2]": "time_steps: [1]",
    "data: {": "hardware: generic_28nm\ndata: {",
    "method: nearest": "method: compensated",
}


@pytest.mark.parametrize("was", CHANGES)
def test_another_configuration_is_another_search(again, was):
    config = again / "my.yaml"
    assert finished_run(load_config(config), again / "run") is not None
    config.write_text(SMALL.replace(was, CHANGES[was]))
    assert SMALL.replace(was, CHANGES[was]) != SMALL
    assert finished_run(load_config(config), again / "run") is None


@pytest.mark.parametrize("name", ["manifest.json", "results.csv", "picks.json"])
def test_a_run_that_lacks_a_file_is_not_finished(again, name):
    (again / "run" / name).unlink()
    assert finished_run(load_config(again / "my.yaml"), again / "run") is None


def test_a_chip_that_was_edited_is_another_one(again, monkeypatch):
    config = load_config(again / "my.yaml")
    monkeypatch.setattr("dse.workflows.again.load_hardware", lambda name: type("Edited", (), {"sha256": "0"}))
    assert finished_run(config, again / "run") is None


def test_a_damaged_journal_is_told_in_one_line_before_the_network_is_loaded(again, svit: Run, monkeypatch):
    monkeypatch.setattr("dse.workflows.search_steps.load_experiment", lambda *_: pytest.fail("prepared"))
    (again / "run" / "manifest.json").unlink()
    journal = again / "run" / "study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:4], lines[4].replace(b":", b";", 1), *lines[5:]]))
    told = svit("search", "my.yaml", "--out", "run", "--no-report")
    assert (told.status, told.out) == (2, "")
    assert told.err == (
        "svit-dse: run/study.journal:5: has been changed; `svit-dse repair run` keeps the 4 lines before it\n"
    )
