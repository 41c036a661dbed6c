"""The SHA-256 of a file, by which manifests and exports name it, and of source code; without torch."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def sha256(path: str | os.PathLike[str]) -> str:
    """The file's SHA-256 in hexadecimal.

    path  the file to read
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sources(*folders: Path) -> str:
    """The SHA-256, in hexadecimal, of all Python files in some folders, by name and content.

    folders  packages
    """
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder.parent)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
