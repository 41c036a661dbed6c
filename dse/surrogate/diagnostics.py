"""Whether the additive model holds on this network: every measurement predicted from all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from dse.surrogate.likelihood import Likelihood
from dse.surrogate.posterior import Posterior

ADDITIVE_ENOUGH = 0.8  # share of the harm that must add up


@dataclass(frozen=True)
class Diagnostics:
    """How well the model predicts each measurement from all others (leave-one-out), among the designs of interest.

    `r2`: share of the measured variance that is predicted; `additivity`: the same after taking the measurement noise
    out of both; `coverage`: share of measurements inside their 95 % prediction interval; `count`: designs judged.
    All but the count are NaN below five designs.
    """

    r2: float
    coverage: float
    additivity: float
    count: int

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
    task = Likelihood(posterior.prior, data, 1.0, posterior.misfit)
    task.excess = posterior.excess
    now = task.linear(posterior.mean)
    drop_variance, nll_variance = task.variances(now)
    jacobian = np.zeros((len(data), task.at.size))
    jacobian[:, : task.at.shared] = now.shared * now.drop_slope[:, None]
    jacobian[:, task.at.cap], jacobian[:, task.at.offset] = now.cap, 1.0
    spread = (solve_triangular(posterior.factor, jacobian.T, lower=True, check_finite=False) ** 2).sum(axis=0)
    # the cross-entropy of a design as a second measurement of its drop
    ratio = now.drop_slope / np.maximum(now.nll_slope, 1e-9)
    nll_precision = 1 / (nll_variance * ratio**2)
    implied = now.drop + np.where(task.with_nll, data.nll - now.nll, 0.0) * ratio
    alone = np.maximum(1 / spread - 1 / drop_variance - nll_precision, 1e-3 / spread)
    expected = (now.drop / spread - data.drop / drop_variance - implied * nll_precision) / alone
    judged = (now.drop <= most_drop) & np.isfinite(expected)
    if judged.sum() < 5:
        return Diagnostics(np.nan, np.nan, np.nan, int(judged.sum()))
    error, noise = (data.drop - expected)[judged], drop_variance[judged]
    total, missed = float(data.drop[judged].var()), float((error**2).mean())
    inside = np.abs(error) <= 1.96 * np.sqrt(noise + 1 / alone[judged])
    unexplained = max(missed - float(noise.mean()), 0.0)
    return Diagnostics(
        r2=1 - missed / max(total, 1e-12),
        coverage=float(inside.mean()),
        additivity=1 - unexplained / max(total - float(noise.mean()), unexplained, 1e-12),
        count=int(judged.sum()),
    )
