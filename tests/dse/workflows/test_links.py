"""A run directory from somebody else may hold links: no command writes through one to a file outside of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import SMALL
from tests.dse.conftest import Run

COMMANDS = {
    "search": ("search", "my.yaml", "--out", "run", "--evaluations", "9", "--no-report"),
    "finetune": ("finetune", "run", "--design", "uniform-8", "--epochs", "1"),
    "reestimate": ("reestimate", "run", "--design", "uniform-8"),
    "repair": ("repair", "run"),
    "report": ("report", "run"),
    "report on another chip": ("report", "other", "--hardware", "seneca_like", "--out", "run"),
}
THROUGH = (  # a command and an entry of the run that it writes
    *(("search", name) for name in ("owner.lock", "study.journal", "front.csv", "manifest.json", "new.csv")),
    *(("finetune", name) for name in ("finetuned", "finetuned.csv")),
    *(("repair", name) for name in ("study.journal", "study.journal.part", "study.journal.damaged")),
    *(("reestimate", "finetuned"), ("report", "report"), ("report on another chip", "layers.csv")),
)


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    """A run directory `run`, one beside it, and its configuration."""
    (tmp_path / "my.yaml").write_text(SMALL)
    for name in ("run", "other"):
        shutil.copytree(small_run, tmp_path / name)
    return tmp_path / "run"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def link(place: Path, leads: Path) -> None:
    """Put a link in the place of a file or folder."""
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.symlink_to(leads)


def kept(at: Path) -> Path:
    """A folder of the user with what a command could write over, of the names and kinds that it expects."""
    at.mkdir()
    (at / "report.json").write_text("{}")
    (at / "file").write_text("mine")
    return at


@pytest.mark.parametrize(("command", "entry"), THROUGH)
def test_nothing_outside_of_a_run_is_written_through_its_links(
    svit: Run, run: Path, tmp_path: Path, command: str, entry: str
):
    mine = kept(tmp_path / "mine")
    before = contents(mine)
    link(run / entry, mine if entry in ("finetuned", "report") else mine / "file")
    said = svit(*COMMANDS[command])
    assert (said.status, said.err.count("\n")) == (2, 1), said.err
    assert f"run/{entry}: is a link that leads out of the run" in said.err
    assert contents(mine) == before


def test_a_link_to_a_file_that_is_not_there_makes_none(svit: Run, run: Path, tmp_path: Path):
    link(run / "front-so-far.csv", tmp_path / "new-file")
    said = svit(*COMMANDS["search"])
    assert "run/front-so-far.csv: is a link that leads out of the run" in said.err
    assert not (tmp_path / "new-file").exists()


def test_links_within_a_run_and_to_a_run_are_followed(svit: Run, run: Path, tmp_path: Path):
    (run / "front.csv").rename(run / "first-front.csv")
    (run / "front.csv").symlink_to(run / "first-front.csv")
    (run / "layers.csv").rename(run / "first-layers.csv")
    (run / "layers.csv").symlink_to("first-layers.csv")
    (tmp_path / "link").symlink_to("run")
    said = svit("report", "link")
    assert said.status == 0, said.err
    assert (run / "report" / "index.html").is_file()
    said = svit("search", "my.yaml", "--out", "link", "--no-report")
    assert (said.status, said.err) == (0, "")
    assert said.out == "this search is finished, there is nothing to do; run directory: link\n"
