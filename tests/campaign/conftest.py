"""An export of a small run, the command line, and limits on memory and time."""

from __future__ import annotations

import re
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dse.workflows.export import export_design
from tests.dse.conftest import Run, Said
from tests.dse.conftest import svit as unlimited

__all__ = ["unlimited"]

MEMORY = 2 * 2**30  # bytes beside what this process holds already
SECONDS, WAITING = 30, 300  # of processor time for a case, and on the clock of a machine that others use too


def _held() -> int:
    """Bytes of data of this process."""
    found = re.search(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return 1024 * int(found[1]) if found else 0


@pytest.fixture(autouse=True)
def _empty_figures(empty_figures: None) -> None:
    """For every test here, as outside of tests/reports."""


@pytest.fixture(autouse=True)
def limited_memory() -> Iterator[None]:
    """Memory that a damaged file asks for is refused by the system, whatever the machine has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_held() + MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@pytest.fixture
def svit(unlimited: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """The command line, where a command that hangs fails its test."""

    def hangs(number: int, frame: object) -> None:
        raise RuntimeError(f"a command took more than {SECONDS} s of processor time, or {WAITING} s in all")

    before = [(each, signal.signal(each, hangs)) for each in (signal.SIGPROF, signal.SIGALRM)]

    def run(*words: object) -> Said:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, WAITING)
        try:
            return unlimited(*words)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)

    yield run
    for each, handler in before:
        signal.signal(each, handler)


@pytest.fixture(scope="session")
def exported(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a design with two golden vectors."""
    out = tmp_path_factory.mktemp("exports") / "chip"
    export_design(small_run, "uniform-8", out, golden=2)
    return out
