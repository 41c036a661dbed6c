"""Progress of a search: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dse.study import Step

SECONDS_BETWEEN_LINES = 5.0


def describe(step: Step) -> str:
    """Throughput and the best feasible design so far, in a few words."""
    if step.best is None:
        return f"{step.images_per_second:,.0f} images/s, no feasible design yet"
    drop, memory = step.best.values[0], step.best.values[1]
    design = step.best.user_attrs["design"]
    return f"{step.images_per_second:,.0f} images/s, best {design}: {memory / 1e3:,.1f} kB at drop {drop:+.2f} pp"


class SearchProgress:
    """Shows the steps of a search loop; used as a context manager, called after every trial."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._task: int | None = None
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
            self._bar.update(self._task, completed=step.done, total=step.budget, description=describe(step))  # type: ignore[arg-type]  # TaskID is an int
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
