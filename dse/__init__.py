"""Searching the bits of a Spiking Vision Transformer: problem, strategies, evaluation, workflows and the command line.

`dse.api` is the search for networks and costs of your own; `dse.workflows` has one function for every command.
"""

from __future__ import annotations

import importlib.metadata


def version() -> str:
    """The installed version of svit-dse, "unknown" where it runs without being installed."""
    try:
        return importlib.metadata.version("svit-dse")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
