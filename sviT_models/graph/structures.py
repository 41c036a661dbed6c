"""Structures of the zoo's networks that were traced before, kept for other processes: tracing one takes seconds."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from costmodels.whole_files import write_text
from sviT_models.errors import ModelError
from sviT_models.graph.files import content_of, from_content
from sviT_models.graph.graph import Graph
from sviT_models.hashing import sources

PACKAGE = Path(__file__).parents[1]
MOST = 100  # structures that are kept, of about 200 kB each; the oldest leave first


def folder() -> Path:
    """Where structures lie: below $SVIT_CACHE, else in the user's folder for caches (XDG base directory standard)."""
    own = os.environ.get("SVIT_CACHE")
    return Path(own or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "svit-dse"), "graphs")


def key(network: nn.Module, shape: Sequence[int]) -> str:
    """A SHA-256 in hexadecimal of all that a structure depends on: the modules, their code, torch and the image.

    network  a network of the zoo, with weights of any values
    shape    of one image or of its frames, without the batch
    """
    parts = (_code(), torch.__version__, type(network), network, getattr(network, "config", ""), tuple(shape))
    return hashlib.sha256("\n".join(str(part) for part in parts).encode()).hexdigest()


def read(key: str, state: Mapping[str, Tensor]) -> Graph | None:
    """The structure that was kept under a key, with a network's own tensors; None where there is none to be read.

    key    of `key`
    state  the network's tensors by name
    """
    try:
        content = json.loads((folder() / f"{key}.json").read_text())
        used = {name for node in content["nodes"] for name in node["parameters"].values()}
        return from_content(content, {name: state[name] for name in used})
    except (OSError, ValueError, KeyError, TypeError, IndexError, RuntimeError, ModelError):
        return None  # a damaged file is traced again and replaced


def keep(key: str, graph: Graph, state: Mapping[str, Tensor]) -> None:
    """Keep a structure, unless it holds tensors that are not the network's own, or nothing can be written.

    key    of `key`
    graph  the structure as traced
    state  the network's tensors by name
    """
    if any(name not in state for name in graph.parameters):
        return
    try:
        folder().mkdir(parents=True, exist_ok=True)
        write_text(folder() / f"{key}.json", json.dumps(content_of(graph)))
        for old in sorted(folder().glob("*.json"), key=lambda path: path.stat().st_mtime)[:-MOST]:
            old.unlink(missing_ok=True)
    except OSError:
        return  # a cache that cannot be written costs time, nothing else


@cache
def _code() -> str:
    """A SHA-256 of the package's source, so that another version of it traces anew."""
    return sources(PACKAGE)
