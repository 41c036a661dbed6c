"""The IDX file format of MNIST and its relatives: one array of numbers, plain or compressed by gzip or xz.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "File formats": two zero bytes, the type, the
number of dimensions, each dimension as a big-endian uint32, then the values in C order, big-endian.
"""

from __future__ import annotations

import gzip
import lzma
import math
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from sviT_models.errors import ModelError

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 4
MAX_BYTES = 2**30  # twice the largest known set, the 697 932 training images of EMNIST ByClass
_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"


def read(path: Path) -> NDArray[Any]:
    """The array in the file `path`, in its own type and shape, read-only.

    What the header announces is read and no more, so that a small compressed file cannot fill the memory. Raises
    ModelError, naming the file, for anything but one complete array of at most 1 GiB.
    """
    try:
        with _opened(path) as file:
            dtype, shape = _header(path, file.read(4), file)
            size = math.prod(shape) * dtype.itemsize
            if size > MAX_BYTES:
                raise ModelError(f"{path}: announces {size} bytes of values; at most {MAX_BYTES} are read")
            values = file.read(size)
            rest = file.read(1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path}: cannot be read as IDX ({reason}); fetch the file again") from error
    if len(values) < size:
        raise ModelError(f"{path}: ends after {len(values)} of {size} bytes of values; fetch the file again")
    if rest:
        raise ModelError(f"{path}: goes on after the {size} bytes of values it announces; fetch the file again")
    return np.frombuffer(values, dtype).reshape(shape)


def _opened(path: Path) -> IO[bytes]:
    """The content of `path`; its first bytes say how it is compressed, whatever its name ends in."""
    with open(path, "rb") as file:
        start = file.read(len(_XZ))
    if start.startswith(_GZIP):
        return cast(IO[bytes], gzip.open(path))
    if start == _XZ:
        return cast(IO[bytes], lzma.open(path))
    return open(path, "rb")


def _header(path: Path, magic: bytes, file: IO[bytes]) -> tuple[np.dtype, tuple[int, ...]]:
    """Type and dimensions."""
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES:
        raise ModelError(f"{path}: is no IDX file: it starts with {magic.hex(' ') or 'nothing'}, not with 00 00 TYPE")
    if not 1 <= magic[3] <= MAX_DIMENSIONS:
        raise ModelError(f"{path}: announces {magic[3]} dimensions; expected 1 to {MAX_DIMENSIONS}")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ModelError(f"{path}: ends within its header; fetch the file again")
    return np.dtype(TYPES[magic[2]]), tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
