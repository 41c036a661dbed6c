"""The tool from Python: `load` opens a finished run, `search` searches the widths of any network.

Names are imported when first used (PEP 562): reading a run needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodels.lazy_names import lazily

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

__getattr__, __dir__ = lazily(__name__, _HOME)
