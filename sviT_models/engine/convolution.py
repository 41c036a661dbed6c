"""The shape of a convolution as the engine sees it, and the bound under which float32 sums of integers are exact."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

EXACT_FLOAT32 = 2**24  # the significand of float32 has 24 bits


@dataclass(frozen=True)
class Geometry:
    """Stride, padding and groups of a square convolution.

    `inside` says that the input holds the rows above and below, as that of a strip does: only columns are padded.
    """

    stride: int = 1
    padding: int = 0
    groups: int = 1
    inside: bool = False

    @property
    def sides(self) -> tuple[int, int]:
        """Padding of rows and of columns."""
        return 0 if self.inside else self.padding, self.padding

    def rows(self, x: np.ndarray, kernel: int, first: int, count: int) -> tuple[np.ndarray, Geometry]:
        """What `count` rows of the output from row `first` see of x (..., H, W, C), and the geometry to use there."""
        *leading, height, width, channels = x.shape
        top = first * self.stride - self.padding
        bottom = top + (count - 1) * self.stride + kernel
        seen = x[..., max(top, 0) : min(bottom, height), :, :]
        if top < 0 or bottom > height:
            inside, seen = seen, np.zeros((*leading, bottom - top, width, channels), x.dtype)
            seen[..., max(-top, 0) : max(-top, 0) + inside.shape[-3], :, :] = inside
        return seen, replace(self, inside=True)
