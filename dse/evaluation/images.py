"""The images of a data set by what they are for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sviT_models
from dse.evaluation.subsets import POOL


@dataclass(frozen=True)
class ImageSource:
    """A data set, how it is read, and how many of its images each purpose takes (None: the whole split, of the search
    POOL at most).

    name: of an embedded set, or a path; resolution: side in pixels, None for the set's own; max_corrupt: share of
    undecodable files that stops a run; seed: of the choice of images; batch_size: images evaluated at once.
    frames, binning: how events become frames.
    `images` (N, C, H, W) or (N, T, C, H, W) float32, `labels` (N,), `ids` and `sha256` are attributes of what is
    returned.
    """

    name: str
    resolution: int | None
    max_corrupt: float
    seed: int
    batch_size: int
    search_images: int | None
    verify_images: int | None
    calibration_images: int
    fisher_images: int
    frames: int = 4
    binning: str = "count"

    def load(self, split: str, count: int | None) -> Any:
        """Images of one split.  Raises ModelError for data that cannot be loaded."""
        return sviT_models.load_data(
            self.name,
            split,
            count=count,
            seed=self.seed,
            resolution=self.resolution,
            max_corrupt=self.max_corrupt,
            binning=sviT_models.Binning(self.frames, self.binning),
        )

    def at_most(self, split: str, count: int) -> Any:
        """Up to `count` images of one split, all of it where it has fewer."""
        try:
            return self.load(split, count)
        except sviT_models.ModelError:
            return self.load(split, None)  # raises again what is not about the number

    def for_search(self) -> Any:
        """The images on which designs are measured."""
        if self.search_images is None:
            return self.at_most("search", POOL)
        return self.load("search", self.search_images)

    def for_verification(self) -> Any:
        """The images that the search never sees; read once, as they are asked for at the door and at the end."""
        return self._unseen

    @cached_property
    def _unseen(self) -> Any:
        return self.load("verify", self.verify_images)

    def for_calibration(self) -> Any:
        """Unlabelled images that compensated rounding looks at."""
        return self.at_most("validation", self.calibration_images)

    def for_gradients(self) -> Any:
        """The images of the gradient sensitivity score."""
        return self.at_most("validation", self.fisher_images)
