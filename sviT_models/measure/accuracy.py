"""Accuracy with its uncertainty: what can be said of a quantized network next to its float self on the same images.

Arrays in, numbers out: logits are (N, classes), labels (N,) integers, `correct` arrays (N,) booleans.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]
Z95 = 1.959963984540054  # scipy.special.ndtri(0.975); importing scipy takes longer than most commands


@dataclass(frozen=True)
class PairedDrop:
    """Accuracy lost on the same images, in percentage points: the estimate, its 95 % interval and standard error.

    `lost` images were right and are wrong, `won` images were wrong and are right, of `images`.
    """

    drop: float
    low: float
    high: float
    stderr: float
    lost: int
    won: int
    images: int


def correct(logits: Floats, labels: Labels) -> NDArray[np.bool_]:
    """Which images get the right class (N,); a tie goes to the lower class, as argmax does."""
    return np.asarray(logits.argmax(1) == labels)


def top1(logits: Floats, labels: Labels) -> tuple[float, float]:
    """Share of images with the right class, and its binomial standard error sqrt(p (1 - p) / N)."""
    share = float(correct(logits, labels).mean())
    return share, float(np.sqrt(share * (1 - share) / len(labels)))


def share_interval(share: float, images: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `images` that was measured (Wilson 1927).

    It equals scipy's `binomtest(...).proportion_ci(method="wilson")`, whose import takes longer than most commands.
    """
    p, square = round(share * images) / images, Z95 * Z95
    centre = p + square / (2 * images)
    reach = Z95 * float(np.sqrt(p * (1 - p) / images + square / (4 * images * images)))
    return max(0.0, (centre - reach) / (1 + square / images)), min(1.0, (centre + reach) / (1 + square / images))


def normal_cdf(z: ArrayLike) -> NDArray[np.float64]:
    """P(Z <= z) of a standard normal Z, elementwise; scipy's `ndtr`, whose import takes longer than most commands."""
    tails = np.vectorize(math.erfc, otypes=[np.float64])(-np.asarray(z, dtype=np.float64) / math.sqrt(2))
    return np.asarray(tails / 2, dtype=np.float64)


def topk(logits: Floats, labels: Labels, k: int) -> float:
    """Share of images whose class is among the k largest logits; a tie with the k-th counts as a hit."""
    kth = np.partition(logits, -k, axis=1)[:, -k]
    return float((logits[np.arange(len(labels)), labels] >= kth).mean())


def per_class(logits: Floats, labels: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Right answers and images of every class, both (classes,)."""
    classes = logits.shape[1]
    hits = np.bincount(labels[correct(logits, labels)], minlength=classes)
    return hits, np.bincount(labels, minlength=classes)


def paired_drop(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> PairedDrop:
    """Accuracy lost from `before` to `after` on the same images.

    The interval is Tango's score interval for paired proportions (Statistics in Medicine 17, 1998, eq. 8 to 10): only
    images that change sides carry information, and it keeps a width when none does. The standard error is that of
    McNemar's estimate, sqrt(lost + won - (lost - won)^2 / N) / N, with half an image added to each side so that it
    is never zero.
    """
    images = len(before)
    lost = int((before & ~after).sum())
    won = int((~before & after).sum())
    low, high = tango_interval(lost, won, images)
    b, c = lost + 0.5, won + 0.5
    stderr = float(np.sqrt(b + c - (b - c) ** 2 / images) / images)
    return PairedDrop(100 * (lost - won) / images, 100 * low, 100 * high, 100 * stderr, lost, won, images)


def tango_interval(lost: float, won: float, images: float, z: float = Z95) -> tuple[float, float]:
    """Score interval of (lost - won) / images, the difference of two paired proportions, in [-1, 1].

    The ends are where |estimate - difference| equals z standard errors, those of the likeliest nuisance parameter
    under that difference.
    """
    from scipy.optimize import brentq

    estimate = (lost - won) / images

    def excess(difference: float) -> float:
        a = 2.0 * images
        b = -lost - won + (2.0 * images - lost + won) * difference
        c = -won * difference * (1.0 - difference)
        shared = (np.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = images * max(2 * shared + difference * (1 - difference), 0.0)
        return float((lost - won - images * difference) ** 2 - z * z * variance)

    nudge = 1e-9  # without discordant images the estimate itself is a root, but not an end
    low = -1.0 if excess(-1.0) <= 0 else brentq(excess, -1.0, estimate - nudge, xtol=1e-12)
    high = 1.0 if excess(1.0) <= 0 else brentq(excess, estimate + nudge, 1.0, xtol=1e-12)
    return float(low), float(high)


def kl(reference: Floats, logits: Floats) -> float:
    """Mean Kullback-Leibler divergence from the reference's class probabilities to the other's [nat]."""
    from scipy.special import log_softmax

    p, q = log_softmax(reference, axis=1), log_softmax(logits, axis=1)
    return float((np.exp(p) * (p - q)).sum(1).mean())


def logit_distance(reference: Floats, logits: Floats) -> float:
    """Squared distance of the logits, summed over classes, mean over images."""
    return float(((reference - logits) ** 2).sum(1).mean())


def nll_per_image(logits: Floats, labels: Labels) -> NDArray[np.float64]:
    """Negative log-likelihood of every label [nat], (N,)."""
    from scipy.special import log_softmax

    return np.asarray(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels], dtype=np.float64)


def correlation(first: Floats, second: Floats) -> float:
    """Pearson's correlation of two quantities over the images, (N,) each; 0 where either does not vary."""
    apart = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((apart[0] ** 2).sum() * (apart[1] ** 2).sum()))
    return float((apart[0] * apart[1]).sum() / scale) if scale > 0 else 0.0
