"""The tool from Python: `load` opens a finished run, `search` searches the widths of any network.

Names are imported when first used (PEP 562): reading a run needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dse.api.any_network import ModuleRunner, search
    from dse.api.loaded import LoadedDesign, LoadedRun, load

_HOME = {
    "ModuleRunner": "any_network",
    "search": "any_network",
    "LoadedDesign": "loaded",
    "LoadedRun": "loaded",
    "load": "loaded",
}

__all__ = ["LoadedDesign", "LoadedRun", "ModuleRunner", "load", "search"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
