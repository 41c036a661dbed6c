"""What a search was asked for, kept in its directory from the moment it begins until it is finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.results.contents import START
from dse.results.files import write_json
from dse.results.places import here


def keep_start(given: Mapping[str, Any], out: Path, command: Sequence[str], own: Mapping[str, Any]) -> None:
    """Keep the configuration as given and the command line of a search in `out`; `write_run` takes them away.

    `own` says which parts of the search were a caller's in Python; none for a search by the command line.
    """
    said = {"configuration": dict(given), "paths_from": here(out), "command": list(command)}
    write_json(out / START, said | ({"own": dict(own)} if own else {}))


def is_unfinished(run: Path) -> bool:
    """Whether the last search in a directory began and did not end."""
    return (run / START).is_file()
