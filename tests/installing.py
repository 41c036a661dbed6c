"""What the tests need beside Python packages, installed where that can be done; needs nothing but Python itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

UPDATE = ("apt-get", "-qq", "update")
INSTALL = ("apt-get", "-qq", "-y", "--no-install-recommends", "install")


def as_root() -> list[str] | None:
    """What to put before a command that root must run: nothing, or sudo where it asks for no password; else None."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


def run(command: list[str], log: Path) -> bool:
    """Run an installer with its output in the log; true if it succeeded."""
    with log.open("a", encoding="utf-8") as noise:
        noise.write(f"$ {' '.join(command)}\n")
        noise.flush()
        done = subprocess.run(command, stdout=noise, stderr=noise, stdin=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def say(text: str) -> None:
    """Tell the user, apart from the result on stdout."""
    print(text, file=sys.stderr, flush=True)


def by_apt(package: str, why: str, log: Path) -> bool:
    """Install a package of Debian, where this user may; whether that was done.  `why` is told before."""
    prefix = as_root() if shutil.which("apt-get") else None
    if prefix is None:
        return False
    say(f"{why}: installing Debian's {package} with apt-get, about a minute")
    quiet = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive"]
    run([*quiet, *UPDATE], log)  # one source out of reach need not matter; the installation decides
    return run([*quiet, *INSTALL, package], log)
