"""Results that are kept on disk under the hash of what they depend on, so that another process need not make them.

A file holds its own checksum: what is damaged is made again.  It is written beside its name and renamed.  Only bytes of
JSON and safetensors are kept, which nothing executes.  Everything here may be deleted at any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from costmodels.whole_files import replacing

HEAD = b"svit-dse kept 1 "
SAID = "said.json"
MOST_BYTES = 4 * 2**30  # of one kind of results; the least recently used leave first


def folder(kind: str) -> Path:
    """Where one kind of results lies: below $SVIT_CACHE, else in the user's folder for caches (XDG standard).

    kind  the folder's name
    """
    own = os.environ.get("SVIT_CACHE")
    return Path(own or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "svit-dse"), kind)


def hashed(*parts: Any) -> str:
    """A SHA-256, in hexadecimal, of the parts in their order, beside the versions of libraries that numbers depend on.

    parts  texts, tensors and what JSON can hold
    """
    found = hashlib.sha256(f"{torch.__version__} {np.__version__} {numba.__version__}".encode())
    for part in parts:
        if isinstance(part, Tensor):
            found.update(f"tensor {part.dtype} {tuple(part.shape)} ".encode())
            found.update(part.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        else:
            found.update(f"{json.dumps(part)}\0".encode())
    return found.hexdigest()


def packed(tensors: Mapping[str, Tensor], said: Any = None) -> bytes:
    """Tensors and a JSON value as bytes.

    tensors  by name
    said     whatever JSON can hold
    """
    plain = {name: each.detach().cpu().contiguous() for name, each in tensors.items()}
    return save(plain | {SAID: torch.tensor(list(json.dumps(said).encode()), dtype=torch.uint8)})


def unpacked(content: bytes) -> tuple[dict[str, Tensor], Any]:
    """What `packed` was given.  Raises ValueError for other bytes.

    content  what `packed` gave
    """
    try:
        tensors = load(content)
        return tensors, json.loads(bytes(tensors.pop(SAID).tolist()))
    except (SafetensorError, KeyError) as error:
        raise ValueError(str(error)) from None


@dataclass(frozen=True)
class Store:
    """Results of one kind: a folder, how many files and bytes it may hold."""

    folder: Path
    most_files: int = 100_000
    most_bytes: int = MOST_BYTES

    def read(self, key: str) -> bytes | None:
        """What is kept under a key; None where there is nothing, or something damaged.

        key  letters and digits
        """
        try:
            head, _, content = (self.folder / key).read_bytes().partition(b"\n")
            if head != _head(content):
                return None
            os.utime(self.folder / key)  # used last now
        except OSError:
            return None
        return content

    def keep(self, key: str, content: bytes) -> None:
        """Keep bytes under a key; nothing where the folder cannot be written to.

        key      letters and digits
        content  the bytes
        """
        with suppress(OSError):  # a cache that cannot be written costs time, nothing else
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.folder / key, through=False) as part:
                part.write_bytes(_head(content) + b"\n" + content)
            self._prune()

    def once(self, key: str, make: Callable[[], bytes]) -> bytes:
        """What is kept under a key; made now where there is nothing, by one process while the others wait for it.

        key   letters and digits
        make  gives the bytes
        """
        if (found := self.read(key)) is not None:
            return found
        with self._alone(key):
            if (found := self.read(key)) is not None:
                return found
            made = make()
            self.keep(key, made)
            return made

    def _prune(self) -> None:
        found = [(e.stat().st_mtime, e.stat().st_size, e.path) for e in os.scandir(self.folder) if e.is_file()]
        held, files = 0, 0
        for _, size, path in sorted(found, reverse=True):
            held, files = held + size, files + 1
            if files > self.most_files or held > self.most_bytes:
                Path(path).unlink(missing_ok=True)

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """The kernel's lock for a key, which ends with the process that holds it; no lock where none can be had."""
        try:
            (self.folder / "locks").mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / "locks" / key[:2], os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            yield
            return
        try:
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _head(content: bytes) -> bytes:
    return HEAD + hashlib.sha256(content).hexdigest().encode()
