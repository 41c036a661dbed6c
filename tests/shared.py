"""What several test files need and takes seconds to make, made once for all workers of a test run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parent.parent


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder `name` of this test run, which the first worker that asks has filled by `make(folder)`.

    Other tests read it at the same time, so nothing may be written into it.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # that of the worker lies in that of the run
    folder, done = root / "shared" / name, root / "shared" / f"{name}.done"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "shared" / f"{name}.lock"):
        if not done.exists():
            with contextlib.chdir(ROOT):  # a run records where it was made; the first test that asks may be elsewhere
                make(folder)
            done.touch()
    return folder
