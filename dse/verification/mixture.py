"""The drops of the candidates by the search's prediction and by what verification measured, together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, ndtr

from dse.arrays import FloatArray
from dse.verification.estimate import Estimate
from dse.verification.prior import Prediction
from sviT_models.measure.accuracy import Z95


@dataclass(frozen=True)
class Belief:
    """The drops of K candidates given everything: a mixture of S normals, percentage points.

    weight: (S,); means: (S, K); own: (K,) standard deviation of every normal.
    """

    weight: FloatArray
    means: FloatArray
    own: FloatArray

    @property
    def mean(self) -> FloatArray:
        """(K,)."""
        return np.asarray(self.weight @ self.means)

    @property
    def sd(self) -> FloatArray:
        """(K,)."""
        return np.asarray(np.sqrt(self.own**2 + self.weight @ (self.means - self.mean) ** 2))

    @property
    def interval(self) -> tuple[FloatArray, FloatArray]:
        """Ends (K,) of the 95 % intervals, those of a normal distribution with this mean and standard deviation."""
        return self.mean - Z95 * self.sd, self.mean + Z95 * self.sd

    def first(self, count: int) -> Belief:
        """Of the first `count` of the K alone."""
        return Belief(self.weight, self.means[:, :count], self.own[:count])

    def within(self, limit: float) -> FloatArray:
        """P(drop <= limit), (K,)."""
        return np.asarray(self.weight @ ndtr((limit - self.means) / self.own))


def posterior(prediction: Prediction, found: Estimate) -> Belief:
    """Normal conditioning at every common error of the prior, weighted by how well it foretold what was measured."""
    shift, chance = prediction.shifts()
    expected = prediction.mean + shift[:, None] * prediction.shared  # (S, K)
    gap = found.drop - expected
    own = np.diag(prediction.sd**2)
    gain = np.linalg.solve(own + found.covariance, own).T
    log = np.log(chance) - 0.5 * (gap * np.linalg.solve(own + found.covariance, gap.T).T).sum(axis=1)
    means = expected + gap @ gain.T
    rest = np.sqrt(np.maximum(np.diag(own - gain @ own), 1e-18))
    return Belief(np.exp(log - logsumexp(log)), means, rest)
