"""A network from a Python file of the user's, named FILE:FUNCTION, such as `my_model.py:make`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from torch import nn

from sviT_models.errors import ModelError
from sviT_models.graph.recognise import Declared

DEFAULT = "build"


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
    content = _executed(path)
    build = getattr(content, function, None)
    if not callable(build):
        known = [key for key, value in vars(content).items() if _own_function(content, value)]
        shown = f"; it has: {', '.join(known)}" if known else ""
        raise ModelError(f"{path}: no function {function!r}{shown}")
    module = _called(path, function, build, dict(options or {}))
    if not isinstance(module, nn.Module):
        raise ModelError(f"{path}:{function} gives a {type(module).__name__}; expected a torch.nn.Module")
    return UserNetwork(module.eval(), getattr(content, "NEURONS", {}), path, function)


def _own_function(content: ModuleType, value: object) -> bool:
    return callable(value) and getattr(value, "__module__", "") == content.__name__


def _executed(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"svit_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ModelError(f"{path}: cannot be imported; expected a Python file")
    content = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = content
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(content)
    except Exception as error:  # whatever stands in the file
        raise ModelError(f"{path}: {_where(error, path)}{type(error).__name__}: {_line(error)}") from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    return content


def _called(path: Path, function: str, build: Callable[..., object], options: dict[str, object]) -> object:
    try:
        return build(**options)
    except Exception as error:
        raise ModelError(f"{path}:{function}: {_where(error, path)}{type(error).__name__}: {_line(error)}") from error


def _where(error: Exception, path: Path) -> str:
    """The last line of the user's own file that the error passed."""
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: " if line else ""


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
