"""A study's storage: the journal of a run directory, Optuna's gRPC proxy, or what else Optuna opens by its URL."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage

from dse.errors import ConfigError, LostStorageError
from dse.ledger import JOURNAL
from dse.ledger.address import OPTION, redacted, without_secrets
from dse.ledger.database import Database
from dse.ledger.journal import Journal
from dse.ledger.statements import UPSERTS

PROXY = "grpc"  # of a URL grpc://HOST:PORT
ADDRESS = re.compile(r"grpc://(?P<host>[\w.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})/?")
AGAIN = (0.1, 0.2, 0.4, 0.8)  # s between two looks at tables that another worker makes
ANSWER = 10.0  # s that a proxy has to answer
DRIVERS = {"postgresql": ("psycopg", "psycopg2"), "mysql": ("pymysql", "MySQLdb")}  # the extra's, and SQLAlchemy's own


def open_storage(run_dir: Path, url: str | None) -> BaseStorage:
    """The study's storage: the journal in the run directory, or that of a URL, grpc://HOST:PORT for Optuna's proxy.

    Raises ConfigError, in one line without secrets, for a URL that opens none and for a damaged journal.
    """
    if url is None:
        path = run_dir / JOURNAL
        journal = Journal(path)
        try:
            return JournalStorage(journal)
        except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{path}: does not hold a study ({error!r}); take another --out") from None
    if "://" not in url:
        forms = "postgresql://user@host/name, sqlite:///study.db or grpc://host:port"
        raise ConfigError(f"{OPTION} {redacted(url)}: is no URL, such as {forms}")
    with spoken(url):
        dialect = re.split("[+:]", url)[0]
        if dialect == PROXY:
            return _proxy(url)
        return optuna.storages.get_storage(_database(_driven(url)) if dialect in UPSERTS else url)


def _database(url: str) -> Database:
    """A database with its tables; of workers that start at once several make them, and who comes second looks again."""
    from sqlalchemy.exc import DBAPIError, IntegrityError

    for pause in AGAIN:
        try:
            return Database(url)
        except DBAPIError as error:
            if not isinstance(error, IntegrityError) and "already exists" not in str(error):
                raise
            time.sleep(pause)
    return Database(url)


def _driven(url: str) -> str:
    """A URL that names its driver: that of the package's extra where it names none and SQLAlchemy's is not there."""
    dialect, found, place = url.partition("://")
    ours, usual = DRIVERS.get(dialect, ("", ""))
    return f"{dialect}+{ours}{found}{place}" if ours and (find_spec(ours) or not find_spec(usual)) else url


def reach(url: str | None, run_dir: Path | None) -> None:
    """Open a storage and leave it again: what does not open is refused before anything is prepared.

    Raises ConfigError as `open_storage`; a journal that is not there yet is made beside what a search writes.
    """
    if url is None:
        if run_dir is not None and (run_dir / JOURNAL).is_file():
            open_storage(run_dir, None)
        return
    storage = open_storage(Path(), url)
    storage.remove_session()
    if (engine := getattr(getattr(storage, "_backend", storage), "engine", None)) is not None:
        engine.dispose()
    elif isinstance(storage, optuna.storages.GrpcStorageProxy):
        storage.close()


def _proxy(url: str) -> BaseStorage:
    """Optuna's client of a gRPC proxy that answers.  Raises ConfigError where none does."""
    wrong = f"{OPTION} {redacted(url)}: "
    if not (parts := ADDRESS.fullmatch(url)):
        raise ConfigError(f"{wrong}expected {PROXY}://HOST:PORT; the proxy has no login, its database has")
    if find_spec("grpc") is None:
        raise ConfigError(f"{wrong}needs gRPC; type: pip install 'svit-dse[grpc]'")
    proxy = optuna.storages.GrpcStorageProxy(host=parts["host"], port=int(parts["port"]))
    try:
        proxy.wait_server_ready(timeout=ANSWER)
    except ConnectionError:
        proxy.close()
        raise ConfigError(f"{wrong}no proxy answers in {ANSWER:.0f} s; check the address, and that it runs") from None
    return proxy


@contextmanager
def spoken(url: str | None) -> Iterator[None]:
    """Whatever a database's libraries raise becomes one line without secrets."""
    try:
        yield
    except ImportError as error:
        if url is None:
            raise
        dialect, named = re.split("[+:]", url)[0], "+" in url.partition("://")[0]
        remedy = "install it" + f", or name none: {dialect}://" * (named and dialect in DRIVERS)
        if dialect in DRIVERS and not named:
            remedy = f"type: pip install 'svit-dse[{dialect}]'"
        raise ConfigError(f"{_told(error, url)}; {remedy}") from None
    except (ValueError, OSError) as error:
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
    return known or library in ("sqlalchemy", "psycopg", "psycopg2", "pymysql", "MySQLdb", "alembic", "grpc")


def _told(error: Exception, url: str) -> str:
    """The address and the first line of what a database or its library says, without secrets."""
    cause: Any = error
    while within := getattr(cause, "orig", None) or cause.__cause__:  # the driver's own words
        cause = within
    text = str(cause.details()) if callable(getattr(cause, "details", None)) else str(cause)  # gRPC's, or any other's
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    said = without_secrets(lines[0] if lines else type(cause).__name__, url)
    return f"{OPTION} {redacted(url)}: {said}"
