"""What running a network on images gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Output:
    """`logits` (N, classes) float32 and `spikes` (LIF layers, T) int64, summed over the N images and all neurons."""

    logits: NDArray[np.float32]
    spikes: NDArray[np.int64]
