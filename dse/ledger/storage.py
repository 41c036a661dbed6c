"""A study's storage: the journal of a run directory, or any storage that Optuna opens by its URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage

from dse.errors import ConfigError, LostStorageError
from dse.ledger.address import OPTION, redacted, without_secrets
from dse.ledger.database import Database
from dse.ledger.journal import NAME, Journal
from dse.ledger.statements import UPSERTS


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
        dialect = re.split("[+:]", url)[0]
        return optuna.storages.get_storage(Database(url) if dialect in UPSERTS else url)


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
