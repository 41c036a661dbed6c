"""How a long computation says how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Advance = Callable[[str, int, int], None]  # what goes on, how many parts of it are done, how many there are
Progress = Callable[[int, int], None]  # the same within one step


def quiet(what: str, done: int, total: int) -> None:
    """Nobody listens."""


def within(advance: Advance, what: str) -> Progress:
    """The progress of the step `what`."""
    return lambda done, total: advance(what, done, total)
