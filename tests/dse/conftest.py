"""The command line as a fixture."""

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dse import cli


@dataclass(frozen=True)
class Said:
    """What a command left: exit status and the two streams."""

    status: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture(autouse=True)
def _empty_figures(empty_figures: None) -> None:
    """For every test here."""


@pytest.fixture
def svit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """`svit("check", "my.yaml")` as typed in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["svit-dse", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr()
        return Said(end.value.code or 0, told.out, told.err)

    return run
