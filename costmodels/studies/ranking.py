"""Rankings and fronts of designs, compared: regret, domination and Kendall's tau."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

SAME = 1e-9  # relative difference below which two costs are the same


def regret(values: FloatArray, loss: FloatArray, reference: int) -> float:
    """What one design costs more than the best that loses no more, as a share; 0: none is better.

    values     objective (N,), minimised
    loss       what was traded against it (N,), minimised
    reference  place of the design
    """
    best = float(values[cheapest(values, loss, reference)])
    return float(values[reference]) / best - 1 if best > 0 else 0.0


def cheapest(values: FloatArray, loss: FloatArray, reference: int) -> int:
    """Place of the design that costs least of those that lose no more; the reference where none costs less.

    values     objective (N,), minimised
    loss       what was traded against it (N,), minimised
    reference  place of the design
    """
    as_good = np.where(loss <= loss[reference], values, np.inf)
    best = int(np.argmin(as_good))
    return best if as_good[best] < values[reference] * (1 - SAME) else reference


def nondominated(losses: FloatArray) -> NDArray[np.bool_]:
    """Which rows of (N, K), all minimised, no other row dominates; equal rows do not dominate each other. (N,)."""
    import moocore

    return np.asarray(moocore.is_nondominated(losses, keep_weakly=True), dtype=np.bool_)


def kendall_tau(a: FloatArray, b: FloatArray) -> float:
    """Kendall's tau-b of two rankings of N things; where it is undefined, 1 if both are constant and 0 if one is.

    Counted pair by pair, so that equal rankings give exactly 1: scipy.stats.kendalltau divides by two rounded square
    roots and says 0.9999999999999998. Its import would also take longer than the study.
    """
    agree = untied_a = untied_b = 0
    for start in range(0, len(a), 512):
        x = np.sign(a[start : start + 512, None] - a).astype(np.int8)
        y = np.sign(b[start : start + 512, None] - b).astype(np.int8)
        agree += int(np.sum(x * y, dtype=np.int64))
        untied_a += int(np.count_nonzero(x))
        untied_b += int(np.count_nonzero(y))
    if untied_a == 0 or untied_b == 0:
        return 1.0 if untied_a == untied_b else 0.0
    return float(agree / np.sqrt(float(untied_a) * float(untied_b)))
