"""What a command or a function may answer to a damaged file: a result, or one line."""

from __future__ import annotations

from collections.abc import Callable

from tests.dse.conftest import Said


def answered(said: Said) -> None:
    """A result, or one line beside warnings."""
    assert said.status in (0, 1, 2)
    lines = [line for line in said.err.split("\n") if line and not line.startswith("svit-dse: warning")]
    if said.status:
        assert len(lines) == 1, said.err
        assert lines[0].startswith("svit-dse: ")


def answers(work: Callable[[], object], error: type[Exception]) -> None:
    """A result, or an `error` of one line; whatever else is raised fails the test."""
    refused = ""
    try:
        work()
    except error as mistake:
        refused = str(mistake)
    assert len(refused.splitlines()) <= 1
