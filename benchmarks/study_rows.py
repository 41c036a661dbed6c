"""The rows of finished cells, a JSON file each, and what a row depends on."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

import pandas as pd
from study_cells import IMAGES, Cell

from costmodels.whole_files import write_text
from sviT_models.checkpoints.shipped import checkpoint_path
from sviT_models.hashing import sha256

ROOT = Path(__file__).parents[1]
ROWS = ROOT / "docs" / "study"
DEPENDS = "depends"  # on what, in a row
PROPOSES = ("dse/strategies", "dse/surrogate", "dse/optimize")  # packages that decide what a strategy proposes
ENDS = "dse/results/verification.py"  # decides which designs every search measures last


def depends(cell: Cell) -> dict[str, str]:
    """Hashes of what decides a cell's figures: its settings, the checkpoint's bytes, the source of its designs.

    That source is the strategy's files and dse/results/verification.py, which decides what every search measures last.
    The code that measures, costs and verifies is the same for all methods; a row names it, and a change of it alone
    does not make a row old.
    """
    settings = json.dumps([cell.settings, IMAGES[cell.data]])
    files = strategy_files(cell.config.search.strategy)
    code = hashlib.sha256("".join(f"{path}\0{_meaning(path)}" for path in files).encode())
    return {
        "settings": hashlib.sha256(settings.encode()).hexdigest(),
        "checkpoint": sha256(checkpoint_path(cell.network)),
        "strategy": code.hexdigest(),
    }


def strategy_files(name: str) -> list[str]:
    """The source file of a strategy, those of `PROPOSES` that it imports, directly or not, and `ENDS`, sorted."""
    found = {ENDS}
    waiting = [f"dse/strategies/{name}.py"]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return sorted(found)


def _meaning(path: str) -> str:
    """The statements of a source file; comments, docstrings, layout and the places of imports decide no figure."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            del node.body[0]
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return ast.dump(tree)


def _imported(path: str) -> list[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    out = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
            for place in (name.replace(".", "/") for name in names):
                if place.startswith(PROPOSES):
                    out += [each for each in (f"{place}.py", f"{place}/__init__.py") if (ROOT / each).is_file()]
    return out


def known(folder: Path = ROWS) -> pd.DataFrame:
    """All rows of a folder, sorted by cell; none where there is no folder yet."""
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return pd.DataFrame([{"variant": ""} | row for row in rows]) if rows else pd.DataFrame({"cell": []})


def state(cell: Cell, folder: Path = ROWS) -> str:
    """`open` without a row, `done` with one of these settings, checkpoint and strategy; else what has changed since."""
    path = folder / f"{cell.name}.json"
    if not path.is_file():
        return "open"
    before, now = json.loads(path.read_text(encoding="utf-8"))[DEPENDS], depends(cell)
    changed = [key for key in now if before.get(key) != now[key]]
    return f"old: other {', '.join(changed)}" if changed else "done"


def keep(cell: Cell, row: dict[str, object], folder: Path = ROWS) -> None:
    """Write the row of a cell."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**row, DEPENDS: depends(cell)}, indent=1)
    write_text(folder / f"{cell.name}.json", text + "\n")
