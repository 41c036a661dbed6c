"""Reading `.npz` files with nothing executed and nothing unpacked beyond a stated size."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sviT_models.errors import ModelError

MOST_BYTES = 2**33
# bytes up to which an archive may hold so many times its own size: no file below 205 MiB takes more than 2 GiB
RATIOS = ((2**28, None), (2**31, 100), (MOST_BYTES, 10))
BROKEN_HEADER = (SyntaxError, tokenize.TokenError)  # what numpy lets pass of a header that is no Python literal
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read(path: Path, most_bytes: int = MOST_BYTES) -> dict[str, NDArray[Any]]:
    """All arrays of the file `path` by name, read-only.

    Sizes are compared before anything is unpacked: those that the archive announces with `most_bytes`, beyond 256 MiB
    with a hundred times its own size, and beyond 2 GiB with ten times; the shape that every array announces with the
    bytes it has. Raises ModelError, naming the file, for anything but such arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            most_bytes = min(most_bytes, allowed(path.stat().st_size))
            if size <= most_bytes:
                return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, *BROKEN_HEADER) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path}: cannot be read as .npz ({reason}); save it again") from error
    raise ModelError(
        f"{path}: announces {size} bytes of arrays; at most {most_bytes} are read from a file of its "
        "size, so store fewer samples, or store them uncompressed (numpy.savez)"
    )


def allowed(size: int) -> int:
    """Bytes that an archive of `size` bytes may hold unpacked."""
    return max(most if ratio is None else min(most, ratio * size) for most, ratio in RATIOS)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{member.filename} is of version {version}")
        shape, by_columns, dtype = _HEADERS[version](file)
        if dtype.hasobject:
            raise ValueError(f"{member.filename} holds Python objects, not numbers")
        size = math.prod(shape) * dtype.itemsize
        if size != member.file_size - file.tell():
            raise ValueError(f"{member.filename} announces {shape} of {dtype}, which is not what it holds")
        values = file.read(size)
        file.read(1)  # at the end zipfile compares the checksum
    return np.ndarray(shape, dtype, values, order="F" if by_columns else "C")
