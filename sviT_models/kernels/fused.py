"""Passes over memory that do everything at once, compiled by numba when first used and kept on disk.

Arrays are (..., C) with channels last.  None of them may contract a product and a sum into one rounding, so fastmath
stays off; where sums are of integers that float32 holds exactly, it would not matter.
"""

import numpy as np
from numba import njit

HALF = np.float32(0.5)


@njit(nogil=True, cache=True, error_model="numpy")
def fire(sums, gain, shift, rest, kept, threshold, spikes, counts):
    """Leaky integrate and fire over all steps, of rest + gain * sums + shift.

    `sums` is (T or 1, rows, C) or with a leading axis of three bytes' sums, `spikes` (T, rows, C) uint8 and `counts`
    (T,) are written, `kept` (T or 1, rows, C) too unless it is empty; an empty `rest` counts as zero.
    """
    steps, rows, channels = spikes.shape
    v = np.empty(channels, np.float32)
    x = np.empty(channels, np.float32)
    for row in range(rows):
        v[:] = 0
        for t in range(steps):
            if t < sums.shape[0]:
                seen = sums[t, row]
                for c in range(channels):
                    x[c] = np.float32(gain[c] * np.float64(seen[c]) + shift[c])
                if rest.shape[0] > 0:
                    before = rest[t if rest.shape[0] > 1 else 0, row]
                    for c in range(channels):
                        x[c] = before[c] + x[c]
                if kept.shape[0] > 0:
                    kept[t, row, :] = x
            fired = 0
            out = spikes[t, row]
            for c in range(channels):
                u = v[c] + (x[c] - v[c]) * HALF
                s = u >= threshold
                out[c] = s
                v[c] = np.float32(0) if s else u
                fired += s
            counts[t] += fired


@njit(nogil=True, cache=True, error_model="numpy")
def merge(planes, offset, out):
    """Sums (rows, C) float64 from those of their bytes (P, rows, C) float32, less `offset` (C,)."""
    places, rows, channels = planes.shape
    for row in range(rows):
        total = out[row]
        high = planes[places - 1, row]
        for c in range(channels):
            total[c] = high[c]
        for place in range(places - 2, -1, -1):
            part = planes[place, row]
            for c in range(channels):
                total[c] = total[c] * 256.0 + part[c]
        for c in range(channels):
            total[c] -= offset[c]


@njit(nogil=True, cache=True, error_model="numpy")
def hand_over(sums, gain, shift, out):
    """Bytes (3, rows, C) of the 24-bit integers rint(gain * sums + shift), raised by 2^23; `sums` is (rows, C)."""
    rows, channels = sums.shape
    for row in range(rows):
        seen = sums[row]
        low, mid, high = out[0, row], out[1, row], out[2, row]
        for c in range(channels):
            y = np.rint(gain[c] * np.float64(seen[c]) + shift[c])
            y = min(max(y, -8388608.0), 8388607.0)
            n = np.int32(y) + np.int32(8388608)
            low[c] = n & 255
            mid[c] = (n >> 8) & 255
            high[c] = n >> 16


@njit(nogil=True, cache=True, error_model="numpy")
def depthwise(sums, taps, out):
    """Zero-padded depthwise 3x3 of sums (N, H, W, C) with taps (3, 3, C) into `out`, all of one dtype."""
    images, height, width, channels = sums.shape
    for n in range(images):
        for i in range(height):
            for j in range(width):
                total = out[n, i, j]
                total[:] = 0
                for a in range(max(0, 1 - i), min(3, height + 1 - i)):
                    for b in range(max(0, 1 - j), min(3, width + 1 - j)):
                        seen = sums[n, i + a - 1, j + b - 1]
                        tap = taps[a, b]
                        for c in range(channels):
                            total[c] += seen[c] * tap[c]


@njit(nogil=True, cache=True, error_model="numpy")
def depthwise_hand_over(sums, taps, gain, shift, out):
    """`depthwise`, then `hand_over`, with nothing in between written: bytes (3, N, H, W, C)."""
    images, height, width, channels = sums.shape
    total = np.empty((1, channels), sums.dtype)
    for n in range(images):
        for i in range(height):
            for j in range(width):
                total[:] = 0
                for a in range(max(0, 1 - i), min(3, height + 1 - i)):
                    for b in range(max(0, 1 - j), min(3, width + 1 - j)):
                        seen = sums[n, i + a - 1, j + b - 1]
                        tap = taps[a, b]
                        for c in range(channels):
                            total[0, c] += seen[c] * tap[c]
                hand_over(total, gain, shift, out[:, n, i, j : j + 1])


@njit(nogil=True, cache=True, error_model="numpy")
def split(fixed, out):
    """Bytes (4, ...) of 32-bit integers raised by 2^31; both flat over the last axis."""
    for i in range(fixed.shape[0]):
        n = np.int64(fixed[i]) + 2147483648
        for place in range(4):
            out[place, i] = (n >> (8 * place)) & 255
