"""Disks that are full or cannot be written to: small ones for real where the system lets us mount them."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """`disk("size=64k")` is a new disk in memory with these options of mount; skipped where one may not be mounted."""
    made: list[Path] = []

    def mount(options: str) -> Path:
        path = tmp_path / f"disk{len(made)}"
        path.mkdir()
        try:
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True)
        except OSError:
            pytest.skip("no mount here; the same error is raised by a stub in another test")
        if done.returncode:
            pytest.skip("mounting is not allowed here; the same error is raised by a stub in another test")
        made.append(path)
        return path

    yield mount
    for path in made:
        subprocess.run(["umount", str(path)], check=True)
