"""Integer passes over memory for the fixed-point network, compiled by numba when first used.

They compute in float64, where every value is an integer below 2^53 (`sviT_models.engine.number_formats` sees to that):
exact, and faster than 64-bit integers. A right shift is a product with a power of two, rounded down.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sviT_models.compiled import compiled
from sviT_models.engine.number_formats import GUARD, State, bounds


class Neuron(NamedTuple):
    """A layer of neurons as a pass takes it.

    `factor` and `half` take a membrane input to its step, `guard` of which are one of the potential's; `threshold` is
    twice the neurons' own, in that step; potentials stay between `least` and `most`.
    """

    factor: float
    half: float
    threshold: float
    least: float
    most: float
    guard: float


def neuron_of(state: State, fraction: int) -> Neuron:
    """Neurons that are driven by numbers in units of 2^-fraction."""
    left, (least, most) = state.input_fraction - fraction, bounds(state.bits)
    threshold = state.threshold * 2.0 ** (GUARD + 1)
    return Neuron(2.0**left, 0.5 if left < 0 else 0.0, threshold, float(least), float(most), 2.0**GUARD)


@compiled
def fire_fixed(sums, taken, factors, neuron, rows_written):
    """Leaky integrate and fire over all steps on integers, as docs/integer-network.md defines it.

    `sums` is (P, T or 1, rows, C), the sums of P bytes, lowest first, less `taken` (C,). Of what is written (`Rows`),
    `rest` and `kept`, which takes the rescaled and clipped sums, are int32.
    """
    multiplier, offset, share, low, high = factors
    factor, half, threshold, least, most, guard = neuron
    rest, kept, spikes, counts, start = rows_written
    places, given, rows, channels = sums.shape
    steps = spikes.shape[0]
    halved = 0.5 / guard
    v = np.empty(channels, np.float64)
    x = np.empty(channels, np.float64)
    for row in range(rows):
        place = start + row
        v[:] = 0
        for t in range(steps):
            if t < given:
                top = sums[places - 1, t, row]
                if places == 1:
                    for c in range(channels):
                        total = np.float64(top[c]) - taken[c]
                        x[c] = np.floor((total * multiplier[c] + offset[c]) * share[c])
                else:
                    for c in range(channels):
                        x[c] = np.float64(top[c])
                    for p in range(places - 2, -1, -1):
                        part = sums[p, t, row]
                        for c in range(channels):
                            x[c] = x[c] * 256.0 + np.float64(part[c])
                    for c in range(channels):
                        x[c] = np.floor(((x[c] - taken[c]) * multiplier[c] + offset[c]) * share[c])
                if rest.shape[0] > 0:
                    before = rest[t if rest.shape[0] > 1 else 0, place]
                    for c in range(channels):
                        x[c] += before[c]
                for c in range(channels):
                    x[c] = min(max(x[c], low), high)
                if kept.shape[0] > 0:
                    out = kept[t, place]
                    for c in range(channels):
                        out[c] = np.int32(x[c])
                for c in range(channels):
                    x[c] = np.floor(x[c] * factor + half)
            fired = np.int32(0)
            seen = spikes[t, place]
            for c in range(channels):
                u = v[c] * guard + x[c]
                s = np.int32(u >= threshold)
                seen[c] = np.uint8(s)
                v[c] = 0.0 if u >= threshold else min(max(np.floor(u * halved + 0.5), least), most)
                fired = np.int32(fired + s)
            counts[t] += fired


@compiled
def narrow(sums, taken, factors, out, start):
    """Rescaled and clipped integers of `sums` (P, T, rows, C), as for `fire_fixed`, raised by -low, as two bytes.

    Rows from `start` of `out` (2, T, all rows, C) uint8 are written.
    """
    multiplier, offset, share, low, high = factors
    places, steps, rows, channels = sums.shape
    for t in range(steps):
        for row in range(rows):
            place = start + row
            first, second = out[0, t, place], out[1, t, place]
            for c in range(channels):
                total = np.float64(sums[places - 1, t, row, c])
                for p in range(places - 2, -1, -1):
                    total = total * 256.0 + np.float64(sums[p, t, row, c])
                y = np.floor(((total - taken[c]) * multiplier[c] + offset[c]) * share[c])
                n = np.int32(min(max(y, low), high)) + np.int32(32768)
                first[c] = n & 255
                second[c] = n >> 8


@compiled
def clipped(sums, factors, out):
    """Rescaled and clipped integers of `sums` (rows, C), as for `fire_fixed`, into `out` (rows, C) float64."""
    multiplier, offset, share, low, high = factors
    rows, channels = sums.shape
    for row in range(rows):
        seen, found = sums[row], out[row]
        for c in range(channels):
            y = np.floor((np.float64(seen[c]) * multiplier[c] + offset[c]) * share[c])
            found[c] = min(max(y, low), high)
