"""Progress of long computations, passed on to whatever shows it."""

from __future__ import annotations

from collections.abc import Callable

Advance = Callable[[str, int, int], None]  # the name of the step, how many parts of it are done, how many there are
Progress = Callable[[int, int], None]  # the same within one step


def quiet(what: str, done: int, total: int) -> None:
    """Progress that is not shown."""


def within(advance: Advance, what: str) -> Progress:
    """The progress of the step `what`."""
    return lambda done, total: advance(what, done, total)
