"""What made a run: versions, hashes, seeds and phases, so that somebody else can make it again."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dse import version

PACKAGES = ("torch", "numpy", "scipy", "pandas", "optuna", "numba", "moocore", "scikit-learn", "pydantic")


@dataclass(frozen=True)
class Phase:
    """One step of the methodology as it was carried out: what, why, and what it cost."""

    name: str
    what: str
    why: str
    evaluations: int
    images: int
    seconds: float


def git_state() -> dict[str, Any]:
    """Commit of the source tree that runs and whether it has local changes; both None outside a checkout."""
    here = Path(__file__).resolve().parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if commit is None or git("ls-files", "--error-unmatch", str(here / "manifest.py")) is None:
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))}


def manifest(command: Sequence[str], seed: int, phases: Sequence[Phase], **parts: Any) -> dict[str, Any]:
    """The content of manifest.json; `parts` are its further top-level entries."""
    return {
        "tool": {"name": "svit-dse", "version": version()},
        "command": " ".join(command),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "git": git_state(),
        "python": platform.python_version(),
        "machine": {"system": platform.system(), "processor": platform.machine(), "cpus": os.cpu_count()},
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        **parts,
        "phases": [asdict(p) for p in phases],
    }
