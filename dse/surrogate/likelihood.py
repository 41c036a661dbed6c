"""How well parameters explain the measurements: predictions, derivatives, noise and the loss."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.problem.shared_error import SharedError
from dse.surrogate.drop_curve import Curve
from dse.surrogate.prior import Layout, Prior

LEAST_OWN = 0.2  # share of a covariance that is a design's own at least
LARGEST_CORRELATION = 0.99  # of measured errors of drop and cross-entropy, so that their covariance has an inverse


@dataclass(frozen=True)
class Data:
    """Measurements: levels (N, D); drop and stderr (N,) points; nll and nll_stderr (N,) nat, NaN where missing.

    images: (N,), on how many images each was measured; correlation: (N,) of the errors of drop and nll.
    """

    levels: IntArray
    drop: FloatArray
    stderr: FloatArray
    nll: FloatArray
    nll_stderr: FloatArray
    images: FloatArray
    correlation: FloatArray

    def __len__(self) -> int:
        return len(self.drop)

    def first(self, count: int) -> Data:
        """The first `count` measurements."""
        return Data(*(getattr(self, f.name)[:count] for f in fields(self)))

    def spread(self, most: int) -> Data:
        """At most so many measurements, evenly spaced from the first to the last."""
        if len(self) <= most:
            return self
        chosen = np.linspace(0, len(self) - 1, most).round().astype(np.int64)
        return Data(*(getattr(self, f.name)[chosen] for f in fields(self)))


@dataclass(frozen=True)
class Noise:
    """Of N measurements: variance of the drop, what the cross-entropy's error takes from the drop's, and its rest.

    error of nll = mix x error of drop + an independent one of variance `rest`, infinite where nll is missing.
    """

    drop: FloatArray
    mix: FloatArray
    rest: FloatArray


@dataclass(frozen=True)
class Linear:
    """The model at one parameter vector: predictions and their derivatives."""

    drop: FloatArray  # (N,)
    nll: FloatArray  # (N,)
    shared: FloatArray  # (N, shared) derivative of the summed harm
    drop_slope: FloatArray  # (N,) derivative of drop by the summed harm
    nll_slope: FloatArray  # (N,)
    curve: FloatArray  # (N, 4) derivatives of drop by the logarithms of cap, early, late and knee
    kappa: FloatArray  # (N,) derivative of nll by log kappa
    power: FloatArray  # (N,) derivative of nll by rho


def smooth(variance: FloatArray, predicted: FloatArray, where: FloatArray | None = None) -> FloatArray:
    """Variance per image as a straight line in the predicted drop, at the predicted drops `where` or at its own, (N,).

    A design that happens to lose few images also happens to change few, so that its own standard error would give the
    measurements that came out well too much weight.
    """
    x = np.maximum(predicted, 0.0)
    at = x if where is None else np.maximum(where, 0.0)
    if not len(variance):
        return variance
    usual = max(float(np.median(variance)), 1e-12)
    if len(variance) < 4:
        return np.full(len(at), usual)
    weight = 1 / (1.0 + x)  # the scatter of a variance grows with it
    design = np.stack([np.ones(len(x)), x], axis=1) * weight[:, None]
    line = np.linalg.lstsq(design, variance * weight, rcond=None)[0]
    return np.asarray(np.maximum(line[0] + line[1] * at, 0.2 * usual))


def own_covariance(
    drop: FloatArray, correlation: float, nll: FloatArray, shared: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What is left of the covariances of drop and cross-entropy without the shared one: variances and covariance, (N,).

    drop, nll: (N,) variances of measurements with this correlation; shared: (2, 2). In the coordinates in which a
    measurement's errors are independent with variance one, no direction keeps less than LEAST_OWN of its variance: the
    rest stays a covariance for every design, with a correlation below one.
    """
    full = np.empty((len(drop), 2, 2))
    full[:, 0, 0], full[:, 1, 1] = drop, nll
    full[:, 0, 1] = full[:, 1, 0] = correlation * np.sqrt(drop * nll)
    half = np.linalg.cholesky(full)
    back = np.linalg.inv(half)
    values, vectors = np.linalg.eigh(back @ shared @ back.transpose(0, 2, 1))
    rest = half @ vectors
    own = (rest * np.maximum(1 - values, LEAST_OWN)[:, None, :]) @ rest.transpose(0, 2, 1)
    return own[:, 0, 0], own[:, 0, 1], own[:, 1, 1]


class Likelihood:
    """The model, its prior and one data set, as functions of the parameter vector.

    excess: (D, B) what is added to the logarithm of every T^norm, so that predictions are means and not medians.
    """

    def __init__(self, prior: Prior, data: Data, excess: FloatArray | None = None) -> None:
        self.prior, self.data = prior, data
        self.at = Layout(prior)
        self.prior_mean, self.prior_precision = prior.normal
        dims = np.arange(data.levels.shape[1])
        self.column = prior.column[dims, data.levels]  # (N, D)
        self.live = self.column >= 0
        rows, live_dims = np.nonzero(self.live)
        self._entry = rows * self.at.shared + self.column[rows, live_dims]  # of the flat (N, shared) derivatives
        self.excess = np.zeros(prior.log_harm.shape) if excess is None else excess
        self.position = prior.position[dims, data.levels]
        self.deviation = np.where(self.live, prior.deviation, 0.0)  # (N, D)
        self.with_nll = np.isfinite(data.nll)

    def terms(self, p: FloatArray) -> FloatArray:
        """T^norm of every measured design's dimensions, (N, D)."""
        own = np.append(p, 0.0)[self.column]  # -1, no entry, is the zero at the end
        start = (self.prior.scaled + self.excess)[np.arange(self.column.shape[1]), self.data.levels]
        common = p[self.at.scale] + p[self.at.slope] * self.position + p[self.at.trust] * self.deviation
        return np.asarray(np.exp(np.minimum(start + common + own, self.prior.most_log)))

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
        shared[:, at.trust] = (by_log * self.deviation).sum(1)
        keep = ~low
        shared[:, at.inside] = f_inside * keep[:, None]
        shared[:, at.following] = f_next * keep[:, None]
        shared[:, at.everywhere] = f_all * keep
        point = self.curve(p).at(z)
        grown = np.exp(np.minimum(p[at.kappa] + p[at.power] * point.log_z, 700.0))
        return Linear(
            drop=p[at.offset] + point.drop,
            nll=p[at.nll_offset] + grown,
            shared=shared,
            drop_slope=point.by_harm,
            nll_slope=p[at.power] * grown / (self.prior.hyper.norm * z),
            curve=np.stack([point.by_cap, point.by_early, point.by_late, point.by_knee], axis=1),
            kappa=grown,
            power=grown * point.log_z,
        )

    def curve(self, p: FloatArray) -> Curve:
        """The curve from summed harm to drop at parameters p."""
        at = self.at
        cap, early, late, knee = np.exp(p[[at.cap, at.early, at.late, at.knee]])
        return Curve(cap, early, late, knee, self.prior.hyper.norm)

    def noise(self, now: Linear) -> Noise:
        """How measurements scatter around the model: what finite images do, less what they do to all alike, and misfit.

        A design and a measurement on part of the images have the shared error of all search images in common.
        """
        images, hyper = self.data.images, self.prior.hyper
        drop = smooth(self.data.stderr**2 * images, now.drop) / images
        nll = smooth(self.data.nll_stderr**2 * images, now.drop) / images + 1e-12
        known = float(np.median(self.data.correlation)) if len(images) else 0.0
        shared = (self.prior.shared_error or SharedError.none()).cover
        own, both, own_nll = own_covariance(drop, np.clip(known, 0, LARGEST_CORRELATION), nll, shared)
        both = hyper.agreement * both
        own = own + (hyper.misfit * now.drop) ** 2
        own_nll = own_nll + (hyper.nll_misfit * now.nll) ** 2
        return Noise(
            own, np.where(self.with_nll, both / own, 0.0), np.where(self.with_nll, own_nll - both**2 / own, np.inf)
        )

    def channels(self, now: Linear, noise: Noise) -> tuple[tuple[FloatArray, FloatArray, FloatArray], ...]:
        """Two independent measurements per design in units of their noise: the drop, and what cross-entropy adds.

        Of each: residuals (N,), their derivatives by z (N,) and by the parameters that are not shared (N, 8).
        """
        zero, one = np.zeros((len(now.drop), 1)), np.ones((len(now.drop), 1))
        missed = self.data.drop - now.drop
        left = np.where(self.with_nll, self.data.nll - now.nll, 0.0) - noise.mix * missed
        by_drop = np.hstack([now.curve, one, zero, zero, zero])
        of_nll = np.hstack([np.zeros((len(now.drop), 5)), now.kappa[:, None], now.power[:, None], one])
        by_nll = of_nll - noise.mix[:, None] * by_drop
        first, second = 1 / np.sqrt(noise.drop), 1 / np.sqrt(noise.rest)
        return (
            (missed * first, now.drop_slope * first, by_drop * first[:, None]),
            (left * second, (now.nll_slope - noise.mix * now.drop_slope) * second, by_nll * second[:, None]),
        )

    def loss(self, p: FloatArray, now: Linear, noise: Noise) -> float:
        """Half the squared residuals, prior included."""
        gap = p - self.prior_mean
        residual = sum(float((missed**2).sum()) for missed, _, _ in self.channels(now, noise))
        return 0.5 * (residual + float(gap @ self.prior_precision @ gap))

    def gradient(self, p: FloatArray, now: Linear, noise: Noise) -> FloatArray:
        """Negative gradient (P,) of the loss."""
        shared = self.at.shared
        out = self.prior_precision @ (self.prior_mean - p)
        for missed, slope, extra in self.channels(now, noise):
            out[:shared] += (missed * slope) @ now.shared
            out[shared:] += missed @ extra
        return np.asarray(out)

    def precision(self, now: Linear, noise: Noise) -> FloatArray:
        """Gauss-Newton's second derivative (P, P) of the loss."""
        shared = self.at.shared
        out = self.prior_precision.copy()
        channels = self.channels(now, noise)
        scaled = now.shared * np.sqrt(sum(slope**2 for _, slope, _ in channels))[:, None]
        out[:shared, :shared] += scaled.T @ scaled
        for _, slope, extra in channels:
            mixed = now.shared.T @ (extra * slope[:, None])
            out[:shared, shared:] += mixed
            out[shared:, :shared] += mixed.T
            out[shared:, shared:] += extra.T @ extra
        return np.asarray(out)
