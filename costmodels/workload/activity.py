"""The activity of a network: what its neurons emit and what the rows of the layer table read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Index = int | slice | tuple[np.intp | NDArray[np.intp], ...]


@dataclass(frozen=True, eq=False)
class Activity:
    """Counts per image, summed over time steps, each (..., R) for the R rows of a layer table.

    spikes       non-zero elements of the row's input
    lif_spikes   spikes that the row's own LIF layers emit
    synops       synaptic operations
    """

    spikes: FloatArray
    lif_spikes: FloatArray
    synops: FloatArray

    @property
    def shape(self) -> tuple[int, ...]:
        """The batch axes (...); () for one activity."""
        return self.synops.shape[:-1]

    def __getitem__(self, index: Index) -> Activity:
        """The activities at an index of the batch axes."""
        return self._each(lambda values: values[index])

    def broadcast(self, shape: tuple[int, ...]) -> Activity:
        """The same activity with other batch axes, as views."""
        return self._each(lambda values: np.broadcast_to(values, (*shape, values.shape[-1])))

    def flat(self) -> Activity:
        """The same activity with one batch axis."""
        return self._each(lambda values: values.reshape(-1, values.shape[-1]))

    def _each(self, change: Callable[[FloatArray], FloatArray]) -> Activity:
        return Activity(change(self.spikes), change(self.lif_spikes), change(self.synops))
