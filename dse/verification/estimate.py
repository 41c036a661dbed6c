"""Drops of all candidates from what was measured alone: stratified, each with the others as control variates.

In a stratum, the means of the candidates are estimated together by generalised least squares over the sets of images
that the same candidates were measured on: the best linear unbiased estimate, in which a candidate measured on more
images is a control variate for one measured on fewer (Little and Rubin, Statistical Analysis with Missing Data, 2002,
section 7.4).  Weights of strata are their shares of the unseen images; that these are a sample themselves adds the
variance of double sampling (Cochran, Sampling Techniques, 1977, eq. 12.8).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from dse.arrays import BoolArray, FloatArray, IntArray
from sviT_models.measure.accuracy import Z95, tango_interval

CLOSEST = 0.95  # correlation of two candidates' changes: a limit that keeps their difference an uncertainty


@dataclass(frozen=True)
class Estimate:
    """Drops of K candidates as measured, without what the search says, in percentage points.

    drop, low, high: (K,) estimates with 95 % intervals; covariance: (K, K) of their errors; images: (K,) measured;
    lost, won: (K,) images that changed sides, as counted; discordance: (K,) share of all images that change sides.
    """

    drop: FloatArray
    low: FloatArray
    high: FloatArray
    covariance: FloatArray
    images: IntArray
    lost: IntArray
    won: IntArray
    discordance: FloatArray

    def first(self, count: int) -> Estimate:
        """Of the first `count` of the K alone."""
        parts = {field.name: getattr(self, field.name)[:count] for field in fields(self)}
        return replace(self, **parts | {"covariance": self.covariance[:count, :count]})


def estimate(seen: BoolArray, changed: IntArray, strata: IntArray) -> Estimate:
    """Drops from what was measured.

    seen, changed: (K, M) as `dse.verification.rows.table` gives them, every candidate measured in every stratum;
    strata: (M,) stratum of every image.  Intervals are Tango's score intervals for as many images as give the same
    standard error without strata.
    """
    weight = np.bincount(strata) / len(strata)
    sample = Sample.of(seen, changed, strata)
    shares, correlation = sample.shares(), _correlation(seen, changed)
    mean, cover = np.zeros((len(weight), len(seen))), np.zeros((len(seen), len(seen)))
    sets = _sets(seen)
    for h, part in enumerate(weight):
        spread = np.sqrt(np.maximum(shares[h] - sample.difference[h] ** 2, shares[h] / 4))
        own = correlation * np.outer(spread, spread)
        mean[h], error = _least_squares(own, changed, [np.flatnonzero(s & (strata == h)) for s in sets[1]], sets[0])
        cover += part**2 * error
    drop = weight @ mean
    between = (mean - drop).T @ ((mean - drop) * weight[:, None]) / len(strata)
    cover += between
    raw = np.maximum(weight @ sample.discordant, np.abs(drop))
    usual = np.maximum(weight @ shares - drop**2, 1e-12)
    low, high = _intervals(drop, raw, usual / np.diag(cover))
    widened = (high - low) / (2 * Z95) / np.sqrt(np.diag(cover))
    return Estimate(
        100 * drop,
        100 * low,
        100 * high,
        1e4 * cover * np.outer(widened, widened),
        seen.sum(axis=1),
        (changed == 1).sum(axis=1),
        (changed == -1).sum(axis=1),
        weight @ shares,
    )


@dataclass(frozen=True)
class Sample:
    """What was counted per stratum and candidate, (H, K): images, share that changed sides, lost minus won."""

    images: FloatArray
    discordant: FloatArray
    difference: FloatArray

    @staticmethod
    def of(seen: BoolArray, changed: IntArray, strata: IntArray) -> Sample:
        """From arrays (K, M) and strata (M,)."""
        member = np.eye(int(strata.max()) + 1)[strata]  # (M, H)
        images = (seen @ member).T
        count = np.maximum(images, 1)
        return Sample(images, (np.abs(changed) @ member).T / count, (changed @ member).T / count)

    def shares(self) -> FloatArray:
        """Shares (H, K) of images that change sides, never zero.

        To each candidate's images comes one that changes sides as often as those of all candidates do; to these come
        one that changed and one that did not (the rule of succession), spread over the strata.
        """
        one = 1 / len(self.images)
        images = self.images.mean(axis=1)
        usual = ((self.images * self.discordant).mean(axis=1) + one) / (images + 2 * one)
        return np.asarray((self.images * self.discordant + usual[:, None]) / (self.images + 1))


def _correlation(seen: BoolArray, changed: IntArray) -> FloatArray:
    """Correlation (K, K) of the candidates' changes on the images they share, at most CLOSEST, positive definite."""
    both = changed.astype(np.float64)
    common = both @ both.T
    mine = (both**2) @ seen.T.astype(np.float64)  # changes of one on images of the other
    found = common / np.maximum(np.sqrt(mine * mine.T), 1.0)
    found = CLOSEST * np.clip(found, 0.0, 1.0)
    np.fill_diagonal(found, 1.0)
    values, vectors = np.linalg.eigh(found)
    found = (vectors * np.maximum(values, 1 - CLOSEST)) @ vectors.T
    scale = np.sqrt(np.diag(found))
    return np.asarray(found / np.outer(scale, scale))


def _sets(seen: BoolArray) -> tuple[list[IntArray], list[BoolArray]]:
    """The sets of candidates that were measured together, and of each the images (M,)."""
    code = (2 ** np.arange(len(seen))) @ seen
    found = [c for c in np.unique(code) if c]
    return [np.flatnonzero([c >> k & 1 for k in range(len(seen))]) for c in found], [code == c for c in found]


def _least_squares(
    own: FloatArray, changed: IntArray, images: list[IntArray], candidates: list[IntArray]
) -> tuple[FloatArray, FloatArray]:
    """Means (K,) and covariance (K, K) of one stratum, from sets of images and of candidates measured on them."""
    precision, pull = np.zeros_like(own), np.zeros(len(own))
    for places, who in zip(images, candidates, strict=True):
        if len(places):
            inverse = np.linalg.inv(own[np.ix_(who, who)])
            precision[np.ix_(who, who)] += len(places) * inverse
            pull[who] += inverse @ changed[np.ix_(who, places)].sum(axis=1)
    cover = np.linalg.inv(precision)
    return np.asarray(cover @ pull), np.asarray(cover)


def _intervals(drop: FloatArray, discordant: FloatArray, images: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Tango's intervals (K,) of shares lost minus won, for shares that change sides and effective numbers of images."""
    ends = [
        tango_interval(n * (q + d) / 2, n * (q - d) / 2, n)
        for d, q, n in zip(drop.tolist(), discordant.tolist(), images.tolist(), strict=True)
    ]
    return np.array([low for low, _ in ends]), np.array([high for _, high in ends])
