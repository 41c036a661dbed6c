"""How well parameters explain the measurements: predictions, derivatives, noise and the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dse.surrogate.prior import LARGEST_LOG, MISFIT, NLL_MISFIT, Layout, Prior, precision_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """Measurements: levels (N, D); drop and stderr (N,) points; nll and nll_stderr (N,) nat, NaN where missing.

    images: (N,), on how many images each was measured.
    """

    levels: IntArray
    drop: FloatArray
    stderr: FloatArray
    nll: FloatArray
    nll_stderr: FloatArray
    images: FloatArray

    def __len__(self) -> int:
        return len(self.drop)


@dataclass(frozen=True)
class Linear:
    """The model at one parameter vector: predictions and their derivatives."""

    drop: FloatArray  # (N,)
    nll: FloatArray  # (N,)
    shared: FloatArray  # (N, shared) derivative of z
    drop_slope: FloatArray  # (N,) derivative of drop by z
    nll_slope: FloatArray  # (N,)
    cap: FloatArray  # (N,) derivative of drop by log cap
    kappa: FloatArray  # (N,) derivative of nll by log kappa
    power: FloatArray  # (N,) derivative of nll by rho


def smooth(variance: FloatArray, predicted: FloatArray) -> FloatArray:
    """Variance per image as a straight line in the predicted drop, (N,).

    A design that happens to lose few images also happens to change few, so that its own standard error would give the
    lucky measurements too much weight.
    """
    x = np.maximum(predicted, 0.0)
    if not len(variance):
        return variance
    usual = max(float(np.median(variance)), 1e-12)
    if len(variance) < 4:
        return np.full(len(variance), usual)
    weight = 1 / (1.0 + x)  # the scatter of a variance grows with it
    design = np.stack([np.ones(len(x)), x], axis=1) * weight[:, None]
    line = np.linalg.lstsq(design, variance * weight, rcond=None)[0]
    return np.asarray(np.maximum(line[0] + line[1] * x, 0.2 * usual))


class Likelihood:
    """The model, its prior and one data set, as functions of the parameter vector."""

    def __init__(self, prior: Prior, data: Data, rescale: float, misfit: float) -> None:
        self.prior, self.data, self.misfit = prior, data, misfit
        self.at = Layout(prior)
        self.prior_mean, self.prior_precision = prior.normal if rescale == 1.0 else precision_of(prior, rescale)
        dims = np.arange(data.levels.shape[1])
        self.column = prior.column[dims, data.levels]  # (N, D)
        self.live = self.column >= 0
        rows, live_dims = np.nonzero(self.live)
        self._entry = rows * self.at.shared + self.column[rows, live_dims]  # of the flat (N, shared) derivatives
        self.excess = np.zeros(prior.log_harm.shape)
        self.position = prior.position[dims, data.levels]
        self.with_nll = np.isfinite(data.nll)

    def terms(self, p: FloatArray) -> FloatArray:
        """T of every measured design's dimensions, (N, D)."""
        own = np.append(p, 0.0)[self.column]  # -1, no entry, is the zero at the end
        start = (self.prior.log_harm + self.excess)[np.arange(self.column.shape[1]), self.data.levels]
        log = start + p[self.at.scale] + p[self.at.slope] * self.position + own
        return np.asarray(np.exp(np.minimum(log, LARGEST_LOG)))

    def linear(self, p: FloatArray) -> Linear:
        """Predictions and derivatives at parameters p."""
        at, member = self.at, self.prior.membership
        terms = self.terms(p)
        roots = np.sqrt(terms)
        sums, own = roots @ member, terms @ member  # (N, K)
        total, additive = sums.sum(1), terms.sum(1)
        inside, following, everywhere = p[at.inside], p[at.following], p[at.everywhere]
        f_inside, f_next = 0.5 * (sums**2 - own), sums[:, :-1] * sums[:, 1:]
        f_all = 0.5 * (total**2 - additive)
        z = additive + f_inside @ inside + f_next @ following + f_all * everywhere
        low = z < 0.1 * additive + 1e-9  # pair terms never undo more than nine tenths
        z = np.where(low, 0.1 * additive + 1e-9, z)
        pull = sums * inside + total[:, None] * everywhere
        pull[:, :-1] += sums[:, 1:] * following
        pull[:, 1:] += sums[:, :-1] * following
        weight = 1 - 0.5 * (inside[self.prior.blocks] + everywhere)
        by_log = np.where(low[:, None], 0.1 * terms, terms * weight + 0.5 * roots * pull[:, self.prior.blocks])
        shared = np.zeros((len(z), at.shared))
        shared.ravel()[self._entry] = by_log[self.live]
        shared[:, at.scale] = by_log.sum(1)
        shared[:, at.slope] = (by_log * self.position).sum(1)
        keep = ~low
        shared[:, at.inside] = f_inside * keep[:, None]
        shared[:, at.following] = f_next * keep[:, None]
        shared[:, at.everywhere] = f_all * keep
        cap, kappa, power = np.exp(p[at.cap]), np.exp(p[at.kappa]), p[at.power]
        fade = np.exp(-z / cap)
        grown = kappa * z**power
        return Linear(
            drop=p[at.offset] + cap * (1 - fade),
            nll=p[at.nll_offset] + grown,
            shared=shared,
            drop_slope=fade,
            nll_slope=power * grown / z,
            cap=cap * (1 - fade) - z * fade,
            kappa=grown,
            power=grown * np.log(z),
        )

    def variances(self, now: Linear) -> tuple[FloatArray, FloatArray]:
        """Variance of every measurement around the model; infinite where there is no cross-entropy."""
        images = self.data.images
        drop = smooth(self.data.stderr**2 * images, now.drop) / images + (self.misfit * now.drop) ** 2
        nll = smooth(self.data.nll_stderr**2 * images, now.drop) / images
        nll = nll + (NLL_MISFIT / MISFIT * self.misfit * now.nll) ** 2 + 1e-12
        return drop, np.where(self.with_nll, nll, np.inf)

    def loss(self, p: FloatArray, now: Linear, drop_variance: FloatArray, nll_variance: FloatArray) -> float:
        """Half the squared residuals, prior included."""
        gap = p - self.prior_mean
        residual = ((self.data.drop - now.drop) ** 2 / drop_variance).sum()
        residual += (np.where(self.with_nll, self.data.nll - now.nll, 0.0) ** 2 / nll_variance).sum()
        return float(0.5 * (residual + gap @ self.prior_precision @ gap))

    def gradient(self, p: FloatArray, now: Linear, drop_variance: FloatArray, nll_variance: FloatArray) -> FloatArray:
        """Negative gradient (P,) of the loss."""
        at = self.at
        drop = (self.data.drop - now.drop) / drop_variance
        nll = np.where(self.with_nll, self.data.nll - now.nll, 0.0) / nll_variance
        out = self.prior_precision @ (self.prior_mean - p)
        out[: at.shared] += (now.drop_slope * drop + now.nll_slope * nll) @ now.shared
        out[[at.cap, at.offset]] += now.cap @ drop, drop.sum()
        out[[at.kappa, at.power, at.nll_offset]] += now.kappa @ nll, now.power @ nll, nll.sum()
        return np.asarray(out)

    def precision(self, now: Linear, drop_variance: FloatArray, nll_variance: FloatArray) -> FloatArray:
        """Gauss-Newton's second derivative (P, P) of the loss."""
        at = self.at
        out = self.prior_precision.copy()
        scaled = now.shared * np.sqrt(now.drop_slope**2 / drop_variance + now.nll_slope**2 / nll_variance)[:, None]
        out[: at.shared, : at.shared] += scaled.T @ scaled
        one = np.ones(len(now.drop))
        for slope, variance, extra, columns in (
            (now.drop_slope, drop_variance, (now.cap, one), (at.cap, at.offset)),
            (now.nll_slope, nll_variance, (now.kappa, now.power, one), (at.kappa, at.power, at.nll_offset)),
        ):
            e = np.stack(extra) / variance
            mixed = ((e * slope) @ now.shared).T
            out[: at.shared, columns] += mixed
            out[columns, : at.shared] += mixed.T
            out[np.ix_(columns, columns)] += e @ np.stack(extra, axis=1)
        return np.asarray(out)
