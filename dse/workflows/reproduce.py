"""A finished search made again from what its run directory says, and compared with it byte by byte."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dse.errors import ConfigError
from dse.results import trust
from dse.results.files import read_csv
from dse.results.manifest import Manifest, surroundings
from dse.results.own_parts import check_own
from dse.results.run import Run, open_run
from dse.workflows.search import carried_out, inputs
from dse.workflows.search_steps import prepare
from dse.workflows.search_values import SILENT, Listener, StudyStorage

NOT_COMPARED = ("manifest.json", "config.yaml", "finetuned.csv")  # times and machine; paths; made by other commands
TIMES = {"history.csv": ("seconds",)}  # columns that hold times


@dataclass(frozen=True, eq=False)
class Reproduction:
    """A run made again: files with the same bytes, what differs in the others, processes of the first run."""

    run: Run
    same: tuple[str, ...]
    different: Mapping[str, str]
    workers: int


def reproduce(path: Path, out: Path, command: Sequence[str] = (), hear: Listener = SILENT) -> Reproduction:
    """Search again with the configuration of the run in `path`, into the folder `out`, and compare the two.

    `command` is the command line for the manifest.  `hear` is told first what differs between then and now: versions,
    code, machine, network, images and chip.  One process does it, so that a serial run gives the same bytes.  Raises
    ConfigError where `path` is no finished run, or one whose costs were computed again; and what `search` raises.
    """
    old = open_run(path)
    if "recosted_from" in old.manifest:
        raise ConfigError(f"{path}: is another run costed on another chip; reproduce that one, then cost it again")
    if out.resolve() == path.resolve():
        raise ConfigError(f"{out}: is the run itself; give the new one another --out")
    check_own(old, "a run without it")
    trust.check(old.config, path)
    for line in differences(old.manifest, surroundings()):
        hear.say(f"differs from the run: {line}")
    prepared = prepare(old.config, StudyStorage(out), hear)
    for line in differences(old.manifest, inputs(prepared.config, prepared.experiment)):
        hear.say(f"differs from the run: {line}")
    return compared(old, carried_out(prepared, out, command, hear))


def differences(then: Manifest, now: Mapping[str, Any]) -> Iterator[str]:
    """What of `now` the manifest `then` has otherwise, a line each; what it does not have is not compared."""
    for key, value in now.items():
        before: Any = then.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            for part in value:
                if part in before and part not in ("path", "name", "host", "ids") and before[part] != value[part]:
                    yield f"{key} {part} was {_short(before[part])}, now {_short(value[part])}"
        elif before is not None and before != value:
            yield f"{key} was {_short(before)}, now {_short(value)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 40 else f"{text[:12]}..."


def compared(old: Run, new: Run) -> Reproduction:
    """Every table and record of the run beside that of the new one."""
    names = sorted(p.name for p in old.path.iterdir() if p.suffix in (".csv", ".json") and p.name not in NOT_COMPARED)
    different = {name: why for name in names if (why := _difference(old.path / name, new.path / name))}
    same = tuple(name for name in names if name not in different)
    return Reproduction(new, same, different, len(old.manifest.get("workers", [])))


def _difference(before: Path, after: Path) -> str:
    """What differs between two files; empty where nothing does."""
    if not after.is_file():
        return "was not written again"
    if filecmp.cmp(before, after, shallow=False):
        return ""
    if before.suffix != ".csv":
        return "has other values"
    tables = [read_csv(path).drop(columns=list(TIMES.get(path.name, ())), errors="ignore") for path in (before, after)]
    return "" if before.name in TIMES and tables[0].equals(tables[1]) else _between(*tables)


def _between(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """Which rows of two tables differ, by id where they have one."""
    if list(before.columns) != list(after.columns):
        strange = set(before.columns) ^ set(after.columns)
        return (
            f"has other columns ({', '.join(sorted(map(str, strange))[:3])})" if strange else "has them in other order"
        )
    if "id" not in before or not (before["id"].is_unique and after["id"].is_unique):
        return f"has {len(before)} rows and now {len(after)}, with other values"
    first, second = before.set_index("id"), after.set_index("id")
    both = first.index.intersection(second.index)
    changed = first.loc[both].fillna(-1).ne(second.loc[both].fillna(-1))
    if len(both) == len(first) == len(second) and not changed.any(axis=None):
        return "has the same rows in another order"
    columns = ", ".join(map(str, changed.columns[changed.any()][:3]))
    kept = f"{len(both)} of {len(first)} designs are measured again"
    return f"{kept}; {int(changed.any(axis=1).sum())} of them have other values" + (f" ({columns})" if columns else "")
