"""A PostgreSQL server for tests: found or installed, started as an ordinary user on loopback, stopped at the end.

`python -m tests.campaign.postgres LOG` prints the folder of the server's programs. What happens is told on stderr; the
output of the installers goes to the file LOG. Where no server can be had, one line on stderr says what to type, and the
status is 2.

Tried in this order: the folder that $POSTGRESQL names, which must work; that of `initdb` on the path; Debian's; the
server in pip's package pgserver, which is installed if need be; Debian's package, where apt-get may be called.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests import installing
from tests.installing import as_root, run, say

DEBIAN = Path("/usr/lib/postgresql")  # here lie Debian's versions, whatever the path says
PIP = (sys.executable, "-m", "pip", "install", "--no-deps", "-c", "constraints.txt", "pgserver")
ORDINARY = ("postgres", "nobody")  # users that the server is run as where root runs the tests
PATIENCE = 60.0  # s, for processes that have ended and still have a number
MISSING = "no PostgreSQL server for the tests of lost workers"


class NoServer(Exception):
    """There is no server; the message says what to type."""


def installed() -> Iterator[Path]:
    """Folders with the server's programs on this machine."""
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent
    yield from sorted(DEBIAN.glob("*/bin"), key=lambda p: -float(p.parent.name))
    yield from packaged()


def packaged() -> Iterator[Path]:
    """The folder of pip's package, present or not; nothing where the package is not installed."""
    invalidate_caches()
    if (spec := find_spec("pgserver")) is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin"


def complaint(folder: Path) -> str:
    """Why the programs of a folder start no server, in one line; empty if they start one."""
    try:
        with server(folder):
            return ""
    except subprocess.CalledProcessError as error:
        return f"{Path(error.cmd[0]).name} ends with status {error.returncode}"
    except OSError as error:
        return f"{error.strerror}"


def present() -> Path | None:
    """The folder that $POSTGRESQL names, else the first one whose server starts."""
    if named := os.environ.get("POSTGRESQL"):
        if not (why := complaint(Path(named))):
            return Path(named)
        raise NoServer(f"POSTGRESQL={named}: {why}; name another folder with initdb, or none: unset POSTGRESQL")
    return next((folder for folder in installed() if not complaint(folder)), None)


def by_pip(log: Path) -> Path | None:
    """The server of pip's package."""
    say(f"{MISSING}: installing pip's pgserver, seconds")
    if run(list(PIP), log):
        return next((folder for folder in packaged() if not complaint(folder)), None)
    return None


def by_apt(log: Path) -> Path | None:
    """Debian's server, where this user may install packages."""
    return present() if installing.by_apt("postgresql", MISSING, log) else None


def advice(log: Path) -> str:
    """What to type where nothing could be installed, in one line."""
    if shutil.which("apt-get") and as_root() is None:
        remedy = "sudo apt-get update && sudo apt-get install postgresql"
    else:
        remedy = "make campaign POSTGRESQL=/folder/with/initdb"
    return f"{MISSING}, and none could be installed (see {log}); type: {remedy}"


def main(log: Path) -> int:
    """Print the folder of the server's programs, installed if need be; the exit status is 2 if there is none."""
    try:
        folder = present() or by_pip(log) or by_apt(log)
        if folder is None:
            raise NoServer(advice(log))
    except NoServer as error:
        say(str(error))
        return 2
    print(folder)
    return 0


def programs() -> Path:
    """The folder of a server for a test.  Raises NoServer that says what to type where there is none."""
    if named := os.environ.get("POSTGRESQL"):  # `make campaign` has started it
        return Path(named)
    if folder := present():
        return folder
    raise NoServer(f"{MISSING}; type: make campaign, which installs one")


@dataclass(frozen=True)
class Server:
    """A server with its data in `folder`, listening on a loopback `port`; `bin` has its programs."""

    bin: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Of an empty database."""
        return f"postgresql+psycopg://svit@127.0.0.1:{self.port}/postgres"

    @property
    def _quiet(self) -> Mapping[str, Any]:
        user = {"user": _ordinary()} if os.geteuid() == 0 else {}  # the server refuses to run as root
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return {"cwd": self.folder, **silent, **user}

    def _control(self, *words: str, check: bool = True) -> None:
        data = ["-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-w", "-t", "120"]
        options = ["-o", f"-F -p {self.port} -h 127.0.0.1 -k {self.folder}"]
        subprocess.run([str(self.bin / "pg_ctl"), *data, *options, *words], check=check, **self._quiet)

    def make(self) -> None:
        """An empty database; its files need not survive a crash of the machine."""
        words = ["-D", str(self.folder / "data"), "-U", "svit", "-A", "trust", "-N"]
        subprocess.run([str(self.bin / "initdb"), *words], check=True, **self._quiet)

    def start(self) -> None:
        """Start it, also after a kill, once the system has cleared away the processes of before."""
        end = time.monotonic() + PATIENCE
        while (self.folder / "data" / "postmaster.pid").exists() and time.monotonic() < end:
            with suppress(subprocess.CalledProcessError):
                return self._control("start")
            time.sleep(0.2)
        return self._control("start")

    def stop(self) -> None:
        """Stop it at once, where it still runs."""
        self._control("-m", "immediate", "stop", check=False)

    def kill(self) -> None:
        """End it as by kill -9, with all its connections."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text(encoding="ascii").splitlines()[0])
        os.kill(pid, signal.SIGKILL)


def _ordinary() -> str:
    """A user that is not root."""
    known = {user.pw_name for user in pwd.getpwall()}
    return next((name for name in ORDINARY if name in known), "")


@contextmanager
def server(bin_folder: Path | None = None) -> Iterator[Server]:
    """A server while the block runs."""
    bin_folder = bin_folder or programs()
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    if os.geteuid() == 0:
        shutil.chown(folder, _ordinary())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = Server(bin_folder, folder, port)
    try:
        found.make()
        found.start()
        try:
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
