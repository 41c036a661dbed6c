"""An export of a small run, the command line, and a limit on memory."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from dse.workflows.export import export_design
from tests.dse.conftest import svit

__all__ = ["svit"]

MEMORY = 8 * 2**30  # bytes of data of this process; what a damaged length asks for is far above


@pytest.fixture(autouse=True)
def limited_memory() -> Iterator[None]:
    """Memory that a damaged file asks for is refused by the system, whatever the machine has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@pytest.fixture(scope="session")
def exported(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a design with two golden vectors."""
    out = tmp_path_factory.mktemp("exports") / "chip"
    export_design(small_run, "uniform-8", out, golden=2)
    return out
