"""The SHA-256 of a file, by which manifests and exports name it; without torch."""

from __future__ import annotations

import hashlib
import os


def sha256(path: str | os.PathLike[str]) -> str:
    """The file's SHA-256 in hexadecimal.

    path  the file to read
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
