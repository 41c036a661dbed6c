"""A run directory belongs to one search at a time, and holds no files of anybody else when it begins."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from dse.errors import ConfigError
from dse.ledger import JOURNAL

OWNER = "owner.lock"


def _of_the_tool(out: Path) -> bool:
    """Whether a search has worked in a directory."""
    if (out / OWNER).is_file() or (out / JOURNAL).is_file():
        return True
    try:
        return '"svit-dse"' in (out / "manifest.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


@contextmanager
def owned(out: Path, option: str = "--out ") -> Iterator[None]:
    """Hold a run directory, made where there is none, while the block runs.

    out     the directory
    option  what stands before it in messages: how the user gave it

    The lock is the kernel's, so that it ends with the process, however that ends.  Raises ConfigError, before anything
    is computed, for a directory with files that no search wrote or with links out of it, and for one that a living
    search holds.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{option}{out}: is a file; give a folder")
    if out.is_dir() and not _of_the_tool(out) and (strange := sorted(p.name for p in out.iterdir())):
        raise ConfigError(
            f"{option}{out}: holds {strange[0]}, which no search wrote; take an empty folder or a new name"
        )
    check_links(out)
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    fd = os.open(out / OWNER, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{option}{out}: {_named(out)} works in it; wait for it, or take another --out") from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps({"process": os.getpid(), "host": socket.gethostname()}).encode() + b"\n", 0)
        yield
    except BaseException:
        _leave_nothing(out, made)
        raise
    finally:
        os.close(fd)


def check_links(run: Path) -> None:
    """Raises ConfigError where an entry of a run directory is a link that leads out of it.

    A directory from somebody else may hold any link: what is written through it would replace a file of this user.
    """
    inside = os.path.realpath(run)
    for folder, folders, files in os.walk(run):
        for path in (Path(folder, name) for name in (*folders, *files)):
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside):
                raise ConfigError(f"{path}: is a link that leads out of the run directory; put there what it leads to")


def _leave_nothing(out: Path, made: Sequence[Path]) -> None:
    """Take back the folders that were made, from the innermost, where a search was refused before it wrote anything."""
    if made and [path.name for path in out.iterdir()] == [OWNER]:
        (out / OWNER).unlink()
        with suppress(OSError):  # another process has put something there
            for folder in made:
                folder.rmdir()


def _named(out: Path) -> str:
    try:
        told = json.loads((out / OWNER).read_text(encoding="utf-8"))
        return f"process {int(told['process'])} on {told['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another search"
