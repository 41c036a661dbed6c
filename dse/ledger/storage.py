"""A study's storage: the journal of a run directory, or any storage that Optuna opens by its URL.

URLs hold passwords, and libraries put URLs into their error texts: whatever is shown or kept passes `redacted`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import optuna
from optuna.storages import BaseStorage, JournalStorage

from dse.errors import ConfigError, LostStorageError
from dse.ledger.journal import NAME, Journal

HIDDEN = "***"
# user and password before the last @ of the authority, options after a question mark
PARTS = re.compile(r"^(?P<scheme>[\w+.-]*:/*)(?:(?P<user>.*)@)?(?P<place>[^?#]*)(?P<options>[?#].*)?$", re.DOTALL)
OPTION = "--storage"
VARIABLE = "SVIT_DSE_STORAGE"  # of the environment, in its place


def redacted(url: str) -> str:
    """A storage URL without user, password and options, which may be secret."""
    if not (parts := PARTS.match(url)):
        return HIDDEN
    user = f"{HIDDEN}@" if parts["user"] is not None else ""
    return f"{parts['scheme']}{user}{parts['place']}" + (f"?{HIDDEN}" if parts["options"] else "")


def without_secrets(text: str, url: str | None) -> str:
    """A text without the secret parts of a storage URL, as typed and as decoded."""
    if url is None:
        return text
    text = text.replace(url, redacted(url))
    parts = PARTS.match(url)
    user = "" if parts is None else parts["user"] or ""
    pieces = [piece for piece in re.split("[:@]", user) if len(piece) > 3]  # a library may cut elsewhere
    secrets = [] if parts is None else [user, user.partition(":")[2], parts["options"], *pieces]
    for secret in sorted({s for found in secrets if found for s in (found, unquote(found))}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def shown_command(words: Sequence[str]) -> list[str]:
    """The words of a command line, with the secret parts of a storage URL left out."""
    out, url = [], False
    for word in words:
        option, equals, value = word.partition("=")
        if url:
            word = redacted(word)
        elif equals and option == OPTION:
            word = f"{option}={redacted(value)}"
        url = word == OPTION
        out.append(word)
    return out


def open_storage(run_dir: Path, url: str | None) -> BaseStorage:
    """The study's storage: the journal in the run directory, or the storage of a URL.

    Raises ConfigError, in one line without secrets, for a URL that opens none and for a damaged journal.
    """
    if url is None:
        path = run_dir / NAME
        journal = Journal(path)
        try:
            return JournalStorage(journal)
        except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{path}: does not hold a study ({error!r}); take another --out") from None
    with spoken(url):
        return optuna.storages.get_storage(url)


@contextmanager
def spoken(url: str | None) -> Iterator[None]:
    """Whatever a database's libraries raise becomes one line without secrets."""
    try:
        yield
    except (ImportError, ValueError, OSError) as error:
        if url is None or isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{_told(error, url)}; check the address, and that the database runs") from None
    except Exception as error:
        if url is None or not _of_a_database(error):
            raise
        raise ConfigError(f"{_told(error, url)}; check the address, and that the database runs") from None


@contextmanager
def kept(url: str | None) -> Iterator[None]:
    """A database that no longer answers while the block runs becomes a LostStorageError of one line without secrets."""
    try:
        yield
    except Exception as error:
        if url is None or not _of_a_database(error):
            raise
        raise LostStorageError(
            f"{_told(error, url)}; what was finished is kept there: once it answers, run the same command again"
        ) from None


def _of_a_database(error: Exception) -> bool:
    """Whether an error is that of a database or of its libraries."""
    library = type(error).__module__.partition(".")[0]
    known = isinstance(error, optuna.exceptions.StorageInternalError)
    return known or library in ("sqlalchemy", "psycopg", "psycopg2", "alembic")


def _told(error: Exception, url: str) -> str:
    """The address and the first line of what a database or its library says, without secrets."""
    cause: Any = error
    while within := getattr(cause, "orig", None) or cause.__cause__:  # the driver's own words
        cause = within
    lines = [" ".join(line.split()) for line in str(cause).splitlines() if line.strip()]
    said = without_secrets(lines[0] if lines else type(cause).__name__, url)
    return f"{OPTION} {redacted(url)}: {said}"
