"""Searching the bits of a Spiking Vision Transformer: problem, strategies, evaluation, workflows and the command line.

`dse.load("runs/first")` opens a finished run; `dse.api` has this and the search for networks and costs of your own;
`dse.workflows` has one function for every command.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from pathlib import Path
from typing import Any

__all__ = ["load", "version"]


def load(path: str | Path) -> Any:
    """A finished run (`dse.api.LoadedRun`), with its front as a table and its designs by name.

    path  the run directory, the --out of `svit-dse search`

    Raises dse.errors.ConfigError, naming file and remedy, for what no finished search wrote.
    """
    return importlib.import_module("dse.api.loaded").load(path)  # imported when used, and no room below knows the door


def version() -> str:
    """The installed version of svit-dse, "unknown" where it runs without being installed."""
    try:
        return importlib.metadata.version("svit-dse")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
