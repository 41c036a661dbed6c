"""Information gain of a measurement: the uncertainty about single layers that it takes away."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from dse.arrays import FloatArray, IntArray
from dse.surrogate.likelihood import Data, Likelihood, Linear, smooth
from dse.surrogate.posterior import Posterior


def information(posterior: Posterior, levels: IntArray, wanted: IntArray) -> FloatArray:
    """Expected fall of the variance of the layers' harms by measuring each of levels (C, D) once, (C,), any unit.

    Of interest are the harms at the levels of `wanted` (F, D), weighted by their size, relative to each other: a
    common factor moves no bit from one layer to another. The posterior is taken as normal and the model as linear
    around its mean (Bayesian A-optimal design, Chaloner and Verdinelli 1995).
    """
    task, now = _expected(posterior, levels)
    slopes = [slope for _, slope, _ in task.channels(now, task.noise(now))]
    columns, at = posterior.prior.column, task.at
    entries, first = np.unique(columns[np.arange(wanted.shape[1]), wanted], return_index=True)
    dims = first[entries >= 0] % wanted.shape[1]
    chosen = wanted.ravel()[first[entries >= 0]]
    entries = entries[entries >= 0]
    if not len(entries):
        return np.zeros(len(levels))
    weight = posterior.centre.tables[0, dims, chosen]
    asked = np.zeros((at.size, len(entries)))
    asked[entries, np.arange(len(entries))] = 1.0
    asked[at.slope] = posterior.prior.position[dims, chosen]
    asked -= (asked @ weight / weight.sum())[:, None]
    rows = np.zeros((at.size, len(levels)))
    rows[: at.shared] = now.shared.T
    half, seen = (solve_triangular(posterior.factor, part, lower=True, check_finite=False) for part in (asked, rows))
    noise = 1 / sum(slope**2 for slope in slopes)
    return np.asarray(weight @ (half.T @ seen) ** 2 / ((seen**2).sum(axis=0) + noise))


def _expected(posterior: Posterior, levels: IntArray) -> tuple[Likelihood, Linear]:
    """The likelihood of measurements (C, D) that were not made, with the errors that those made so far suggest."""
    data = posterior.data
    past = Likelihood(posterior.prior, data, posterior.excess)
    known = past.linear(posterior.mean).drop
    blank = np.full(len(levels), np.nan)
    images = np.full(len(levels), float(np.median(data.images)))
    correlation = np.full(len(levels), float(np.median(data.correlation)))
    nothing = Data(levels, blank, blank, blank, blank, images, correlation)
    now = Likelihood(posterior.prior, nothing, posterior.excess).linear(posterior.mean)
    errors = [
        np.sqrt(smooth(stderr**2 * data.images, known, now.drop) / images) for stderr in (data.stderr, data.nll_stderr)
    ]
    measured = Data(levels, now.drop, errors[0], now.nll, errors[1], images, correlation)
    return Likelihood(posterior.prior, measured, posterior.excess), now
