"""Progress on stderr: bars with the time that is left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from dse.exploration.loop import Step

SECONDS_BETWEEN_LINES = 5.0
SECONDS_OF_A_STEP = 30.0  # between the lines of a long step
FEW_PARTS = 10  # whose number says nothing of the time left
SECONDS_BETWEEN_LOOKS = 1.0  # at the best design so far, on a terminal: it takes a fit of the model


def describe(step: Step) -> str:
    """Throughput and the cheapest design that is trusted so far, in a few words."""
    pace = f"{step.images_per_second:,.0f} images/s" + (f" by {step.workers} workers" if step.workers > 1 else "")
    if (best := step.best) is None:
        return f"{pace}, no design is trusted yet"
    reached = f"{best.memory / 1e3:,.1f} kB, expected drop {best.drop:+.2f} +- {best.sd:.2f} pp"
    return f"{pace}, best {best.id}: {reached}"


class Meter:
    """Shows how far the steps of a command are: a bar with ETA on a terminal, a line every 30 s elsewhere.

    A step that takes less writes no line.  Used as a context manager, called with a step's name and how many of its
    parts are done; a bar goes when its step is done or another begins, so that nothing of it stays beside the results.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._what = ""
        self._lock = Lock()  # workers may call
        self._began = self._last = 0.0  # of the step that is told in lines
        self._first = 0

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._close()

    def __call__(self, what: str, done: int, total: int) -> None:
        """`done` of `total` parts of the step `what` are done."""
        with self._lock:
            if not self._console.is_terminal:
                self._line(what, done, total)
                return
            if what != self._what or self._bar is None:
                self._close()
                columns = SpinnerColumn(), TextColumn(what), BarColumn(bar_width=20), MofNCompleteColumn()
                self._bar = Progress(
                    *columns, TextColumn("ETA"), TimeRemainingColumn(), console=self._console, transient=True
                )
                self._bar.start()
                self._task, self._what = self._bar.add_task(what, total=total), what
            self._bar.update(self._task, completed=done, total=total)
            if done >= total:
                self._close()

    def _line(self, what: str, done: int, total: int) -> None:
        """A line for a log file, where the last one is long enough ago."""
        now = time.monotonic()
        if what != self._what or done < self._first:
            self._what, self._began, self._last, self._first = what, now, now, done
        elif now - self._last >= SECONDS_OF_A_STEP and self._first < done < total:
            if total < FEW_PARTS:
                return
            left = (now - self._began) / (done - self._first) * (total - done)
            print(f"{what} {done:,}/{total:,}, ETA {left:.0f} s", file=self._console.file, flush=True)
            self._last = now

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar, self._what = None, ""


class SearchProgress:
    """Shows the steps of a search loop; used as a context manager, called after every trial."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._start = time.monotonic()
        self._last = -1e9
        self._first_done: int | None = None

    def __enter__(self) -> SearchProgress:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("search"),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.description}"),
                console=self._console,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, step: Step) -> None:
        """Show one step."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=step.done, total=step.budget)
            if time.monotonic() - self._last >= SECONDS_BETWEEN_LOOKS:
                self._bar.update(self._task, description=describe(step))
                self._last = time.monotonic()
            return
        now = time.monotonic()
        if self._first_done is None:
            self._first_done = step.done - 1
        if now - self._last < SECONDS_BETWEEN_LINES and step.done < step.budget:
            return
        self._last = now
        pace = (now - self._start) / max(step.done - self._first_done, 1)
        left = pace * (step.budget - step.done)
        print(f"search {step.done}/{step.budget}, ETA {left:.0f} s, {describe(step)}", file=sys.stderr, flush=True)
