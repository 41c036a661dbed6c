"""Whether the Python file that a run names may be executed here.

A run directory can come from anywhere, and opening the network that it names would run that file.  A search that ends
on this machine keeps the path and the SHA-256 of its network's file in `known-code` of the user's state folder
(`$XDG_STATE_HOME/svit-dse`, by default `~/.local/state/svit-dse`), never in the run directory.  A file that is not kept
there, or that has changed since, is data until the user says `--trust`.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from costmodels.whole_files import write_text
from dse.config.schema import Config
from dse.errors import ConfigError
from dse.ledger.journal import NAME

OPTION = "--trust"


def _known() -> Path:
    given = os.environ.get("XDG_STATE_HOME")
    return (Path(given) if given else Path.home() / ".local" / "state") / "svit-dse" / "known-code"


def _entry(file: Path) -> str:
    return json.dumps([os.path.realpath(file), hashlib.sha256(file.read_bytes()).hexdigest()])


def keep(config: Config) -> None:
    """Keep that the configuration's Python file, where it names one, is run on this machine by its user."""
    if config.network.file is None or not Path(config.network.file).is_file():
        return
    entry, known = _entry(Path(config.network.file)), _known()
    with suppress(OSError):  # a home that cannot be written to asks again, with --trust
        known.parent.mkdir(parents=True, exist_ok=True)
        if entry not in (known.read_text(encoding="utf-8").splitlines() if known.is_file() else ()):
            before = known.read_text(encoding="utf-8") if known.is_file() else ""
            write_text(known, f"{before}{entry}\n")


def check(config: Config, run: Path) -> None:
    """Raises ConfigError where the configuration of a run names a Python file that this user has not run as it is."""
    if file := _unknown(config):
        raise ConfigError(
            f"{run / 'config.yaml'}: names the Python file {file}, which no search on this machine has run as it is "
            f"now; read it, and give {OPTION} to execute it"
        )


def check_given(config: Config, path: Path) -> None:
    """The same for a configuration that the user named, where its file lies in a run directory: that is data.

    One that lies elsewhere is the user's own word.
    """
    if not any((path.parent / name).is_file() for name in ("manifest.json", NAME)):
        return
    if file := _unknown(config):
        raise ConfigError(
            f"{path}: lies in a run directory, which may come from anybody, and names the Python file {file}, which no "
            "search on this machine has run as it is now; read both, and give a copy of the configuration in another "
            "folder to execute it"
        )


def _unknown(config: Config) -> Path | None:
    """The configuration's Python file, where this user has not run it as it is."""
    if config.network.file is None or not (file := Path(config.network.file)).is_file():
        return None
    known = _known()
    if known.is_file() and _entry(file) in known.read_text(encoding="utf-8").splitlines():
        return None
    return file
