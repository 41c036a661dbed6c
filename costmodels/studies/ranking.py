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

    To 12 digits, so that equal rankings give 1: scipy divides by two rounded square roots.
    """
    from scipy.stats import kendalltau  # takes longer to import than most commands

    found = float(kendalltau(a, b).statistic)
    if np.isnan(found):
        return float(np.ptp(a) == np.ptp(b) == 0)
    return round(found, 12)
