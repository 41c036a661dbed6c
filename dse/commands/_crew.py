"""The other workers of a search on this machine: started beside the first one, and ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from dse.ledger.address import VARIABLE

PATIENCE = 20.0  # s that an interrupted worker has to end by itself
PARENT = "SVIT_DSE_PARENT"  # of the environment: the process that a worker ends with, however that one ends
LOOK_EVERY = 0.5  # s
THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def threads_each(workers: int) -> int:
    """Threads of one of `workers` on this machine; fewer where the environment asks for fewer."""
    cores = len(os.sched_getaffinity(0))
    asked = os.environ.get("OMP_NUM_THREADS", "")
    share = max(1, cores // workers)
    return min(share, int(asked)) if asked.isdigit() and int(asked) else share


@dataclass
class Crew:
    """Workers beside this process; used as a context manager, which interrupts those that still run at its end.

    config: the resolved configuration as a file; out: the run directory, where each writes worker-2.log, ...; url: of
    the storage, handed over in the environment, never on a command line; count: workers without this one.
    """

    config: Path
    out: Path
    url: str | None
    count: int
    allow_mixed: bool = False
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start the workers; they join the study that this process has opened."""
        words = [sys.executable, "-m", "dse.cli", "worker", str(self.config), "--out", str(self.out)]
        words += ["--allow-mixed"] * self.allow_mixed
        devices = _devices()
        for number in range(2, self.count + 2):
            own = os.environ | dict.fromkeys(THREADS, str(threads_each(self.count + 1)))
            own |= {PARENT: str(os.getpid())} | ({VARIABLE: self.url} if self.url else {})
            if len(devices) > 1:
                own["CUDA_VISIBLE_DEVICES"] = devices[(number - 1) % len(devices)]
            with self.log(number).open("wb") as log:
                streams: Any = {"stdout": log, "stderr": log, "stdin": subprocess.DEVNULL}
                # Ctrl-C reaches this process alone, which then interrupts each worker once
                self._running.append(subprocess.Popen(words, env=own, start_new_session=True, **streams))

    def log(self, number: int) -> Path:
        """What a worker says."""
        return self.out / f"worker-{number}.log"

    def failures(self) -> list[str]:
        """Wait for the workers; one line for each that did not end well."""
        out = []
        for number, process in enumerate(self._running, start=2):
            if status := process.wait():
                lines = self.log(number).read_text(encoding="utf-8", errors="replace").strip().splitlines()
                out.append(
                    f"worker {number} ended with status {status}: {lines[-1] if lines else 'it printed nothing'}"
                )
        return out

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for process in self._running:
            with suppress(ProcessLookupError):
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
        for process in self._running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def follow_parent() -> None:
    """End this worker, as by Ctrl-C, when the process that started it is gone."""
    parent = os.environ.get(PARENT, "")
    if not parent.isdigit():
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a search in the background hands on an ignored one

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(LOOK_EVERY)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(PATIENCE)
        os._exit(128 + signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()


def _devices() -> list[str]:
    """GPUs of this machine, one name each, as CUDA_VISIBLE_DEVICES takes them."""
    import torch

    if given := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return given.split(",")
    return [str(number) for number in range(torch.cuda.device_count())]
