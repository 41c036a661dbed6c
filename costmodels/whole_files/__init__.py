"""Files that are written whole or not at all, whatever happens meanwhile.

Everything that the packages above leave on a disk passes through here, except what only grows: the journal of a study,
logs and locks, which have rules of their own.  It needs the standard library alone.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["formula_safe", "replacing", "replacing_folder", "write_text"]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OS_ERROR = re.compile(r"\(os error (\d+)\)")  # how libraries written in Rust tell of it


@contextmanager
def replacing(path: str | os.PathLike[str], through: bool = True) -> Iterator[Path]:
    """A new file beside `path`, with its ending, that takes its place when the block ends well.

    path     the file; of a link, what it leads to is replaced; devices and pipes are written to as they are
    through  wait until it is on the disk; not needed for what holds a checksum and can be made again

    The content is on the disk before the name changes, so that a power cut leaves the old file or the new one; an error
    leaves what was there and nothing beside it.  Raises OSError or one of its kinds, in one line that names `path`.
    """
    shown, path = Path(path), Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        yield path
        return
    part = path.with_name(f".{path.stem[:80]}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield part
        if through:
            _through(part)
        part.replace(path)
        if through:
            _through(path.parent)
    except Exception as error:
        raise _told(error, shown, path.parent) from None
    finally:
        _gone(part)


@contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new folder beside `path` that takes its place when the block ends well, and leaves no trace otherwise.

    path  the folder; one that is there already is removed when the new one is complete

    Raises OSError or one of its kinds, in one line that names `path`.
    """
    shown, path = Path(path), Path(os.path.realpath(path))
    new, old = (path.with_name(f".{path.name[:80]}-{secrets.token_hex(4)}") for _ in range(2))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.mkdir()
        yield new
        for file in new.rglob("*"):
            _through(file)
        if path.exists():
            path.rename(old)
        try:
            new.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
        _through(path.parent)
    except Exception as error:
        raise _told(error, shown, path.parent) from None
    finally:
        for each in (new, old):
            shutil.rmtree(each, ignore_errors=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8, whole or not at all.

    path  the file
    text  what it shall hold

    Raises as `replacing`.
    """
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def formula_safe(text: str) -> str:
    """A cell of a table that no spreadsheet takes for a formula.

    text  the cell; one that begins with = + - @, a tab or a line break, and is no number, gets an apostrophe in front
    """
    if not text or text[0] not in "=+-@\t\r\n":
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _through(path: Path) -> None:
    """Wait until a file or the entries of a folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP)):  # no such thing on this file system
            raise
    finally:
        os.close(descriptor)


def _gone(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:  # its folder is gone or cannot be written to, so there is no such file
        return


def _told(error: Exception, path: Path, folder: Path) -> Exception:
    """An error of the system as one line that names the file and what would do; any other as it is."""
    found = OS_ERROR.search(str(error))
    number = error.errno if isinstance(error, OSError) else int(found[1]) if found else None
    if number in NO_ROOM:
        free = shutil.disk_usage(folder).free
        why = os.strerror(number)
        return OSError(f"{path}: {why} ({free:,} bytes free); make room and run the command again")
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return PermissionError(f"{path}: {os.strerror(number)}; choose a folder that can be written to")
    if isinstance(error, FileNotFoundError | NotADirectoryError) or number in (errno.ENOENT, errno.ENOTDIR):
        return FileNotFoundError(f"{path}: the folder {path.parent} does not exist; make it first")
    if number is not None:
        return OSError(f"{path}: {os.strerror(number)}")
    return error
