"""Whether the additive model holds on this network: every measurement predicted from all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from dse.surrogate.likelihood import Likelihood
from dse.surrogate.posterior import Posterior
from sviT_models.measure.accuracy import Z95

ADDITIVE_ENOUGH = 0.8  # share of the harm that must add up


@dataclass(frozen=True)
class Diagnostics:
    """How well the model predicts each measurement from all others (leave-one-out), among the designs of interest.

    `scatter`: root mean square of the errors in units of their predicted standard deviations, 1 where these are right.
    `r2`: share of the measured variance that is predicted; `additivity`: the same after taking the measurement noise
    out of both; `coverage`: share of measurements inside their 95 % prediction interval; `count`: designs judged.
    All but the count are NaN below five designs.
    """

    r2: float
    coverage: float
    additivity: float
    count: int
    scatter: float = float("nan")

    @property
    def warning(self) -> str | None:
        """One line when the additive model should not be trusted."""
        if self.additivity < ADDITIVE_ENOUGH:
            return (
                f"the additive model explains only {max(self.additivity, 0.0):.0%} of what the measurements show "
                f"({self.count} designs); half of the proposals are now local changes of the measured front"
            )
        return None


def diagnose(posterior: Posterior, most_drop: float = 10.0) -> Diagnostics:
    """Leave-one-out predictions by removing each design's own information from the posterior, without refitting.

    Designs with a predicted drop above `most_drop` points are left out, as their large drops would decide alone.
    """
    data = posterior.data
    if len(data) < 5:
        return Diagnostics(np.nan, np.nan, np.nan, len(data))
    task = Likelihood(posterior.prior, data, posterior.excess)
    now = task.linear(posterior.mean)
    noise = task.noise(now)
    # both measurements of a design are taken out: residuals (I - H)^-1 r in units of their noise, H the leverage (2, 2)
    missed, rows = [], []
    for residual, slope, extra in task.channels(now, noise):
        missed.append(residual)
        by = np.hstack([now.shared * slope[:, None], extra])
        rows.append(solve_triangular(posterior.factor, by.T, lower=True, check_finite=False))
    left_drop, left_nll = (1 - (own**2).sum(axis=0) for own in rows)
    mixed = (rows[0] * rows[1]).sum(axis=0)
    rest = np.maximum(left_drop * left_nll - mixed**2, 1e-9)
    gap = np.sqrt(noise.drop) * (left_nll * missed[0] + mixed * missed[1]) / rest
    spread = noise.drop * left_nll / rest  # of the gap: noise and prediction
    judged = now.drop <= most_drop
    if judged.sum() < 5:
        return Diagnostics(np.nan, np.nan, np.nan, int(judged.sum()))
    error, scatter = gap[judged], float(noise.drop[judged].mean())
    total, off = float(data.drop[judged].var()), float((error**2).mean())
    inside = np.abs(error) <= Z95 * np.sqrt(spread[judged])
    unexplained = max(off - scatter, 0.0)
    return Diagnostics(
        r2=1 - off / max(total, 1e-12),
        coverage=float(inside.mean()),
        additivity=1 - unexplained / max(total - scatter, unexplained, 1e-12),
        count=int(judged.sum()),
        scatter=float(np.sqrt((error**2 / spread[judged]).mean())),
    )
