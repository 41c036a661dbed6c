"""A network from a Python file of the user's, named FILE:FUNCTION, such as `my_model.py:make`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from costmodels import plugins
from sviT_models.errors import ModelError
from sviT_models.graph.recognise import Declared
from sviT_models.network.config import check_options

DEFAULT = "build"
GROUP = "svit_dse.networks"


@dataclass(frozen=True, eq=False)
class UserNetwork:
    """A network as its file makes it, and the laws of neuron classes that the file declares in `NEURONS`."""

    module: nn.Module
    neurons: Declared
    path: Path
    function: str


def user_network(reference: str, options: Mapping[str, object] | None = None) -> UserNetwork:
    """What `FUNCTION(**options)` of a file gives, for a reference FILE.py:FUNCTION (`build` where none is named).

    reference  FILE.py:FUNCTION
    options    keywords of the function

    The file's code runs, because the user has named it; its own folder is on the import path while it does.
    Raises ModelError, on one line, for a missing file or function, an error of the file, and anything but a module.
    """
    name, _, function = reference.rpartition(":") if ".py:" in reference else (reference, "", DEFAULT)
    path = Path(name)
    if path.suffix != ".py" or not path.is_file():
        raise ModelError(f"{reference}: no such Python file; expected FILE.py:FUNCTION")
    content = plugins.executed(path, ModelError)
    build = plugins.member(content, path, function, ModelError)
    if not callable(build):
        raise ModelError(f"{path}: {function!r} is not a function; expected one that gives a torch.nn.Module")
    return _built(build, dict(options or {}), path, function, f"{path}:{function}")


def installed_network(name: str, options: Mapping[str, object] | None = None) -> UserNetwork:
    """What the function of an entry point gives; `NEURONS` of its module declares laws of neurons.

    name     an entry point of the group `svit_dse.networks`
    options  keywords of the function

    Raises ModelError as `user_network`.
    """
    build = plugins.from_package(GROUP, name, ModelError)
    if not callable(build):
        raise ModelError(f"entry point {name}: names no function; expected one that gives a torch.nn.Module")
    return _built(build, dict(options or {}), Path(name), build.__name__, f"entry point {name}")


def _built(build: Any, options: dict[str, object], path: Path, function: str, shown: str) -> UserNetwork:
    check_options(shown, build, options)
    module = plugins.with_line(path, ModelError, lambda: build(**options), shown)
    if not isinstance(module, nn.Module):
        raise ModelError(f"{shown} gives a {type(module).__name__}; expected a torch.nn.Module")
    declared = getattr(sys.modules.get(build.__module__), "NEURONS", {})
    return UserNetwork(module.eval(), declared, path, function)
