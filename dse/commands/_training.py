"""What a training shows while it runs, and the file that it can go on from."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from dse.errors import ConfigError, InterruptedRunError

if TYPE_CHECKING:
    from sviT_models.training.run import Epoch
    from sviT_models.training.train import Step

SECONDS_BETWEEN_LINES = 30.0
STATE = ".state.safetensors"


def check_state(out: Path, resume: bool) -> Path:
    """The file beside the checkpoint `out` that keeps the last finished epoch.

    Raises ConfigError for a name no checkpoint can have, and for a state that is missing or would be overwritten.
    """
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out {out}: checkpoints are written as safetensors; name it {out.stem}.safetensors")
    if out.is_dir():
        raise ConfigError(f"--out {out}: is a folder; give the name of a file in it")
    state = out.with_name(out.stem + STATE)
    if resume and not state.is_file():
        raise ConfigError(f"--resume: {state} does not exist, so nothing can be resumed; leave --resume out to start")
    if not resume and state.exists():
        raise ConfigError(f"{state}: a training has not ended; go on with --resume, or delete the file to start again")
    return state


def interrupted(state: Path, resume: bool) -> InterruptedRunError:
    """How a training goes on that was interrupted: with --resume once the first epoch is kept in `state`."""
    option = " with --resume" if state.is_file() and not resume else ""
    return InterruptedRunError(f"run the same command again{option} to go on")


class TrainingProgress:
    """Shows steps within an epoch and the time left: a bar on a terminal, a line every 30 s elsewhere; then the epoch.

    Used as a context manager; `step` and `epoch` are told by `sviT_models.train`.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._last = time.monotonic()

    def __enter__(self) -> TrainingProgress:
        if self._console.is_terminal:
            columns = BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.fields[rest]}")
            text = TextColumn("{task.description}")
            self._bar = Progress(text, *columns, console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("epoch 1", total=None, rest="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, step: Step) -> None:
        """Show how far the epoch is."""
        where, rest = f"epoch {step.epoch}/{step.epochs}", f"loss {step.loss:.4f}, ETA {duration(step.left)}"
        if self._bar is not None:
            self._bar.update(self._task, description=where, completed=step.step, total=step.steps, rest=rest)
        elif time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            self._say(f"{where}, step {step.step}/{step.steps}, {rest}")

    def epoch(self, epoch: Epoch) -> None:
        """Show what a finished epoch has reached."""
        self._say(str(epoch))

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._console.print(line, highlight=False, markup=False)
        else:
            print(line, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Hours and minutes, or minutes and seconds below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
