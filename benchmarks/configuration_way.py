"""Which modules a configuration visits on its way through a search.

    python benchmarks/configuration_way.py

Runs a small search and notes every module of the product that reads an attribute of the configuration or of one of its
sections, in the order in which they do: a stay is a run of reads by one module, a return a stay in a module that was
left before.  Ends with one line of JSON.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from dse.config import schema
from dse.config.schema import Config, Data, Quantization, Search, Section
from dse.workflows.search import search

PRODUCT = ("dse", "sviT_models", "costmodels", "reports")
READS = {"model_dump", "model_copy", "model_fields_set"}  # beside the keys of the configuration


def main() -> None:
    config = Config(
        data=Data(search_images=60, verify_images=50, fisher_images=16, calibration_images=32, batch_size=30),
        quantization=Quantization(method="nearest"),
        search=Search(strategy="posterior", evaluations=10, widths=(2, 4, 8), prior="both"),
    )
    with tempfile.TemporaryDirectory() as folder:
        stays = visited(config, Path(folder) / "run")
    modules = list(dict.fromkeys(stays))
    print("\n".join(stays))
    print(json.dumps({"stays": len(stays), "modules": modules, "returns": len(stays) - len(modules)}))


def visited(config: Config, run: Path) -> list[str]:
    """The modules that read the configuration of a search, one entry per stay."""
    stays: list[str] = []
    usual, keys = Section.__getattribute__, READS | _keys(type(config))

    def read(section: Section, name: str) -> Any:
        module = sys._getframe(1).f_globals.get("__name__", "")
        inside = module.split(".")[0] in PRODUCT and module != schema.__name__
        if name in keys and inside and stays[-1:] != [module]:
            stays.append(module)
        return usual(section, name)

    Section.__getattribute__ = read
    try:
        search(config, run)
    finally:
        Section.__getattribute__ = usual
    return stays


def _keys(section: type[Section]) -> set[str]:
    """The keys of a section and of those below it, and its properties."""
    fields = section.model_fields
    below = [f.annotation for f in fields.values() if isinstance(f.annotation, type)]
    inner = [_keys(kind) for kind in below if issubclass(kind, Section)]
    return set(fields).union(*inner) | {name for name in vars(section) if not name.startswith("_")}


if __name__ == "__main__":
    main()
