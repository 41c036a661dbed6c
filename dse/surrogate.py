"""A Bayesian additive model of the accuracy drop: what a design will lose, and how sure that is.

    z = sum over dimensions of T_d(level) + pair terms        (harm before saturation, in percentage points)
    drop = d0 + cap (1 - exp(-z / cap))                       (top-1, points; d0: the float network is one draw)
    nll  = n0 + kappa z^rho                                   (cross-entropy over the float network's, nat)

The logarithms of T have a Gaussian prior around the sensitivity scores: an error per dimension, an error of the slope
over bits, and a jitter per entry, beside an unknown common scale and slope. Pair terms are sums of sqrt(T_i T_j) inside
blocks, between neighbouring blocks and over all pairs, one weight each. All parameters are learned together from top-1
and cross-entropy of all measurements, by Gauss-Newton. The posterior is normal in the logarithms; because the mean of a
log-normal variable lies above its median, it is the mean harm that is fitted to the measurements, not the median.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from dse.frontier import valid
from dse.problem import Problem

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Spreads of the prior, all of logarithms unless said otherwise. The first three are wide enough for the errors seen on
# two trained SDTv2; the evidence rescales the first.
FISHER_ERROR = 0.6  # of one dimension's gradient score
DISTANCE_ERROR = 0.4  # of one dimension's one-at-a-time distance
UNKNOWN_ERROR = 1.5  # of a dimension without any score
SLOPE_ERROR = 0.08  # per bit
JITTER = 0.15  # per entry
SCALE_ERROR = 2.0  # common to all dimensions: scores have no unit
COMMON_SLOPE_ERROR = 0.15  # per bit
OFFSET_ERROR = 0.15  # points
CAP, CAP_ERROR = 70.0, 0.3
NLL_PER_POINT, NLL_ERROR = 0.03, 1.0
POWER_ERROR = 0.1
NLL_OFFSET_ERROR = 0.02  # nat
PAIR_MEAN, PAIR_ERROR = (0.1, 0.05, 0.01), (0.1, 0.05, 0.0)  # inside, next, all: common part and spread of weights
MISFIT, NLL_MISFIT = 0.04, 0.06  # model error as a share of the prediction
ADDITIVE_ENOUGH = 0.8


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
class Prior:
    """What is believed before any measurement.

    log_harm: (D, B) mean of log T, -inf where a level does no harm (the widest) or does not exist; spread: (D,) its
    error per dimension; position: (D, B) bits relative to the middle; blocks: (D,) number of each dimension's block.
    """

    log_harm: FloatArray
    spread: FloatArray
    position: FloatArray
    blocks: IntArray

    @cached_property
    def column(self) -> IntArray:
        """Number of each entry among the parameters, (D, B), -1 for entries without harm."""
        live = np.isfinite(self.log_harm)
        return np.asarray(np.where(live, np.cumsum(live).reshape(live.shape) - 1, -1))

    @cached_property
    def membership(self) -> FloatArray:
        """Which dimension is in which block, (D, K)."""
        return np.asarray(np.eye(int(self.blocks.max()) + 1)[self.blocks])

    @cached_property
    def entries(self) -> int:
        """Number of entries with harm."""
        return int(np.isfinite(self.log_harm).sum())


def prior_of(problem: Problem, harm: FloatArray) -> Prior:
    """The prior of a problem from its complete score table (D, B) and, where measured, its distances.

    Both are known up to their unit; the distances are brought to the scale of the scores, and each dimension's error
    is the precision-weighted mean of the two.
    """
    exists = valid(problem.space)
    scored = np.isfinite(np.where(exists, problem.scores, 0.0)).all(axis=1)
    with np.errstate(divide="ignore"):
        log_harm = np.where(exists & (harm > 0), np.log(np.where(harm > 0, harm, 1.0)), -np.inf)
    spread = np.where(scored, FISHER_ERROR, UNKNOWN_ERROR)
    log_harm, spread = _second_opinion(problem, log_harm, spread)
    position = problem.space.values(np.arange(exists.shape[1])[:, None] * np.ones(len(exists), dtype=np.int64)).T
    names = [d.block or d.name for d in problem.space.dimensions]
    order = {name: i for i, name in enumerate(dict.fromkeys(names))}
    blocks = np.array([order[name] for name in names], dtype=np.int64)
    return Prior(log_harm, spread, np.clip(position - 4.0, -3.0, 4.0), blocks)


def _second_opinion(problem: Problem, log_harm: FloatArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    if problem.distances is None:
        return log_harm, spread
    both = np.isfinite(log_harm) & (np.nan_to_num(problem.distances) > 0)
    gap = np.where(both, np.log(np.where(both, problem.distances, 1.0)) - log_harm, 0.0)
    seen = both.sum(axis=1)
    known = seen > 0
    if not known.any():
        return log_harm, spread
    mean = gap.sum(axis=1) / np.maximum(seen, 1)
    apart = np.where(known, mean - np.median(mean[known]), 0.0)
    precision = spread**-2
    total = precision + np.where(known, DISTANCE_ERROR**-2, 0.0)
    moved = log_harm + (apart * (1 - precision / total))[:, None]
    # sources that disagree more than their errors allow are both worth less
    expected = float(np.mean((spread**2 + DISTANCE_ERROR**2)[known]))
    disagreement = float(np.mean(apart[known] ** 2))
    return moved, np.sqrt(max(1.0, disagreement / expected) / total)


@dataclass(frozen=True)
class Posterior:
    """The fitted model: mean parameters and the Cholesky factor of their precision.

    excess: (D, B) logarithm of mean over median of every T.
    """

    prior: Prior
    mean: FloatArray
    excess: FloatArray
    factor: FloatArray  # lower triangular, precision = factor @ factor.T
    data: Data
    misfit: float

    def draw(self, rng: np.random.Generator, count: int) -> Model:
        """Samples of the model."""
        noise = rng.normal(size=(len(self.mean), count))
        return Model.of(self.prior, (self.mean[:, None] + solve_triangular(self.factor, noise, lower=True, trans=1)).T)

    @cached_property
    def centre(self) -> Model:
        """The mean model."""
        return Model.of(self.prior, self.mean[None], self.excess)

    def ensemble(self, count: int = 100) -> Model:
        """Samples for means and intervals, the same at every call."""
        return self.draw(np.random.default_rng(count), count)

    def predict(self, levels: IntArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the drop of levels (C, D), each (C,), in points; misfit included."""
        mean = self.centre.drop(levels)[0]
        return mean, np.sqrt(self.ensemble().drop(levels).var(axis=0) + (self.misfit * mean) ** 2)


@dataclass(frozen=True)
class Model:
    """S parameter sets: tables (S, D, B) of additive harm in points, pair weights, link."""

    prior: Prior
    tables: FloatArray
    inside: FloatArray  # (S, K)
    following: FloatArray  # (S, K - 1)
    everywhere: FloatArray  # (S,)
    cap: FloatArray  # (S,)
    offset: FloatArray  # (S,)

    @staticmethod
    def of(prior: Prior, parameters: FloatArray, excess: FloatArray | float = 0.0) -> Model:
        """Parameter vectors (S, P) as models; `excess` (D, B) is added to the logarithms."""
        at = _Layout(prior)
        shift = parameters[:, at.scale, None, None] + parameters[:, at.slope, None, None] * prior.position
        log = prior.log_harm + excess + shift
        live = prior.column >= 0
        log[:, live] += parameters[:, : at.entries]
        return Model(
            prior,
            np.exp(np.minimum(log, 12.0)),
            parameters[:, at.inside],
            parameters[:, at.following],
            parameters[:, at.everywhere],
            np.exp(parameters[:, at.cap]),
            parameters[:, at.offset],
        )

    def harm(self, levels: IntArray) -> FloatArray:
        """z of levels (C, D) under every sample, (S, C)."""
        samples, dims, most = self.tables.shape
        chosen = np.zeros((len(levels), dims, most))
        chosen[np.arange(len(levels))[:, None], np.arange(dims)[None], levels] = 1.0
        additive = self.tables.reshape(samples, -1) @ chosen.reshape(len(levels), -1).T
        roots = np.sqrt(self.tables)
        of_block = []
        for k in range(self.prior.membership.shape[1]):
            mine = np.flatnonzero(self.prior.blocks == k)
            of_block.append(roots[:, mine].reshape(samples, -1) @ chosen[:, mine].reshape(len(levels), -1).T)
        sums = np.stack(of_block, axis=-1)  # (S, C, K)
        # sums of squares minus the diagonal: each block's own T, summed for "everywhere"
        squares = sums**2
        own = np.stack(
            [
                self.tables[:, mine].reshape(samples, -1) @ chosen[:, mine].reshape(len(levels), -1).T
                for mine in (np.flatnonzero(self.prior.blocks == k) for k in range(sums.shape[-1]))
            ],
            axis=-1,
        )
        pairs = 0.5 * np.einsum("sck,sk->sc", squares - own, self.inside)
        pairs += np.einsum("sck,sk->sc", sums[..., :-1] * sums[..., 1:], self.following)
        pairs += 0.5 * (sums.sum(-1) ** 2 - additive) * self.everywhere[:, None]
        return np.asarray(np.maximum(additive + pairs, 0.1 * additive))

    def drop(self, levels: IntArray) -> FloatArray:
        """Drop of levels (C, D) under every sample, (S, C), in points."""
        cap = self.cap[:, None]
        return np.asarray(self.offset[:, None] + cap * -np.expm1(-self.harm(levels) / cap))


class _Layout:
    """Where each parameter stands in the vector."""

    def __init__(self, prior: Prior) -> None:
        blocks = prior.membership.shape[1]
        self.entries = prior.entries
        self.scale, self.slope = self.entries, self.entries + 1
        start = self.entries + 2
        self.inside = slice(start, start + blocks)
        self.following = slice(self.inside.stop, self.inside.stop + blocks - 1)
        self.everywhere = self.following.stop
        self.shared = self.everywhere + 1  # parameters that act through z
        self.cap, self.offset, self.kappa, self.power, self.nll_offset = range(self.shared, self.shared + 5)
        self.size = self.shared + 5


def _precision(prior: Prior, at: _Layout, rescale: float) -> tuple[FloatArray, FloatArray]:
    """Prior mean (P,) and precision (P, P)."""
    mean, out = np.zeros(at.size), np.zeros((at.size, at.size))
    for d, columns in enumerate(prior.column):
        live = columns >= 0
        if not live.any():
            continue
        x = prior.position[d, live]
        cover = (rescale * prior.spread[d]) ** 2 + SLOPE_ERROR**2 * np.outer(x, x) + JITTER**2 * np.eye(len(x))
        out[np.ix_(columns[live], columns[live])] = np.linalg.inv(cover)
    for part, common, spread in zip((at.inside, at.following), PAIR_MEAN, PAIR_ERROR, strict=False):
        count = part.stop - part.start
        out[part, part] = np.linalg.inv(common**2 * np.ones((count, count)) + spread**2 * np.eye(count))
    mean[at.cap], mean[at.kappa], mean[at.power] = np.log(CAP), np.log(NLL_PER_POINT), 1.0
    single = {at.scale: SCALE_ERROR, at.slope: COMMON_SLOPE_ERROR, at.everywhere: PAIR_MEAN[2], at.cap: CAP_ERROR}
    single |= {at.offset: OFFSET_ERROR, at.kappa: NLL_ERROR, at.power: POWER_ERROR, at.nll_offset: NLL_OFFSET_ERROR}
    for i, spread in single.items():
        out[i, i] = spread**-2
    return mean, out


@dataclass(frozen=True)
class _Linear:
    """The model at one parameter vector: predictions and their derivatives."""

    drop: FloatArray  # (N,)
    nll: FloatArray  # (N,)
    shared: FloatArray  # (N, shared) derivative of z
    drop_slope: FloatArray  # (N,) derivative of drop by z
    nll_slope: FloatArray  # (N,)
    cap: FloatArray  # (N,) derivative of drop by log cap
    kappa: FloatArray  # (N,) derivative of nll by log kappa
    power: FloatArray  # (N,) derivative of nll by rho


def _smooth(variance: FloatArray, predicted: FloatArray) -> FloatArray:
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


class _Fit:
    """Gauss-Newton on one data set."""

    def __init__(self, prior: Prior, data: Data, rescale: float, misfit: float) -> None:
        self.prior, self.data, self.misfit = prior, data, misfit
        self.at = _Layout(prior)
        self.prior_mean, self.prior_precision = _precision(prior, self.at, rescale)
        dims = np.arange(data.levels.shape[1])
        self.column = prior.column[dims, data.levels]  # (N, D)
        self.live = self.column >= 0
        self.excess = np.zeros(prior.log_harm.shape)
        self.position = prior.position[dims, data.levels]
        self.with_nll = np.isfinite(data.nll)

    def terms(self, p: FloatArray) -> FloatArray:
        """T of every measured design's dimensions, (N, D)."""
        own = np.where(self.live, p[np.maximum(self.column, 0)], 0.0) if self.at.entries else 0.0
        start = (self.prior.log_harm + self.excess)[np.arange(self.column.shape[1]), self.data.levels]
        log = start + p[self.at.scale] + p[self.at.slope] * self.position + own
        return np.asarray(np.exp(np.minimum(log, 12.0)))

    def linear(self, p: FloatArray) -> _Linear:
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
        rows, dims = np.nonzero(self.live)
        shared[rows, self.column[rows, dims]] = by_log[rows, dims]
        shared[:, at.scale] = by_log.sum(1)
        shared[:, at.slope] = (by_log * self.position).sum(1)
        keep = ~low
        shared[:, at.inside] = f_inside * keep[:, None]
        shared[:, at.following] = f_next * keep[:, None]
        shared[:, at.everywhere] = f_all * keep
        cap, kappa, power = np.exp(p[at.cap]), np.exp(p[at.kappa]), p[at.power]
        fade = np.exp(-z / cap)
        grown = kappa * z**power
        return _Linear(
            drop=p[at.offset] + cap * (1 - fade),
            nll=p[at.nll_offset] + grown,
            shared=shared,
            drop_slope=fade,
            nll_slope=power * grown / z,
            cap=cap * (1 - fade) - z * fade,
            kappa=grown,
            power=grown * np.log(z),
        )

    def variances(self, now: _Linear) -> tuple[FloatArray, FloatArray]:
        """Variance of every measurement around the model; infinite where there is no cross-entropy."""
        images = self.data.images
        drop = _smooth(self.data.stderr**2 * images, now.drop) / images + (self.misfit * now.drop) ** 2
        nll = _smooth(self.data.nll_stderr**2 * images, now.drop) / images
        nll = nll + (NLL_MISFIT / MISFIT * self.misfit * now.nll) ** 2 + 1e-12
        return drop, np.where(self.with_nll, nll, np.inf)

    def loss(self, p: FloatArray, now: _Linear, drop_variance: FloatArray, nll_variance: FloatArray) -> float:
        """Half the squared residuals, prior included."""
        gap = p - self.prior_mean
        residual = ((self.data.drop - now.drop) ** 2 / drop_variance).sum()
        residual += (np.where(self.with_nll, self.data.nll - now.nll, 0.0) ** 2 / nll_variance).sum()
        return float(0.5 * (residual + gap @ self.prior_precision @ gap))

    def start(self) -> FloatArray:
        """Parameters at the prior mean, with the scale that fits the drops best."""
        p = self.prior_mean.copy()
        best, least = p, np.inf
        typical = float(np.median(self.terms(p).sum(1)))
        for scale in np.log(np.geomspace(1e-4, 1e4, 65)) - np.log(max(typical, 1e-300)):
            p = self.prior_mean.copy()
            p[self.at.scale] = scale
            now = self.linear(p)
            variance = self.data.stderr**2 + (0.3 * self.data.drop) ** 2 + 0.05
            loss = float(((self.data.drop - now.drop) ** 2 / variance).sum())
            if loss < least:
                best, least = p, loss
        return best

    def system(
        self, p: FloatArray, now: _Linear, drop_variance: FloatArray, nll_variance: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Precision (P, P) and the negative gradient (P,) of the loss."""
        at = self.at
        precision = self.prior_precision.copy()
        gradient = self.prior_precision @ (self.prior_mean - p)
        nll_gap = np.where(self.with_nll, self.data.nll - now.nll, 0.0)
        drop_gap = self.data.drop - now.drop
        scaled = now.shared * np.sqrt(now.drop_slope**2 / drop_variance + now.nll_slope**2 / nll_variance)[:, None]
        precision[: at.shared, : at.shared] += scaled.T @ scaled
        gradient[: at.shared] += now.shared.T @ (
            now.drop_slope * drop_gap / drop_variance + now.nll_slope * nll_gap / nll_variance
        )
        one = np.ones(len(drop_gap))
        for slope, variance, gap, extra, columns in (
            (now.drop_slope, drop_variance, drop_gap, (now.cap, one), (at.cap, at.offset)),
            (now.nll_slope, nll_variance, nll_gap, (now.kappa, now.power, one), (at.kappa, at.power, at.nll_offset)),
        ):
            e = np.stack(extra, axis=1) / variance[:, None]
            mixed = now.shared.T @ (e * slope[:, None])
            precision[: at.shared, columns] += mixed
            precision[columns, : at.shared] += mixed.T
            precision[np.ix_(columns, columns)] += e.T @ np.stack(extra, axis=1)
            gradient[list(columns)] += e.T @ gap
        return precision, gradient

    def climb(self, p: FloatArray, steps: int) -> FloatArray:
        """Gauss-Newton steps, shortened where they do not help, until they gain next to nothing."""
        now = self.linear(p)
        for _ in range(steps):
            variances = self.variances(now)
            precision, gradient = self.system(p, now, *variances)
            move = cho_solve(cho_factor(precision, lower=True, check_finite=False), gradient, check_finite=False)
            move *= min(1.0, 1.5 / max(float(np.abs(move).max()), 1e-12))
            before, gain = self.loss(p, now, *variances), 0.0
            for _ in range(5):
                trial = self.linear(p + move)
                gain = before - self.loss(p + move, trial, *variances)
                if gain > 0:
                    p, now = p + move, trial
                    break
                move = move / 3
            if gain < 0.02:
                break
        return p

    def factor(self, p: FloatArray) -> FloatArray:
        """Cholesky factor of the precision at parameters p."""
        now = self.linear(p)
        return np.asarray(np.linalg.cholesky(self.system(p, now, *self.variances(now))[0]))

    def half_variance(self, factor: FloatArray) -> FloatArray:
        """Half the posterior variance of every log T, (D, B): how far its log mean lies above its log median."""
        cover = cho_solve((factor, True), np.eye(len(factor)), check_finite=False)
        out = np.zeros(self.prior.log_harm.shape)
        live = self.prior.column >= 0
        x, scale, slope, own = self.prior.position[live], self.at.scale, self.at.slope, slice(0, self.at.entries)
        out[live] = np.diag(cover)[own] + cover[scale, scale] + x**2 * cover[slope, slope]
        out[live] += 2 * (cover[own, scale] + x * cover[own, slope] + x * cover[scale, slope])
        return out / 2


def fit(prior: Prior, data: Data, rescale: float = 1.0, misfit: float = MISFIT, steps: int = 8) -> Posterior:
    """The posterior given all measurements; without any, the prior.

    `rescale` multiplies the spread per dimension; `misfit` is the model error as a share of a prediction.
    """
    task = _Fit(prior, data, rescale, misfit)
    if not len(data):
        return Posterior(prior, task.prior_mean, task.excess, task.factor(task.prior_mean), data, misfit)
    p = task.climb(task.start(), steps)
    task.excess = task.half_variance(task.factor(p))
    p = task.climb(p, steps // 2)
    return Posterior(prior, p, task.excess, task.factor(p), data, misfit)


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
    task = _Fit(posterior.prior, data, 1.0, posterior.misfit)
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
