"""What made a run: versions, hashes, seeds and the phases of the methodology, so that somebody else can repeat it."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

import dse
from dse import version

PACKAGES = ("torch", "numpy", "scipy", "pandas", "optuna", "numba", "moocore", "pydantic")
STEPS = {
    "prepare": ("network, images and chip", "a design is judged by measuring it on these images"),
    "1 precision study": ("gradient sensitivity of every layer at every width", "which layers can lose bits"),
    "2 base setting": ("float, uniform widths and the guided setting", "what every later design has to beat"),
    "3 guided search": ("designs proposed by the strategy, measured", "the trade-off between accuracy and cost"),
    "4 final network": ("candidates measured on images the search never saw", "a guarantee on unseen images"),
}


@dataclass(frozen=True)
class Phase:
    """One step of the methodology as it was carried out: what, why, and what it cost."""

    name: str
    what: str
    why: str
    evaluations: int
    images: int
    seconds: float


def begin(name: str, say: Callable[[str], None]) -> Callable[[int, int], Phase]:
    """Announce a phase and start its clock.

    The function returned ends the phase: it takes the designs evaluated in it and the images run through the network.
    """
    what, why = STEPS[name]
    label = name if name == "prepare" else f"step {name}"
    say(f"{label}: {what} ({why})")
    start = time.perf_counter()
    return lambda evaluations, images: Phase(name, what, why, evaluations, images, time.perf_counter() - start)


class GitState(TypedDict):
    """Commit of the source tree that ran and whether it had local changes; both None outside a checkout."""

    commit: str | None
    dirty: bool | None


class CheckpointRecord(TypedDict):
    """The network that was searched."""

    name: str
    network: str
    path: str
    sha256: str
    assumed: str


class DataRecord(TypedDict):
    """Images by name and content; `corrupt` could not be decoded."""

    name: str
    split: str
    images: int
    sha256: str
    ids: list[str]
    corrupt: list[str]


class ChipRecord(TypedDict):
    """The chip that designs were costed on."""

    name: str
    sha256: str
    path: str


class Inputs(TypedDict):
    """Network, images and chip of a run: images that designs are searched, verified and their weights made with."""

    checkpoint: CheckpointRecord
    data: DataRecord
    unseen: DataRecord
    calibration: DataRecord
    hardware: ChipRecord


class Manifest(TypedDict, total=False):
    """The content of manifest.json."""

    tool: dict[str, str]
    command: str
    arguments: list[str]
    started: str
    created: str
    seed: int
    configuration: dict[str, Any]
    request: str
    paths_from: str
    code: str
    git: GitState
    python: str
    machine: dict[str, str | int | None]
    workers: list[str]
    packages: dict[str, str]
    checkpoint: CheckpointRecord
    data: DataRecord
    unseen: DataRecord
    calibration: DataRecord
    hardware: ChipRecord
    float: dict[str, Any]
    chaos: dict[str, Any]
    stop_reason: str
    model: dict[str, Any]
    failures: list[str]
    forms: dict[str, dict[str, Any]]
    mixed: list[str]
    unfinished: dict[str, int]
    own: dict[str, Any]
    phases: list[dict[str, Any]]
    recosted_from: dict[str, Any]


def git_state() -> GitState:
    """The state of the source tree that runs."""
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


def manifest(command: Sequence[str], seed: int, phases: Sequence[Phase], parts: Manifest) -> Manifest:
    """The content of manifest.json: the tool and the machine, then `parts`, then the phases.

    `command` is the command line word by word, `seed` that of the search; it started as long ago as its phases took.
    """
    now = datetime.datetime.now(datetime.UTC)
    started = now - datetime.timedelta(seconds=sum(phase.seconds for phase in phases))
    record: Manifest = {
        "tool": {"name": "svit-dse", "version": version()},
        "command": " ".join(command),
        "arguments": list(command),
        "started": started.isoformat(timespec="seconds"),
        "created": now.isoformat(timespec="seconds"),
        "seed": seed,
        **surroundings(),
    }
    return {**record, **parts, "phases": [asdict(phase) for phase in phases]}


def surroundings() -> Manifest:
    """Code, versions and machine of this process: what may make a later run another one."""
    import torch

    from dse.evaluation import prepare

    processor = {"system": platform.system(), "processor": platform.machine(), "cpus": os.cpu_count()}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {
        "git": git_state(),
        "code": prepare.code_hash(Path(dse.__path__[0])),
        "python": platform.python_version(),
        "machine": {**processor, "host": platform.node(), "threads": torch.get_num_threads(), "device": device},
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
