"""The sections of a report: one file each, in the order of their names.

Every module has `TITLE`, `record(run)`, which computes a small frozen value, and `draw(record)`, which shows it.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules() -> dict[str, ModuleType]:
    """The section modules by name without their number, in report order."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__))
    return {name.split("_", 1)[1]: importlib.import_module(f"{__name__}.{name}") for name in names}
