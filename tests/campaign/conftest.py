"""A small finished run and its export, the command line, and a limit on memory."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from dse.config.schema import Config, Data, Quantization, Search
from dse.workflows.export import export_design
from dse.workflows.search import search
from tests.dse.conftest import svit

__all__ = ["svit"]

MEMORY = 8 * 2**30  # bytes of data of this process; what a damaged length asks for is far above

SMALL = Config(
    data=Data(search_images=40, verify_images=40, fisher_images=16, batch_size=40),
    quantization=Quantization(method="nearest"),
    search=Search(strategy="random", evaluations=6, widths=(4, 8)),
)


@pytest.fixture(autouse=True)
def limited_memory() -> Iterator[None]:
    """Memory that a damaged file asks for is refused by the system, whatever the machine has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a search of six designs."""
    out = tmp_path_factory.mktemp("runs") / "small"
    search(SMALL, out)
    return out


@pytest.fixture(scope="session")
def exported(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a design with two golden vectors."""
    out = tmp_path_factory.mktemp("exports") / "chip"
    export_design(finished, "uniform-8", out, golden=2)
    return out
