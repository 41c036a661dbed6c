"""Structures of the zoo's networks that were traced before, kept for other processes."""

from __future__ import annotations

import hashlib
import json
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.graph.files import content_of, from_content
from sviT_models.graph.graph import Graph
from sviT_models.graph.network import GraphNetwork
from sviT_models.hashing import sha256, sources
from sviT_models.kept import Store, folder

PACKAGE = Path(__file__).parents[1]
INSTALLED = tuple(str(Path(sysconfig.get_path(name))) for name in ("stdlib", "purelib", "platlib"))
MOST = 100  # structures that are kept, of about 200 kB each; the oldest leave first


def key(network: nn.Module, shape: Sequence[int]) -> str:
    """A SHA-256 in hexadecimal of all that a structure depends on: the modules, their code, torch and the image.

    network  a network of the zoo, with weights of any values
    shape    of one image or of its frames, without the batch
    """
    return hashlib.sha256("\n".join([*_description(network), str(tuple(shape))]).encode()).hexdigest()


def identity(network: nn.Module) -> str:
    """A SHA-256 in hexadecimal of all that a network computes on this kind of machine depends on, its weights too.

    network  any network
    """
    found = hashlib.sha256("\n".join([*_description(network), torch.backends.cpu.get_cpu_capability()]).encode())
    for name, held in network.state_dict().items():
        tensor = held.detach().cpu().contiguous()
        found.update(f"{name} {held.device.type} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def read(key: str, state: Mapping[str, Tensor]) -> Graph | None:
    """The structure that was kept under a key, with a network's own tensors; None where there is none to be read.

    key    of `key`
    state  the network's tensors by name
    """
    kept = _store().read(key)
    if kept is None:
        return None  # what is damaged is traced again and replaced
    try:
        content = json.loads(kept)
        used = {name for node in content["nodes"] for name in node["parameters"].values()}
        return from_content(content, {name: state[name] for name in used})
    except (ValueError, KeyError, TypeError, IndexError, RuntimeError, ModelError):
        return None  # whole, and yet no structure of this network


def keep(key: str, graph: Graph, state: Mapping[str, Tensor]) -> None:
    """Keep a structure, unless it holds tensors that are not the network's own, or nothing can be written.

    key    of `key`
    graph  the structure as traced
    state  the network's tensors by name
    """
    if all(name in state for name in graph.parameters):
        _store().keep(key, json.dumps(content_of(graph)).encode())


def _store() -> Store:
    return Store(folder("graphs"), most_files=MOST)


def _description(network: nn.Module) -> list[str]:
    """What a network is, without the values of its weights."""
    content = json.dumps(content_of(network.graph)) if isinstance(network, GraphNetwork) else ""
    parts = (_code(), torch.__version__, type(network), network, getattr(network, "config", ""), content)
    return [*map(str, parts), *_outside(network)]


@cache
def _code() -> str:
    """A SHA-256 of the package's source, so that another version of it traces anew."""
    return sources(PACKAGE)


def _outside(network: nn.Module) -> list[str]:
    """Name and SHA-256 of every source file beyond the package and what is installed that the network's code uses."""
    todo = {type(module).__module__ for module in network.modules()}
    seen: set[str] = set()
    while todo - seen:
        seen.add(name := min(todo - seen))
        if (module := sys.modules.get(name)) is not None and _is_outside(module):
            todo |= set(_used(module))
    modules = [module for name in sorted(seen) if (module := sys.modules.get(name)) is not None]
    return [f"{m.__name__} {sha256(str(m.__file__))}" for m in modules if _is_outside(m)]


def _is_outside(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_file() and not str(file).startswith((str(PACKAGE), *INSTALLED))


def _used(module: ModuleType) -> Iterator[str]:
    """Names of the modules that a module's globals are or come from."""
    for value in vars(module).values():
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            yield name
