"""Code of the user's own: a Python file named FILE.py or FILE.py:NAME, or an entry point of an installed package.

    [project.entry-points."svit_dse.strategies"]
    downhill = "my_package.downhill:Sampler"

The groups are `svit_dse.strategies`, `svit_dse.dataflows`, `svit_dse.sections` and `svit_dse.networks`.  The standard
library alone is needed, and every package may use this module.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any


def is_file(reference: str) -> bool:
    """Whether a name is FILE.py or FILE.py:NAME.

    reference  the name
    """
    return reference.endswith(".py") or ".py:" in reference


def split(reference: str) -> tuple[Path, str]:
    """File and name in it of FILE.py:NAME; the name is empty for FILE.py.

    reference  FILE.py or FILE.py:NAME
    """
    file, _, name = reference.rpartition(":") if ".py:" in reference else (reference, "", "")
    return Path(file), name


def joined(file: str | Path, name: str) -> str:
    """FILE.py:NAME, or FILE.py for an empty name.

    file  the Python file
    name  the name in it
    """
    return f"{file}:{name}" if name else str(file)


def executed(path: Path, error: type[Exception]) -> ModuleType:
    """The module that a Python file makes; its own folder is on the import path while it runs.

    path   the file, whose code runs
    error  what is raised, with one line, for a file that is missing or fails
    """
    if path.suffix != ".py" or not path.is_file():
        raise error(f"{path}: no such Python file; expected FILE.py or FILE.py:NAME")
    folder = str(path.parent.resolve())
    name = f"svit_own_{path.stem}_{hashlib.sha256(folder.encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise error(f"{path}: cannot be imported; expected a Python file")
    content = importlib.util.module_from_spec(spec)
    sys.modules[name] = content
    sys.path.insert(0, folder)
    try:
        with_line(path, error, lambda: _run(content, path))
    finally:
        sys.path.remove(folder)
    return content


def _run(content: ModuleType, path: Path) -> None:
    """Execute the text of a file, never bytecode beside it: that may be older, or come from elsewhere."""
    exec(compile(path.read_bytes(), str(path), "exec"), vars(content))


def loaded(reference: str, error: type[Exception]) -> Any:
    """What FILE.py:NAME names, or the module of FILE.py; executed again only when the file has changed.

    reference  FILE.py or FILE.py:NAME
    error      what is raised, with one line, for a missing file or name and for a file that fails
    """
    path, name = split(reference)
    content = _content(path, error)
    return content if not name else member(content, path, name, error)


_KEPT: dict[tuple[Path, int, int], ModuleType] = {}


def _content(path: Path, error: type[Exception]) -> ModuleType:
    """The module of a file, kept for as long as the file has the same size and time of change."""
    try:
        found = path.stat()
    except OSError:
        return executed(path, error)  # which says that there is no such file
    key = path.absolute(), found.st_mtime_ns, found.st_size
    if key not in _KEPT:
        _KEPT[key] = executed(path, error)
    return _KEPT[key]


def member(content: ModuleType, path: Path, name: str, error: type[Exception]) -> Any:
    """A name of a module.

    content  the module of the file `path`
    path     the file, for the message
    name     the name in it
    error    what is raised, with the names that there are, where the file has no such name
    """
    if not hasattr(content, name):
        own = [key for key, value in vars(content).items() if _is_of(content, value)]
        raise error(f"{path}: no function or class {name!r}" + (f"; it has: {', '.join(own)}" if own else ""))
    return getattr(content, name)


def _is_of(content: ModuleType, value: object) -> bool:
    """Whether a function or class is defined in a module."""
    return callable(value) and getattr(value, "__module__", "") == content.__name__


def with_line(path: Path, error: type[Exception], call: Callable[[], Any], shown: str = "") -> Any:
    """What `call` gives; its failure becomes one line with the file's own line that failed.

    path   the user's file
    error  what is raised; an error of this kind passes as it is
    call   what runs code of the file
    shown  what stands before the line; default: the path
    """
    try:
        return call()
    except error:
        raise
    except Exception as failure:  # whatever stands in the file
        said = " ".join(str(failure).split())[:200]
        raise error(f"{shown or path}: {_line(failure, path)}{type(failure).__name__}: {said}") from failure


def _line(failure: Exception, path: Path) -> str:
    """The last line of the file that a failure passed."""
    line = getattr(failure, "lineno", None) if isinstance(failure, SyntaxError) else None
    trace = failure.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).absolute() == path.absolute():
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: " if line else ""


@cache
def installed(group: str) -> dict[str, Any]:
    """The entry points of installed packages by name, none of them loaded yet.

    group  such as `svit_dse.strategies`
    """
    from importlib.metadata import entry_points  # which most commands do without

    return {point.name: point for point in sorted(entry_points(group=group), key=lambda each: each.name)}


def from_package(group: str, name: str, error: type[Exception]) -> Any:
    """What an entry point names.

    group  such as `svit_dse.strategies`
    name   one of `installed(group)`
    error  what is raised, with one line, where the package cannot be imported
    """
    point = installed(group)[name]
    return with_line(Path(f"entry point {name} of {group} ({point.value})"), error, point.load)
