"""The tool from Python: `load` opens a finished run, `search` makes one, `search_table` searches without a chip.

Names are imported when first used (PEP 562): reading a run needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodels.lazy_names import lazily

if TYPE_CHECKING:
    from dse.api.loaded import LoadedDesign, LoadedRun, load
    from dse.api.own_search import search
    from dse.api.table_search import ModuleRunner, search_table

_HOME = {
    "ModuleRunner": "table_search",
    "search_table": "table_search",
    "LoadedDesign": "loaded",
    "LoadedRun": "loaded",
    "load": "loaded",
    "search": "own_search",
}

__all__ = ["LoadedDesign", "LoadedRun", "ModuleRunner", "load", "search", "search_table"]

__getattr__, __dir__ = lazily(__name__, _HOME)
