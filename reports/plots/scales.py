"""Scales and ticks that every plot shares: a square root for drops, a logarithm for costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.number_text import scale

Scale = Literal["linear", "log", "root"]
Ticks = tuple[tuple[float, str], ...]
LEAST_COST = 1e-30  # stands for a cost of zero on a logarithmic axis


def root(drop: ArrayLike) -> NDArray[np.float64]:
    """Signed square root: small drops stay apart, large ones stay on the page."""
    values = np.asarray(drop, dtype=float)
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values)))


def square(value: ArrayLike) -> NDArray[np.float64]:
    """The inverse of `root`."""
    values = np.asarray(value, dtype=float)
    return np.asarray(np.sign(values) * values**2)


def transformed(values: ArrayLike, kind: Scale) -> NDArray[np.float64]:
    """Values as positions along an axis of that scale."""
    if kind == "root":
        return root(values)
    numbers = np.asarray(values, dtype=float)
    return np.log10(np.maximum(numbers, LEAST_COST)) if kind == "log" else numbers


def drop_ticks(low: float, high: float) -> Ticks:
    """Round drops [pp] between two values that are well apart on the square-root axis, with their texts."""
    steps = [0.0, 0.1, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 100]
    if high < 2:
        steps = [0.0, 0.05, 0.1, 0.2, 0.5, 1, 1.5, 2]
    steps = [-s for s in reversed(steps) if 0 < s <= -low] + [s for s in steps if s <= high]
    apart = 0.045 * (float(root(high)) - float(root(low)))
    kept: list[float] = []
    for s in sorted(steps, key=abs):
        if all(abs(float(root(s)) - float(root(k))) >= apart for k in kept):
            kept.append(s)
    return tuple((t, f"{t:g}".replace("-", "−")) for t in sorted(kept))


def log_ticks(low: float, high: float) -> list[float]:
    """Round positions on a logarithmic axis: 1, 2, 5 per decade, finer where the range is small."""
    ratio = high / low
    digits = (1.0, 2.0, 5.0) if ratio > 6 else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    if ratio < 1.6:
        digits = tuple(np.round(np.arange(1, 10, 0.1), 1))
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [d * 10.0**e for e in decades for d in digits if low <= d * 10.0**e <= high]
    return ticks[:: max(1, len(ticks) // 7)]


def cost_ticks(values: Sequence[float], unit: str) -> tuple[Ticks, str]:
    """Ticks of a logarithmic axis over positive values [SI], and the prefixed unit in which their texts stand."""
    low, high = min(values) * 0.92, max(values) * 1.1
    factor, prefixed = scale(math.sqrt(low * high), unit)
    return tuple((t, f"{t / factor:,.4g}") for t in log_ticks(low, high)), prefixed
