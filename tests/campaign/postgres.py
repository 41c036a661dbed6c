"""A PostgreSQL server for tests: found, started as an ordinary user on a loopback port, stopped at the end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REMEDY = "no PostgreSQL server; on Debian, type: sudo apt-get install postgresql; elsewhere put initdb on the path"


def programs() -> Path:
    """The folder with initdb and pg_ctl.  Raises RuntimeError that says what to type where there is none."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: -float(p.parent.name)):
        if (folder / "initdb").is_file():
            return folder
    raise RuntimeError(REMEDY)


@contextmanager
def server() -> Iterator[str]:
    """The URL of an empty database."""
    bin_dir, folder = programs(), Path(tempfile.mkdtemp(prefix="postgres-"))
    options = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        options["user"] = "postgres"
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    control = [str(bin_dir / "pg_ctl"), "-D", str(data), "-l", str(folder / "log"), "-w"]
    control += ["-o", f"-p {port} -h 127.0.0.1 -k {folder}"]
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **options}
    subprocess.run([str(bin_dir / "initdb"), "-D", str(data), "-U", "svit", "-A", "trust"], **quiet)
    subprocess.run([*control, "start"], **quiet)
    try:
        yield f"postgresql+psycopg://svit@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)
