"""Whether the Python files that a run names may be executed here.

A run directory can come from anywhere, and opening the network that it names would run that file; so would its strategy
and the data flow of its chip, where these are files.  A search that ends on this machine keeps path and SHA-256 of each
in `known-code` of the user's state folder (`$XDG_STATE_HOME/svit-dse`, by default `~/.local/state/svit-dse`), never in
the run directory.  A file that is not kept there, or that has changed since, is data until the user says `--trust`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from costmodels import plugins
from costmodels.whole_files import write_text
from dse.config.schema import Config
from dse.errors import ConfigError
from dse.ledger import JOURNAL

OPTION = "--trust"


def _known() -> Path:
    given = os.environ.get("XDG_STATE_HOME")
    return (Path(given) if given else Path.home() / ".local" / "state") / "svit-dse" / "known-code"


def _entry(file: Path) -> str:
    return json.dumps([os.path.realpath(file), hashlib.sha256(file.read_bytes()).hexdigest()])


def own_code(config: Config) -> tuple[Path, ...]:
    """The Python files that are executed for a configuration: network, strategy, data flow of the chip."""
    return (*(file for file in named_files(config) if file.is_file()), *_of_chip(config))


def named_files(config: Config) -> list[Path]:
    """The Python files that a configuration names for its network and its strategy, whether they are there or not."""
    strategy = config.search.strategy
    named = [config.network.file, plugins.split(strategy)[0] if plugins.is_file(strategy) else None]
    return [Path(file) for file in named if file]


def _of_chip(config: Config) -> list[Path]:
    """The files of the chip's data flows."""
    if not Path(config.hardware).is_file():
        return []
    from costmodels import own_dataflow_files  # brings the schema of chips, which reading a run does without

    return [file for file in own_dataflow_files(config.hardware) if file.is_file()]


def keep(config: Config) -> None:
    """Keep that the Python files that a configuration names are run on this machine by its user."""
    known = _known()
    for entry in map(_entry, own_code(config)):
        with suppress(OSError):  # a home that cannot be written to asks again, with --trust
            known.parent.mkdir(parents=True, exist_ok=True)
            before = known.read_text(encoding="utf-8") if known.is_file() else ""
            if entry not in before.splitlines():
                write_text(known, f"{before}{entry}\n")


def check(config: Config, run: Path) -> None:
    """Raises ConfigError where the configuration of a run names a Python file that this user has not run as it is."""
    _refuse(own_code(config), run)


def check_chip(config: Config, run: Path) -> None:
    """The same for the data flow of the run's chip alone: what costs designs executes nothing else."""
    _refuse(_of_chip(config), run)


def _refuse(files: Iterable[Path], run: Path) -> None:
    if file := _unknown(files):
        raise ConfigError(
            f"{run / 'config.yaml'}: names the Python file {file}, which no search on this machine has run as it is "
            f"now; read it, and give {OPTION} to execute it"
        )


def check_given(config: Config, path: Path) -> None:
    """The same for a configuration that the user named, where its file lies in a run directory: that is data.

    One that lies elsewhere is the user's own word.
    """
    if not any((path.parent / name).is_file() for name in ("manifest.json", JOURNAL)):
        return
    if file := _unknown(own_code(config)):
        raise ConfigError(
            f"{path}: lies in a run directory, which may come from anybody, and names the Python file {file}, which no "
            "search on this machine has run as it is now; read both, and give a copy of the configuration in another "
            "folder to execute it"
        )


def _unknown(files: Iterable[Path]) -> Path | None:
    """The first of the files that this user has not run as it is."""
    known = _known()
    entries = set(known.read_text(encoding="utf-8").splitlines()) if known.is_file() else set()
    return next((file for file in files if _entry(file) not in entries), None)
