"""Integers of few bits as bytes, and back; numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pack(values: NDArray[np.integer], bits: int) -> NDArray[np.uint8]:
    """Unsigned values below 2^bits, flat in C order, as bytes: lowest bit first, the last byte filled with zeros.

    Raises ValueError for a value outside.
    """
    flat = values.reshape(-1).astype(np.int64)
    if len(flat) and not 0 <= flat.min() <= flat.max() < 2**bits:
        raise ValueError(f"values from {flat.min()} to {flat.max()} do not fit into {bits} unsigned bits")
    return np.packbits((flat[:, None] >> np.arange(bits)) & 1 == 1, bitorder="little")


def unpack(packed: NDArray[np.uint8], bits: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """What `pack` was given, int64 of `shape`. Raises ValueError for another number of bytes."""
    count = int(np.prod(shape, dtype=np.int64))
    if len(packed) != -(-count * bits // 8):
        raise ValueError(f"{len(packed)} bytes for {count} values of {bits} bits")
    flat = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits).astype(np.int64)
    found: NDArray[np.int64] = (flat << np.arange(bits)).sum(1).reshape(shape)
    return found
