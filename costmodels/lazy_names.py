"""A package whose names are imported when first used (PEP 562), so that importing it alone costs next to nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazily(package: str, home: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions `__getattr__` and `__dir__` of a package.

    package  its `__name__`
    home     the module below the package that defines each public name

    `__getattr__` raises AttributeError for a name without a home.
    """

    def attribute(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{home[name]}"), name)

    def listed() -> list[str]:
        return sorted([*vars(sys.modules[package]), *home])

    return attribute, listed
