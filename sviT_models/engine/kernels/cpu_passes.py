"""Passes over memory that do everything at once, compiled by numba when first used and kept on disk.

Arrays are (..., C) with channels last. None of them may contract a product and a sum into one rounding, so fastmath
stays off; where sums are of integers that float32 holds exactly, it would not matter.
"""

from __future__ import annotations

import numpy as np

from sviT_models.compiled import compiled

HALF = np.float32(0.5)


@compiled
def fire(sums, offset, affine, threshold, rows_written):
    """Leaky integrate and fire over all steps, of rest + gain * (sums - offset) + shift.

    `sums` is (P, T or 1, rows, C), P = 2 to 4 for the sums of so many bytes or digits, lowest first; they stand for the
    rows from `start` of what is written (`Rows`). An empty `rest` counts as zero.
    """
    gain, shift = affine
    rest, kept, spikes, counts, start = rows_written
    places, given, rows, channels = sums.shape
    steps = spikes.shape[0]
    v = np.empty(channels, np.float32)
    x = np.empty(channels, np.float32)
    for row in range(rows):
        place = start + row
        v[:] = 0
        for t in range(steps):
            if t < given:
                if places == 4:
                    low, mid = sums[0, t, row], sums[1, t, row]
                    high, top = sums[2, t, row], sums[3, t, row]
                    for c in range(channels):
                        total = (np.float64(top[c]) * 256.0 + np.float64(high[c])) * 256.0
                        total = (total + np.float64(mid[c])) * 256.0 + np.float64(low[c])
                        x[c] = np.float32(gain[c] * (total - offset[c]) + shift[c])
                elif places == 3:
                    low, mid, high = sums[0, t, row], sums[1, t, row], sums[2, t, row]
                    for c in range(channels):
                        total = (np.float64(high[c]) * 256.0 + np.float64(mid[c])) * 256.0 + np.float64(low[c])
                        x[c] = np.float32(gain[c] * (total - offset[c]) + shift[c])
                elif places == 2:
                    low, high = sums[0, t, row], sums[1, t, row]
                    for c in range(channels):
                        total = np.float64(high[c]) * 256.0 + np.float64(low[c])
                        x[c] = np.float32(gain[c] * (total - offset[c]) + shift[c])
                else:
                    seen = sums[0, t, row]
                    for c in range(channels):
                        x[c] = np.float32(gain[c] * np.float64(seen[c]) + shift[c])
                if rest.shape[0] > 0:
                    before = rest[t if rest.shape[0] > 1 else 0, place]
                    for c in range(channels):
                        x[c] = before[c] + x[c]
                if kept.shape[0] > 0:
                    kept[t, place, :] = x
            fired = np.int32(0)
            out = spikes[t, place]
            for c in range(channels):
                u = v[c] + (x[c] - v[c]) * HALF
                s = np.int32(u >= threshold)
                out[c] = np.uint8(s)
                v[c] = np.float32(0) if u >= threshold else u
                fired = np.int32(fired + s)
            counts[t] += fired


@compiled
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


@compiled
def accumulate(total, part, factor):
    """`total` times `factor` plus `part` in place; both flat, float64 and float32 or float64."""
    for i in range(total.shape[0]):
        total[i] = total[i] * factor + np.float64(part[i])


@compiled
def _bytes(seen, gain, shift, low, mid, high):
    """One row (C,) of `hand_over`."""
    for c in range(seen.shape[0]):
        y = np.rint(gain[c] * np.float64(seen[c]) + shift[c])
        y = min(max(y, -8388608.0), 8388607.0)
        n = np.int32(y) + np.int32(8388608)
        low[c] = n & 255
        mid[c] = (n >> 8) & 255
        high[c] = n >> 16


@compiled
def hand_over(sums, gain, shift, out, start):
    """Bytes of the 24-bit integers rint(gain * sums + shift), raised by 2^23.

    `sums` is (T, rows, C); rows from `start` of `out` (3, T, all rows, C) are written.
    """
    steps, rows, _ = sums.shape
    for t in range(steps):
        for row in range(rows):
            place = start + row
            _bytes(sums[t, row], gain, shift, out[0, t, place], out[1, t, place], out[2, t, place])


@compiled
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


@compiled
def depthwise_hand_over(sums, taps, gain, shift, out):
    """`depthwise`, then `hand_over`, with nothing in between written: bytes (3, N, H, W, C)."""
    images, height, width, channels = sums.shape
    total = np.empty(channels, sums.dtype)
    zero = np.zeros(channels, sums.dtype)
    for n in range(images):
        for i in range(height):
            for j in range(width):
                for a in range(max(0, 1 - i), min(3, height + 1 - i)):
                    left = sums[n, i + a - 1, j - 1] if j > 0 else zero
                    middle = sums[n, i + a - 1, j]
                    right = sums[n, i + a - 1, j + 1] if j + 1 < width else zero
                    first, second, third = taps[a, 0], taps[a, 1], taps[a, 2]
                    if a == max(0, 1 - i):
                        for c in range(channels):
                            total[c] = left[c] * first[c] + middle[c] * second[c] + right[c] * third[c]
                    else:
                        for c in range(channels):
                            total[c] += left[c] * first[c] + middle[c] * second[c] + right[c] * third[c]
                _bytes(total, gain, shift, out[0, n, i, j], out[1, n, i, j], out[2, n, i, j])


@compiled
def attend(q, k, v, out):
    """Q (K^T V) of spikes (N, tokens, heads, d) into `out`, float32: only where K and Q fire is there work."""
    images, tokens, heads, width = q.shape
    mixed = np.empty((width, width), np.float32)
    for n in range(images):
        for h in range(heads):
            mixed[:] = 0
            for token in range(tokens):
                seen, value = k[n, token, h], v[n, token, h]
                for i in range(width):
                    if seen[i]:
                        row = mixed[i]
                        for c in range(width):
                            row[c] += value[c]
            for token in range(tokens):
                seen, total = q[n, token, h], out[n, token, h]
                total[:] = 0
                for i in range(width):
                    if seen[i]:
                        row = mixed[i]
                        for c in range(width):
                            total[c] += row[c]


@compiled
def attend_few(q, k, v, out):
    """The same as (Q K^T) V, without branches: faster where there are no more tokens than channels of a head."""
    images, tokens, heads, width = q.shape
    for n in range(images):
        for h in range(heads):
            for token in range(tokens):
                seen, total = q[n, token, h], out[n, token, h]
                total[:] = 0
                for other in range(tokens):
                    key, value = k[n, other, h], v[n, other, h]
                    both = np.int32(0)
                    for i in range(width):
                        both = np.int32(both + np.int32(seen[i] & key[i]))
                    factor = np.float32(both)
                    for c in range(width):
                        total[c] += factor * value[c]


@compiled
def max_pool(x, kernel, stride, padding, out):
    """The largest byte of every window of x (N, H, W, C) into out (N, H', W', C)."""
    images, height, width, channels = x.shape
    for n in range(images):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                best = out[n, i, j]
                best[:] = 0
                for a in range(max(0, i * stride - padding), min(height, i * stride - padding + kernel)):
                    for b in range(max(0, j * stride - padding), min(width, j * stride - padding + kernel)):
                        seen = x[n, a, b]
                        for c in range(channels):
                            best[c] = max(best[c], seen[c])


@compiled
def split(fixed, raised, out):
    """Lowest bytes (P, n) uint8 of integers (n,) plus `raised`, lowest first."""
    for place in range(out.shape[0]):
        part = out[place]
        for i in range(fixed.shape[0]):
            part[i] = ((np.int64(fixed[i]) + raised) >> (8 * place)) & 255
