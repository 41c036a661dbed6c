"""Who measures a trial, and whether that worker still lives.

A worker renews a counter in its trial while it measures.  Another worker takes the trial for lost when the counter has
not changed for `DEAD_AFTER` seconds of its own monotonic clock, so that clocks of machines may differ; at once where
the worker ran on the same machine and its process is gone.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from dse.ledger.attributes import Said, write

LEASE = "lease"
RENEW_EVERY = 10.0  # s
DEAD_AFTER = 60.0  # s: six renewals
LONGEST_PAUSE = 1.0  # s between two looks at the study
VOID = "void"  # why a failed trial stands for no result: its worker died, or it came too late
LOST, WITHDRAWN = "lost", "withdrawn"
GONE = (UpdateFinishedTrialError, ValueError)  # of a trial that another worker took for lost


def pauses() -> Iterator[None]:
    """Sleeps longer and longer, up to a second; `next` sleeps."""
    pause = 0.02
    while True:
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
        yield


def give_up(study: optuna.Study, trial_id: int, why: str) -> None:
    """End a trial that stands for no result, and say why; nothing where it has ended otherwise."""
    with suppress(*GONE):
        write(study._storage, trial_id, Said({VOID: why}, state=TrialState.FAIL))


def _started(pid: int) -> str | None:
    """When a process of this machine started, in the kernel's ticks; None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if stat[0] in "ZX" else stat[19]


def _machine() -> str:
    """This machine since it was started, and the process numbers that are seen in it; empty where it cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def new_lease() -> dict[str, Any]:
    """A lease of this process: worker, host, process with its start, and the counter."""
    pid = os.getpid()
    return {
        "worker": f"{socket.gethostname()}-{pid}",
        "host": socket.gethostname(),
        "machine": _machine(),
        "pid": pid,
        "started": _started(pid),
        "nonce": uuid.uuid4().hex[:8],
        "count": 0,
    }


def process_gone(lease: Mapping[str, Any]) -> bool:
    """Whether the lease's process ran on this machine and is certainly no more."""
    here = lease.get("machine") == _machine() != ""
    return here and lease.get("started") is not None and _started(int(lease["pid"])) != lease["started"]


class Watch:
    """What one worker has seen of the others' counters, by its own clock."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Any, float]] = {}

    def dead(self, trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
        """The running trials whose workers are gone.

        trials: in order; before the first of them, every trial of the study has ended.
        """
        now, out, trials = time.monotonic(), [], list(trials)
        if trials:
            self._seen = {number: seen for number, seen in self._seen.items() if number >= trials[0].number}
        for trial in trials:
            if trial.state != TrialState.RUNNING:
                self._seen.pop(trial.number, None)
                continue
            lease = trial.user_attrs.get(LEASE) or {}
            counter = (lease.get("nonce"), lease.get("count"))
            before, since = self._seen.setdefault(trial.number, (counter, now))
            if counter != before:
                self._seen[trial.number] = (counter, now)
            elif process_gone(lease) or now - since > DEAD_AFTER:
                out.append(trial)
        return out


class Renewal:
    """Renews the lease of a trial from a thread while the block runs."""

    def __init__(self, study: optuna.Study, trial_id: int, lease: dict[str, Any]) -> None:
        self._storage, self._id, self._lease = study._storage, trial_id, lease
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Renewal:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._end.wait(RENEW_EVERY):
            self._lease["count"] += 1
            try:
                self._storage.set_trial_user_attr(self._id, LEASE, dict(self._lease))
            except Exception:  # the worker's own next write meets it, in its own thread
                break
        self._storage.remove_session()
