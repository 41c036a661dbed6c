"""The journal of a run directory: Optuna's journal storage on a file that notices damage and heals a cut end.

Every line carries its number and a checksum over all lines before it.  A line that is lost, doubled or changed would
shift or falsify every later trial when Optuna replays the file, so that it is refused with its number.  What a kill, a
full disk or a power cut leaves half-written at the end is cut off before the next line is written.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from optuna.storages.journal import BaseJournalBackend
from optuna.storages.journal._storage import JournalOperation

from dse.errors import ConfigError

PATIENCE = 60.0  # s that a writer waits for another one's lock, which is held for milliseconds
CHECK = b',"check":['
LATER = (JournalOperation.SET_TRIAL_USER_ATTR, JournalOperation.SET_TRIAL_SYSTEM_ATTR)


class Mark(NamedTuple):
    """The end of a line: lines so far, bytes so far, checksum so far."""

    lines: int = 0
    size: int = 0
    check: int = 0


@dataclass(frozen=True)
class Damage:
    """The first line that is not what was written, from 1, and what is wrong with it."""

    line: int
    why: str


def sealed(log: dict[str, Any], before: Mark) -> bytes:
    """A log record as a line that continues the checksum of the lines before it."""
    body = json.dumps(log, separators=(",", ":")).encode()[:-1]
    return body + CHECK + b"%d,%d]}\n" % (before.lines + 1, zlib.crc32(body, before.check))


def opened(line: bytes, before: Mark) -> tuple[dict[str, Any], Mark] | Damage:
    """A complete line's record and its mark, or what is wrong with it."""
    number, (body, found, check) = before.lines + 1, line.rpartition(CHECK)
    if not found:
        return Damage(number, "is no line of a journal, or one of an earlier version of the tool")
    crc = zlib.crc32(body, before.check)
    if check != b"%d,%d]}\n" % (number, crc):
        told = check.partition(b",")[0]
        lost = told.isdigit() and len(told) < 10 and int(told) != number
        return Damage(number, f"says it is line {int(told)}" if lost else "has been changed")
    return json.loads(body + b"}"), Mark(number, before.size + len(line), crc)


class Journal(BaseJournalBackend):
    """What Optuna's `JournalStorage` reads and appends to; safe for several processes of one machine.

    path: the file, made where there is none.  Reading raises ConfigError, naming the line, for a file that was damaged
    before its end; appending raises OSError, naming the file, where the disk takes no more, and leaves what was there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = Mark()
        self._end = Mark()
        path.touch()

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """The records from a number on, in order, without a half line at the end."""
        try:
            yield from self._logs(log_number_from)
        except ConfigError:
            with self._locked():  # another process may just have cut off a half line that was read in part
                yield from self._logs(self._read.lines)

    def _logs(self, number: int) -> Iterator[dict[str, Any]]:
        mark = self._read if self._read.lines == number else Mark()
        for log, after in self._lines(mark):
            self._read = after
            if after.lines > number:
                yield log

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write records, complete or not at all.

        They are through to the disk on return, but for attributes of a trial under way: those are with the trial's
        state, whose line comes last, and no result is told before.
        """
        with self._locked() as fd:
            self._cut(fd)
            text, mark = b"", self._end
            for log in logs:
                line = sealed(log, mark)
                mark = Mark(mark.lines + 1, mark.size + len(line), zlib.crc32(line.rpartition(CHECK)[0], mark.check))
                text += line
            try:
                done = 0
                while done < len(text):
                    done += os.pwrite(fd, text[done:], self._end.size + done)
                if any(log["op_code"] not in LATER for log in logs):
                    os.fsync(fd)
            except OSError as error:
                os.ftruncate(fd, self._end.size)
                free = shutil.disk_usage(self.path.parent).free
                why = f"{error.strerror} ({free:,} bytes free); all finished evaluations are kept: make room and"
                raise OSError(f"{self.path}: {why} run the same command again") from None
            self._end = mark

    def cut(self) -> int:
        """Cut off what a killed writer left half-written at the end; the number of bytes cut."""
        with self._locked() as fd:
            return self._cut(fd)

    def _cut(self, fd: int) -> int:
        for _, after in self._lines(self._end):
            self._end = after
        over = os.fstat(fd).st_size - self._end.size
        if over:
            os.ftruncate(fd, self._end.size)
            os.fsync(fd)
        return over

    def _lines(self, mark: Mark) -> Iterator[tuple[dict[str, Any], Mark]]:
        """Complete lines after a mark."""
        with self.path.open("rb") as file:
            file.seek(mark.size)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                found = opened(line, mark)
                if isinstance(found, Damage):
                    raise ConfigError(
                        f"{self.path}:{found.line}: {found.why}; `svit-dse repair {self.path.parent}` keeps the "
                        f"{mark.lines} lines before it"
                    )
                yield found
                mark = found[1]

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The file, with the kernel's lock on it, which ends with the process that holds it."""
        fd = os.open(self.path, os.O_RDWR)
        try:
            end, pause = time.monotonic() + PATIENCE, 0.001
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise ConfigError(
                            f"{self.path}: {holder(fd)} has held its lock for {PATIENCE:.0f} s; end that process, "
                            "then run the same command again"
                        ) from None
                    time.sleep(pause)
                    pause = min(2 * pause, 0.05)
            yield fd
        finally:
            os.close(fd)


def holder(fd: int) -> str:
    """The process that holds the kernel's lock on an open file, as far as the system tells."""
    inode = str(os.fstat(fd).st_ino)
    try:
        rows = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
    except OSError:
        rows = []
    pids = [row[4] for row in rows if len(row) > 5 and row[1] == "FLOCK" and row[5].split(":")[-1] == inode]
    return f"process {pids[0]}" if pids else "another process"


@dataclass(frozen=True)
class Repair:
    """What `repair` did: lines kept, bytes dropped, the copy of the damaged file, and the damage.

    `copy` and `damage` are None where the file was whole, but perhaps for a half line at its end.
    """

    lines: int
    dropped: int
    copy: Path | None
    damage: Damage | None


def repair(path: Path) -> Repair:
    """Keep the whole lines of a damaged journal, up to the first damage, and a copy of the file as it was.

    path  a journal that no process works with
    """
    mark, damage = Mark(), None
    with path.open("rb") as file:
        for line in file:
            found = opened(line, mark) if line.endswith(b"\n") else Damage(mark.lines + 1, "is cut")
            if isinstance(found, Damage):
                damage = found
                break
            mark = found[1]
    dropped = path.stat().st_size - mark.size
    if damage is None:
        return Repair(mark.lines, 0, None, None)
    copy = _free(path.with_name(path.name + ".damaged"))
    shutil.copyfile(path, copy)
    part = path.with_name(path.name + ".part")
    with path.open("rb") as old, part.open("wb") as new:
        new.write(old.read(mark.size))
        new.flush()
        os.fsync(new.fileno())
    part.replace(path)
    return Repair(mark.lines, dropped, copy, damage)


def _free(path: Path) -> Path:
    """The path, or the first of path-2, path-3, ... that does not exist."""
    names = [path, *(path.with_name(f"{path.name}-{n}") for n in range(2, 1000))]
    return next(name for name in names if not name.exists())
