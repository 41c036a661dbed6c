"""Every design on its own images: stratified subsets of a pool that take turns, and how many images each takes.

Many designs on few images each tell more of the layers than few designs on many images (docs/search.md).  The float
network is known on the whole pool; what a subset is worth follows from its margins, by which the pool is put into
strata (`dse/verification/strata.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dse.arrays import IntArray

POOL = 8000  # images of the search split that designs share where the configuration does not say how many
SMALL_POOL = 1000  # images; a pool of no more is measured whole: a hundred designs on it are a hundred thousand images
SUBSET_ERROR = 1.8  # standard error of one measured drop, in drop budgets
LEAST_SUBSET = 200  # images: fewer cost hypervolume at the same number of designs
FEWEST_IMAGES = 50  # of a subset, whatever is asked for
FEWEST_DESIGNS, MOST_DESIGNS = 60, 400  # between which a budget in images is shared out by the error of a drop
EVALUATIONS = 100  # designs where neither their number nor their images are limited


@dataclass(frozen=True)
class Share:
    """How many designs a search measures, and on how many images each."""

    designs: int
    each: int

    @property
    def images(self) -> int:
        """Of all designs together, where no evaluation is cut short."""
        return self.designs * self.each

    def record(self) -> dict[str, int]:
        """As JSON values, for the study."""
        return asdict(self)


def shared_out(
    pool: int, *, whole: bool, changed: float, budget: float, images: int | None, designs: int | None
) -> Share:
    """How a budget in images is shared out among designs.

    pool     images that designs are measured on
    whole    whether every design takes the whole pool where no budget in images is given
    changed  share of images that change their class by chaos alone
    budget   of the drop [percentage points]
    images   of all designs together; None: no such budget
    designs  how many to measure; None: as many as the images allow

    Without a budget in images, a design takes as many as bring the standard error of a measured drop to SUBSET_ERROR
    budgets, and the whole of a small pool.  A budget moves that so far that there are FEWEST_DESIGNS to MOST_DESIGNS.
    """
    usual = round(1e4 * changed / (SUBSET_ERROR * budget) ** 2)
    usual = max(usual, LEAST_SUBSET)
    if images is None:
        each = pool if whole or pool <= SMALL_POOL else usual
        return Share(designs or EVALUATIONS, min(each, pool))
    if designs is not None:
        return Share(designs, int(np.clip(images // designs, min(FEWEST_IMAGES, pool), pool)))
    each = int(np.clip(usual, images // MOST_DESIGNS, max(images // FEWEST_DESIGNS, FEWEST_IMAGES)))
    each = min(each, pool)
    return Share(max(images // each, 1), each)


def resumed(stored: Mapping[str, Any] | None, now: Share, images: int | None) -> Share:
    """The share of a study that goes on: its images per design stay, so that its measurements have one law.

    stored   what the study keeps; None: nothing
    now      the share without it
    images   the budget in images, which says how many designs there are then; None: as many as without it
    """
    if stored is None or stored["each"] == now.each:
        return now
    each = int(stored["each"])
    return Share(now.designs if images is None else max(images // each, 1), each)


@dataclass(frozen=True, eq=False)
class Subsets:
    """Stratified subsets of a pool that take turns: every image is used as often as any other, as far as it goes.

    strata: (M,) of the pool's images, from 0; size: images of a subset; seed: of the order.
    """

    strata: IntArray
    size: int
    seed: int

    def places(self, turn: int) -> IntArray:
        """Positions in the pool (size,) of the design with this turn; every prefix is stratified as well.

        In one pass through the pool, subsets have no image in common; every pass has an order of its own.
        """
        passes = len(self.strata) // self.size
        number, part = divmod(turn, passes)
        return self._order(number)[part * self.size : (part + 1) * self.size]

    def _order(self, number: int) -> IntArray:
        """The pool in the order of one pass: of each stratum, images follow each other at equal distances."""
        rng = np.random.default_rng([self.seed, number, 5])
        mixed = rng.permutation(len(self.strata))
        mixed = mixed[np.argsort(self.strata[mixed], kind="stable")]
        count = np.bincount(self.strata)
        place = np.arange(len(mixed)) - np.repeat(np.cumsum(count) - count, count)
        start = np.repeat(rng.random(len(count)), count)
        return np.asarray(mixed[np.argsort((place + start) / np.repeat(count, count), kind="stable")])
