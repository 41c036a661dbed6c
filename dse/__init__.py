"""Searching the bits of a Spiking Vision Transformer: problem, strategies, evaluation, workflows and the command line.

`dse.load("runs/first")` opens a finished run, `dse.search(network, images, "runs/own")` makes one; `dse.api` has these
and a search without a chip; `dse.workflows` has one function for every command.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from pathlib import Path
from typing import Any

__all__ = ["load", "search", "version"]


def load(path: str | Path) -> Any:
    """A finished run (`dse.api.LoadedRun`), with its front as a table and its designs by name.

    path  the run directory, the --out of `svit-dse search`

    Raises dse.errors.ConfigError, naming file and remedy, for what no finished search wrote.
    """
    return importlib.import_module("dse.api.loaded").load(path)  # imported when used, and no room below knows the door


def search(network: Any, images: Any, out: str | Path, **named: Any) -> Any:
    """Search the bit allocations of a network of your own; returns the run (`dse.api.LoadedRun`).

    network  a torch module, which is captured, or the name of a network
    images   (images, labels) as arrays, or the name of a data set
    out      the run directory; one that exists is resumed
    named    `evaluator`, `costs`, and the keys of a configuration, as `dse.api.search` says

    Raises dse.errors.ConfigError for what does not fit together, and what `dse.api.search` raises.
    """
    return importlib.import_module("dse.api.own_search").search(network, images, out, **named)


def version() -> str:
    """The installed version of svit-dse, "unknown" where it runs without being installed."""
    try:
        return importlib.metadata.version("svit-dse")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
