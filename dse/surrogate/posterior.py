"""The fit to all measurements by Gauss-Newton, and the normal posterior around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from dse.arrays import FloatArray, IntArray
from dse.problem.shared_error import SharedError, assumed
from dse.surrogate.likelihood import Data, Likelihood, Linear, Noise
from dse.surrogate.model import Model
from dse.surrogate.prior import FISHER_ERROR, UNKNOWN_ERROR, Layout, Prior

LEAST_GAIN = 0.02  # of the loss (a half squared residual), below which a fit is finished
MOST_STEPS = 60  # of Gauss-Newton; fits end by themselves after 5 to 25
MOST_EXCESS = 2.0  # of the logarithm: beyond, the mean of a log-normal says nothing about the values that occur
SMALL_STEP = 0.3  # largest change of a parameter after which the precision is taken to be the same


@dataclass(frozen=True)
class Posterior:
    """The fitted model: mean parameters and the Cholesky factor of their precision.

    excess: (D, B) logarithm of mean over median of every T; first: mean parameters of the fit without it, from whose
    precision it was taken.
    """

    prior: Prior
    mean: FloatArray
    excess: FloatArray
    factor: FloatArray  # lower triangular, precision = factor @ factor.T
    data: Data
    first: FloatArray

    @property
    def misfit(self) -> float:
        """The model error of a drop as a share of its prediction."""
        return self.prior.hyper.misfit

    def draw(self, rng: np.random.Generator, count: int, spread: float = 1.0) -> Model:
        """Samples of the model, `spread` times as far from the mean as the posterior has them."""
        noise = spread * rng.normal(size=(len(self.mean), count))
        return Model.of(self.prior, (self.mean[:, None] + solve_triangular(self.factor, noise, lower=True, trans=1)).T)

    @cached_property
    def centre(self) -> Model:
        """The mean model."""
        return Model.of(self.prior, self.mean[None], self.excess)

    def ensemble(self, count: int = 100) -> Model:
        """Samples for means and intervals, the same at every call."""
        return self.draw(np.random.default_rng(count), count)

    def predict(self, levels: IntArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the drop of levels (C, D) on unseen images, each (C,), in points.

        The misfit is included, and what the search images, common to all measurements, leave open (`SharedError`).
        """
        mean, shared_error = self.centre.drop(levels)[0], self.prior.shared_error or SharedError.none()
        common = shared_error.unseen[1] + shared_error.harm * np.maximum(mean, 0.0)
        return mean, np.sqrt(self.ensemble().drop(levels).var(axis=0) + (self.misfit * mean) ** 2 + common)

    @cached_property
    def trust(self) -> tuple[float, float]:
        """The power to which the scores' differences between dimensions are right, and its standard deviation.

        1: as the scores say; 0: they say nothing; below 0: the opposite of what is true.
        """
        at = Layout(self.prior).trust
        unit = np.zeros(len(self.mean))
        unit[at] = 1.0
        half = solve_triangular(self.factor, unit, lower=True)
        return 1 + float(self.mean[at]), float(np.sqrt(half @ half))

    @property
    def doubt(self) -> float:
        """How little the scores help, 0 to 1: 0 where they are as good as usual, 1 where they are as good as none."""
        spread = float(np.median(self.prior.spread)) * self.prior.hyper.spread
        unknown = (spread - FISHER_ERROR) / (UNKNOWN_ERROR - FISHER_ERROR)
        return float(np.clip(max(unknown, 1 - self.trust[0]), 0.0, 1.0)) if unknown > 0 else 0.0

    @cached_property
    def search_bias(self) -> float:
        """By how much measurements on the search images lie above the drops on unseen images, in points."""
        return float(self.mean[Layout(self.prior).offset] - self.centre.offset[0])


class Fit(Likelihood):
    """Gauss-Newton on one data set."""

    def start(self) -> FloatArray:
        """Parameters at the prior mean, with the scale that fits the drops best."""
        p = self.prior_mean.copy()
        terms = self.terms(p)  # the prior mean has no pair terms: z is their sum
        measured = self.data.drop - p[self.at.offset]
        curve, most = self.curve(p), np.exp(self.prior.most_log)
        variance = self.data.stderr**2 + (0.3 * measured) ** 2 + 0.05
        least = np.inf
        middle = np.log(max(float(np.median(terms.sum(1))), 1e-300))
        for scale in self.prior.hyper.norm * np.log(np.geomspace(1e-4, 1e4, 65)) - middle:
            drop = curve(np.minimum(terms * np.exp(scale), most).sum(1))
            loss = float(((measured - drop) ** 2 / variance).sum())
            if loss < least:
                p[self.at.scale], least = scale, loss
        return p

    def climb(self, p: FloatArray, steps: int = MOST_STEPS, factor: FloatArray | None = None) -> FloatArray:
        """Gauss-Newton steps, shortened where they do not help, until they gain next to nothing.

        Small steps reuse the Cholesky factor of an earlier one, `factor` at first: forming and factoring the precision
        is most of a step's time, and the gradient alone decides where the steps end.
        """
        now = self.linear(p)
        for _ in range(steps):
            noise, reused = self.noise(now), factor is not None
            if factor is None:
                factor = self._cholesky(now, noise)
            move = cho_solve((factor, True), self.gradient(p, now, noise), check_finite=False)
            move *= min(1.0, 1.5 / max(float(np.abs(move).max()), 1e-12))
            before, gain = self.loss(p, now, noise), 0.0
            for _ in range(5):
                trial = self.linear(p + move)
                gain = before - self.loss(p + move, trial, noise)
                if gain > 0:
                    p, now = p + move, trial
                    break
                move = move / 3
            if gain < LEAST_GAIN and (gain > 0 or not reused):
                break
            if gain <= 0 or float(np.abs(move).max()) > SMALL_STEP:
                factor = None
        return p

    def _cholesky(self, now: Linear, noise: Noise) -> FloatArray:
        return np.asarray(cholesky(self.precision(now, noise), lower=True, overwrite_a=True, check_finite=False))

    def factor(self, p: FloatArray) -> FloatArray:
        """Cholesky factor of the precision at parameters p."""
        now = self.linear(p)
        return self._cholesky(now, self.noise(now))

    def half_variance(self, factor: FloatArray) -> FloatArray:
        """Half the posterior variance of every log T, (D, B): how far its log mean lies above its log median."""
        root = solve_triangular(factor, np.eye(len(factor)), lower=True, check_finite=False)  # cover = root.T @ root
        out = np.zeros(self.prior.log_harm.shape)
        live = self.prior.column >= 0
        own = slice(0, self.at.entries)
        share = root[:, own] + root[:, [self.at.scale]] + self.prior.position[live] * root[:, [self.at.slope]]
        share = share + np.broadcast_to(self.prior.deviation[:, None], live.shape)[live] * root[:, [self.at.trust]]
        out[live] = np.einsum("pe,pe->e", share, share)
        return np.minimum(out / 2, MOST_EXCESS)


def fit(prior: Prior, data: Data, steps: int = MOST_STEPS) -> Posterior:
    """The posterior given all measurements, at the prior's hyperparameters; without any measurement, the prior."""
    prior = with_shared_error(prior, data)
    task = Fit(prior, data)
    if not len(data):
        return Posterior(prior, task.prior_mean, task.excess, task.factor(task.prior_mean), data, task.prior_mean)
    first = task.climb(task.start(), steps)
    factor = task.factor(first)
    task = Fit(prior, data, task.half_variance(factor))
    p = task.climb(first, steps, factor)
    return Posterior(prior, p, task.excess, task.factor(p), data, first)


def fitted(prior: Prior, data: Data, means: tuple[FloatArray, ...]) -> Posterior:
    """The posterior that `fit` found elsewhere; `means` are its `first` and `mean`."""
    prior = with_shared_error(prior, data)
    first, mean = means
    task = Fit(prior, data)
    task = Fit(prior, data, task.half_variance(task.factor(first)))
    return Posterior(prior, mean, task.excess, task.factor(mean), data, first)


def with_shared_error(prior: Prior, data: Data) -> Prior:
    """The prior with the shared error that the measurements suggest, where none was measured."""
    return prior if prior.shared_error is not None else replace(prior, shared_error=_assumed(data))


def _assumed(data: Data) -> SharedError:
    images = float(data.images.max(initial=1.0))
    variances = data.stderr**2 * data.images, data.nll_stderr**2 * data.images
    return assumed(data.drop, variances[0], variances[1], data.correlation, images)
