"""A frequentist test of the candidates, whose order and looks are fixed before anything is measured.

The hypotheses "the true drop is at least the budget" are tested in a fixed order, each at the full level, until one
cannot be rejected: the chance of any false rejection is then at most that level (Maurer, Hothorn and Lehmacher 1995).
Each is looked at after 1, 2, 4, ... batches and after the last; the level is spent over the looks (Lan, DeMets 1983).
A look that is not reached rejects nothing.  What the search predicts plays no part but in the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from dse.arrays import BoolArray, FloatArray

LEVEL = 0.05
REACH, POINTS = 8.0, 801  # of the grid on which the boundaries are integrated, in standard deviations


def looks(batches: int) -> tuple[int, ...]:
    """Numbers of batches after which is looked: 1, 2, 4, ... and all."""
    return (*(2**k for k in range(batches.bit_length()) if 2**k < batches), batches)


def spent(information: FloatArray, level: float = LEVEL) -> FloatArray:
    """Level spent when so much of the information is there: level ln(1 + (e - 1) t), Pocock's kind (Lan, DeMets)."""
    return np.asarray(level * np.log1p((np.e - 1) * information))


def boundaries(information: Sequence[float], level: float = LEVEL) -> FloatArray:
    """Standard scores from which a look rejects, one-sided, one per look.

    information: share of all information at each look, ascending, the last 1.  By recursive integration over the
    scores that did not reject so far (Armitage, McPherson and Rowe 1969).
    """
    from scipy.stats import norm  # takes longer to import than most commands

    t = np.asarray(information, dtype=np.float64)
    steps = np.diff(spent(t, level), prepend=0.0)
    out = [float(-ndtri(steps[0]))]
    x = np.linspace(-REACH, out[0], POINTS) * np.sqrt(t[0])
    density = norm.pdf(x, scale=np.sqrt(t[0])) * _weights(x)
    for before, now, step in zip(t[:-1], t[1:], steps[1:], strict=True):
        gap = np.sqrt(now - before)
        reached = partial(_beyond, x, density, gap)
        out.append(float(brentq(lambda z, at=now, of=reached, aim=step: of(z * np.sqrt(at)) - aim, -REACH, REACH)))
        new = np.linspace(-REACH, out[-1], POINTS) * np.sqrt(now)
        density = (norm.pdf(new[:, None], loc=x, scale=gap) @ density) * _weights(new)
        x = new
    return np.array(out)


def shown(scores: Sequence[Sequence[float]], limits: Sequence[float]) -> BoolArray:
    """Which candidates are shown to keep the budget, in the fixed order.

    scores: of every candidate in that order, its standard scores (budget minus estimate over standard error) at the
    looks it reached; limits: of every look, from `boundaries`.
    """
    passed = [any(z >= limit for z, limit in zip(mine, limits, strict=False)) for mine in scores]
    return np.logical_and.accumulate(np.array(passed, dtype=np.bool_))


def _beyond(x: FloatArray, density: FloatArray, gap: float, edge: float) -> float:
    """Chance to go on from x (points,) by a normal step and to end beyond an edge."""
    return float(density @ ndtr((x - edge) / gap))


def _weights(x: FloatArray) -> FloatArray:
    """Of the trapezoidal rule."""
    step = np.full(len(x), x[1] - x[0])
    step[[0, -1]] /= 2
    return step
