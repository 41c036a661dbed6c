"""Drawing many small images at once with integer arithmetic, so that the bytes do not depend on the machine.

Positions are in units of half the image side, from -1 (left, top) to 1, at pixel centres; a canvas is int32
(N, 3, S, S) in 0..255, a mask int32 (N, S, S) in 0..256 says how much of a pixel is covered.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

FULL = 256
_POINT = 16  # binary digits behind the point in atlas coordinates


def sampled(atlas: NDArray[np.uint8], cells: NDArray[np.int64], matrix: Floats, origin: Floats, side: int) -> Ints:
    """Masks (N, S, S) of characters: cell `cells[n]` of `atlas` (cells, C, C) seen through an affine map.

    Image position p shows atlas pixel `matrix[n] @ p + origin[n]`, shapes (N, 2, 2) and (N, 2), x before y: bilinear
    interpolation at four points per pixel. Cells need an empty border; beyond it nothing is drawn.
    """
    step = np.arange(1 - 2 * side, 2 * side, 2, dtype=np.int32)  # subpixel positions times 2 S
    fixed = np.rint(matrix * (2**_POINT / (2 * side))).astype(np.int32)  # (N, 2, 2)
    start = np.rint(origin * 2**_POINT).astype(np.int32)
    size = atlas.shape[-1]
    limit = ((size - 1) << _POINT) - 1
    place, weight = [], []
    for axis in (0, 1):
        at_x = fixed[:, axis, 0, None] * step  # (N, 2 S)
        at_y = fixed[:, axis, 1, None] * step + start[:, axis, None]
        at = np.clip(at_y[:, :, None] + at_x[:, None, :], 0, limit)  # (N, 2 S, 2 S)
        place.append(at >> _POINT)
        weight.append((at >> (_POINT - 8)) & 255)
    (column, row), (right, below) = place, weight
    flat = atlas.ravel()
    corner = (cells.astype(np.int32) * (size * size))[:, None, None] + row * size + column
    top = flat[corner] * (FULL - right) + flat[corner + 1] * right
    bottom = flat[corner + size] * (FULL - right) + flat[corner + size + 1] * right
    value = (top * (FULL - below) + bottom * below) >> 16  # (N, 2 S, 2 S) in 0..255
    total = value.reshape(len(cells), side, 2, side, 2).sum(axis=(2, 4), dtype=np.int32)
    found: Ints = (total * FULL + 510) // 1020
    return found


def stroke(angle: Floats, offset: Floats, middle: Floats, length: Floats, width: Floats, side: int) -> Ints:
    """Masks (N, S, S) of straight strokes with soft edges.

    A stroke runs at `angle` [rad], `offset` from the centre, its middle moved by `middle` along itself; `length` and
    `width` are half of its extent. A width of zero draws nothing.
    """
    across = _along(-np.sin(angle), np.cos(angle), side) - _fixed(offset, side)
    along = _along(np.cos(angle), np.sin(angle), side) - _fixed(middle, side)
    edge = np.minimum(_fixed(width, side) - np.abs(across), _fixed(length, side) - np.abs(along))
    soft = np.clip((edge >> (_POINT - 8)) + FULL // 2, 0, FULL)
    return np.where((width > 0)[:, None, None], soft, 0).astype(np.int32)


def ramp(angle: Floats, side: int) -> Ints:
    """Masks (N, S, S) that rise from 0 to 256 along `angle` [rad]."""
    slope = _along(np.cos(angle), np.sin(angle), side)
    return np.clip((slope * FULL // (side << _POINT)) + FULL // 2, 0, FULL).astype(np.int32)


def rectangle(centre: Floats, half: Floats, side: int) -> Ints:
    """Masks (N, S, S) of upright rectangles with `centre` and `half` sizes (N, 2), x before y."""
    step = np.arange(1 - side, side, 2) / side
    inside = np.abs(step - centre[..., None]) < half[..., None]  # (N, 2, S)
    return (inside[:, 1, :, None] & inside[:, 0, None, :]).astype(np.int32) * FULL


def paint(canvas: Ints, mask: Ints, colour: Ints) -> None:
    """Lay `colour` (N, 3) over `canvas` in place, as far as `mask` covers."""
    canvas += ((colour[:, :, None, None] - canvas) * mask[:, None]) >> 8


def _along(x: Floats, y: Floats, side: int) -> NDArray[np.int64]:
    """Distance of every pixel along the direction (x, y), in pixels with 16 binary digits behind the point."""
    step = np.arange(1 - side, side, 2)  # pixel centres times S, that is in half pixels
    fixed_x, fixed_y = (np.rint(value * 2 ** (_POINT - 1)).astype(np.int64) for value in (x, y))
    along: NDArray[np.int64] = fixed_y[:, None, None] * step[:, None] + fixed_x[:, None, None] * step
    return along


def _fixed(length: Floats, side: int) -> NDArray[np.int64]:
    """A length in half image sides as pixels with 16 binary digits behind the point, (N, 1, 1)."""
    fixed: NDArray[np.int64] = np.rint(length * (side / 2) * 2**_POINT).astype(np.int64)
    return fixed[:, None, None]
