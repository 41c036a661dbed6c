"""The error that all measurements share because they use the same images and the same float network.

A drop is a paired difference: float network right minus design right. A network of spiking neurons is one draw of an
ensemble, as any small change of its weights changes some classes. So the float network scores too high or too low on
the images at hand, by the same amount in every difference. Two designs that do no harm share half of their variance;
no number of evaluations averages that half away, and on other images it is gone.

    measured = shared error + own + harm + noise
    unseen   =                own + harm

The shared error belongs to the search images. `own` is what the float network loses with any change, on all images.
Both exist for the drop in points and for the cross-entropy in nat. The chaos floor measures the shared part
(`sviT_models/measure/chaos_floor.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dse.arrays import FloatArray

if TYPE_CHECKING:
    from sviT_models import ChaosFloor

OWN_ERROR = (0.05, 0.01)  # of what every change costs on all images: points, nat
HALF_AN_IMAGE = (0.5 * 100.0**2, 0.5)  # squared points, and nat where it moves by one: no floor is zero on few images
SHARED_HARM = 0.4  # share of the images lost by one design that a design as harmful loses as well (benchmarks/noise.py)


@dataclass(frozen=True)
class SharedError:
    """The error that all measurements share on `images` search images.

    shared: (2, 2) covariance of the differences of two harmless designs per image, in points and nat;
    seen: (2,) mean difference of `copies` harmless designs on `seen_images` of the search images, each with the
    covariance `alone` (2, 2) per image of its own; no copies: nothing was seen.
    """

    shared: FloatArray
    images: float
    alone: FloatArray | None = None
    seen: FloatArray | None = None
    copies: int = 0
    seen_images: float = 0.0

    @staticmethod
    def none() -> SharedError:
        """Measurements without a common part: each on images of its own."""
        return SharedError(np.zeros((2, 2)), np.inf)

    @staticmethod
    def of(chaos: ChaosFloor, images: int) -> SharedError:
        """As the chaos floor on the first of `images` search images shows it."""
        seen = np.array([chaos.drop, chaos.nll - chaos.nll_clean])
        least = np.diag(HALF_AN_IMAGE) / chaos.images
        shared, alone = (_semidefinite(np.array(part)) + least for part in (chaos.shared, chaos.alone))
        return SharedError(shared, images, alone, seen, chaos.copies, chaos.images)

    @property
    def cover(self) -> FloatArray:
        """Covariance (2, 2) of the shared error on the search images."""
        return self.shared / self.images

    @property
    def harm(self) -> float:
        """Variance of the shared harm per point of drop, in points."""
        return 100 * SHARED_HARM / self.images

    @cached_property
    def prior(self) -> tuple[FloatArray, FloatArray]:
        """Mean (2,) and covariance (2, 2) of shared plus own error, given what was seen of harmless designs."""
        wide = self.cover + _own()
        if self.seen is None or self.alone is None or not self.copies:
            return np.zeros(2), wide
        around = self.shared / self.seen_images + _own() + self.alone / (self.copies * self.seen_images)
        gain = wide @ np.linalg.pinv(around)
        return gain @ self.seen, wide - gain @ wide.T

    @cached_property
    def unseen(self) -> tuple[FloatArray, float]:
        """Of shared plus own error, the part (2,) that is the drop on other images, and its remaining variance."""
        gain = _own() @ np.linalg.inv(self.cover + _own())
        return gain[0], float((_own() - gain @ _own())[0, 0])


def assumed(
    drop: FloatArray, variance: FloatArray, nll: FloatArray, correlation: FloatArray, images: float
) -> SharedError:
    """The shared error where no harmless design was measured: half the covariance of the quarter with the least drop.

    Arrays (N,): drop, and variances per image of drop and cross-entropy, NaN where unknown, with their correlation.
    """
    if not len(drop):
        return SharedError(np.zeros((2, 2)), images)
    least = np.argsort(drop, kind="stable")[: max(len(drop) // 4, 1)]
    first, second = float(variance[least].mean()), float(np.nan_to_num(nll[least]).mean())
    mixed = float(correlation[least].mean()) * np.sqrt(first * second)
    return SharedError(0.5 * np.array([[first, mixed], [mixed, second]]), images)


def _semidefinite(cover: FloatArray) -> FloatArray:
    """The nearest covariance: an estimate as a difference may have a negative eigenvalue."""
    values, vectors = np.linalg.eigh(cover)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def _own() -> FloatArray:
    return np.diag(np.square(OWN_ERROR))
