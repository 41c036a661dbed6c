"""Sums that are computed where they are consumed, a strip at a time, so that they never leave the processor's cache.

A convolution writes four bytes per spike that its neurons emit later. Written as a whole, these sums are most of the
traffic of a forward pass and most of the pages that the operating system has to hand out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sviT_models.engine.convolution import Geometry
from sviT_models.engine.prepared_weights import LayerKernels, Prepared

Array = NDArray[Any]
STRIP = 2**22  # bytes of sums that are held at once, about; a core's second cache is of this order


@dataclass(frozen=True, eq=False)
class Later:
    """The sums (T, B, H', W', out) of a layer over `x` (P, T, B, H, W, in): spikes, P = 1, or `raised` bytes."""

    layer: Prepared
    kernels: LayerKernels[Array]
    x: Array
    raised: bool = False  # whether x are the bytes of integers plus 2^(8 P - 1), lowest first
    at_once: int = STRIP  # bytes of sums of one strip, where one row is not more

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """(T, B, H', W', out)."""
        _, steps, images, height, width, _ = self.x.shape
        return (steps, images, *self.layer.output(height, width), len(self.layer.totals[0]))

    @cached_property
    def strip(self) -> tuple[int, int]:
        """Images and rows of one strip; several images only with all their rows, and then rows divide the height."""
        steps, images, height, width, channels = self.shape
        row = 4 * len(self.x) * self._digits * steps * width * channels
        if row * height <= self.at_once:
            return min(images, self.at_once // (row * height)), height
        fitting = (rows for rows in range(height, 0, -1) if height % rows == 0 and row * rows <= self.at_once)
        return 1, next(fitting, 1)

    @cached_property
    def _digits(self) -> int:
        """Digits of the weight whose sums may stay apart: over spikes they add up like those of bytes."""
        summands = [len(digit) for digit in self.layer.packed]
        return len(summands) if not self.raised and set(summands) == {1} else 1

    def parts(self, apart: bool = True) -> Iterator[tuple[int, Array, Array]]:
        """Strips: number of positions before it, sums (P', T, b, h, W', out) and what to take from them (out,).

        Those of the input's bytes or, unless `apart` is False, of the weight's digits, lowest first, in float32; else
        they are complete.
        """
        _, images, height, width, _ = self.shape
        together, rows = self.strip
        for image in range(0, images, together):
            for row in range(0, height, rows):
                seen = self.x[:, :, image : image + together]
                geometry = self.layer.geometry
                if rows < height:
                    seen, geometry = geometry.rows(seen, self.layer.kernel, row, rows)
                yield (image * height + row) * width, *self._sums(seen, geometry, apart)

    def whole(self) -> Array:
        """All sums at once."""
        return (
            self.layer.on_bytes(self.kernels, self.x) if self.raised else self.layer.on_spikes(self.kernels, self.x)[0]
        )

    @cached_property
    def _nothing(self) -> Array:
        return np.zeros(self.shape[-1])

    def _sums(self, seen: Array, geometry: Geometry, apart: bool) -> tuple[Array, Array]:
        if apart and self._digits > 1:
            digits = (self.kernels.conv(seen, digit, geometry) for (digit,) in self.layer.packed)
            return np.concatenate(list(digits)), self._nothing
        if not self.raised:
            return self.layer.on_spikes(self.kernels, seen, geometry), self._nothing
        if self.layer.single:
            return self.layer.on_spikes(self.kernels, seen, geometry), self.layer.totals[0] * 2.0 ** (8 * len(seen) - 1)
        return self.layer.on_bytes(self.kernels, seen, geometry)[None], self._nothing
