"""What the definition holds between two operations: integers, exact sums of a layer, and numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.engine.arithmetic import Floats
from sviT_models.graph.graph import Node

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Codes:
    """Integers, float64, that count in units of `step`; bounded by `low` and `high`.

    `known` says that the step does not depend on the weights, so that two such steps can be compared.
    """

    integers: Tensor
    step: float
    low: int
    high: int
    known: bool = True


@dataclass(frozen=True, eq=False)
class Sums:
    """A layer's exact sums, float64: worth gain * sum + shift, (C,) each, along `axis`; bounded by `low` and `high`.

    `unshifted` says that the layer has no bias and that no norm has been applied: zeros stay zeros.
    """

    sums: Tensor
    gain: Floats
    shift: Floats
    axis: int
    low: Integers
    high: Integers
    unshifted: bool = False

    def wide(self, constants: Floats) -> Tensor:
        """Constants of the channels, to be multiplied with the sums."""
        shape = [1] * self.sums.ndim
        shape[self.axis] = -1
        return torch.from_numpy(np.broadcast_to(constants, self.low.shape).copy()).to(self.sums.device).view(shape)


Value = Codes | Sums | Tensor


def finished(value: Value) -> Tensor:
    """A value as float32 numbers; float64 ones, which are logits, stay."""
    if isinstance(value, Codes):
        return (value.integers * value.step).float()
    if isinstance(value, Sums):
        return (value.sums * value.wide(value.gain) + value.wide(value.shift)).float()
    return value


def keeps_zeros(node: Node, value: Sums) -> bool:
    """Whether a padding of sums is one of zeros."""
    return value.unshifted and not node.attributes["value"]
