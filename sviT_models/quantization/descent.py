"""Coordinate descent over the codes of one block of columns, compiled by numba when first used."""

from __future__ import annotations

import numpy as np

from sviT_models.compiled import compiled


@compiled
def sweep(codes, slope, curvature, scale, moment, top, odd):
    """One sweep in place: `codes`, `slope`, `curvature` (G, R, n), `scale` (G, R), `moment` (G, n, n), all float64.

    Codes are whole numbers up to `top` in magnitude, only odd ones where `odd` is. The same operations in the same
    order as in `compensated.descend`, so the same bits; a code that stays costs nothing further.
    """
    groups, rows, columns = codes.shape
    for g in range(groups):
        for r in range(rows):
            for j in range(columns):
                aim = codes[g, r, j] - slope[g, r, j] / curvature[g, r, j]
                if odd:
                    best = 2.0 * np.rint((aim - 1.0) / 2.0) + 1.0
                else:
                    best = np.rint(aim)
                best = min(max(best, -top), top)
                change = (best - codes[g, r, j]) * scale[g, r]
                codes[g, r, j] = best
                if change != 0.0:
                    for k in range(columns):
                        slope[g, r, k] += change * moment[g, j, k]
