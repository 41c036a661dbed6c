"""What a quantized network computes, defined so that the order of summation cannot matter.

Every sum is one of integers and therefore exact; what stands between two sums is done element by element in IEEE
arithmetic. So any kernel, thread count or batch split gives the same bits.

    weight      integer codes; codes beyond 8 bits are split into signed bytes, whose sums are joined from the top
    image       fixed point, 24 bits behind the point and 7 in front
    activation  that passes from one convolution to the next without a neuron: fixed point, 24 bits, with a power-of-two
                step that the weights alone decide and that no input can overflow
    constants   scales, biases and batch norms folded in float64; applied in float64, rounded once to float32
    membrane    float32, and the neurons of `sviT_models.network.neuron`
    token mean  of numbers with 24 bits behind the point
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.quantization.quantizers import FLOAT, QuantizedWeight

Floats = NDArray[np.float64]
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d

IMAGE_FRACTION = 24  # bits behind the binary point
IMAGE_RANGE = 2.0**7
ACTIVATION_BITS = 24
FLOAT_CODE_BITS = 23  # float weights become integers of this many bits and a power-of-two scale
TOKEN_FRACTION = 24


class Affine(NamedTuple):
    """What takes integer sums to membrane inputs, channel by channel: gain * sum + shift."""

    gain: Floats
    shift: Floats


@dataclass(frozen=True, eq=False)
class IntegerWeight:
    """A layer as integers: `digits`, signed bytes of its codes, lowest first; `scale` and `bias` (out,) in float64."""

    digits: tuple[Tensor, ...]
    scale: Floats
    bias: Floats

    def codes(self) -> NDArray[np.int64]:
        """The codes themselves, (out, inputs)."""
        found = np.zeros(self.digits[0].flatten(1).shape, np.int64)
        for place, digit in enumerate(self.digits):
            found += digit.flatten(1).numpy(force=True).astype(np.int64) << (8 * place)
        return found


def integer_weight(module: nn.Module, weight: QuantizedWeight) -> IntegerWeight:
    """The integers that stand for `weight` in `module`; float weights are rounded to 2^-22 of the channel's largest."""
    codes, scale = weight.codes, weight.scale.double()
    if weight.bits == FLOAT:
        peak = codes.double().flatten(1).abs().amax(1)
        scale = torch.exp2(torch.frexp(peak).exponent.double() - (FLOAT_CODE_BITS - 1))
        codes = torch.round(codes.double() / scale.view(-1, *[1] * (codes.ndim - 1)))
    return IntegerWeight(digits(codes), scale.numpy(force=True), weight.bias(module).double().numpy(force=True))


def digits(codes: Tensor) -> tuple[Tensor, ...]:
    """Signed bytes d_i with codes = d_0 + 256 d_1 + ..., as int8 tensors of the same shape."""
    if codes.dtype == torch.int8:
        return (codes,)
    left, found = codes.to(torch.int32), []
    while True:
        low = ((left + 128) & 255) - 128
        found.append(low.to(torch.int8))
        left = (left - low) >> 8
        if not left.any():
            return tuple(found)


def join(sums: Iterable[Tensor]) -> Tensor:
    """The sum over codes, from the sums over their digits, lowest first (float64); the last of them is overwritten."""
    *lower, total = sums
    for part in reversed(lower):
        total = total.mul_(256).add_(part)
    return total


def norm_constants(norm: Norm | nn.Identity) -> Affine:
    """Gain and shift of a batch norm in evaluation; of an identity 1 and 0."""
    if isinstance(norm, nn.Identity):
        return Affine(np.ones(()), np.zeros(()))
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias, mean, variance = (
        tensor.detach().double().numpy(force=True)
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    gain = weight / np.sqrt(variance + norm.eps)
    return Affine(gain, bias - mean * gain)


@dataclass(frozen=True, eq=False)
class HandOver:
    """How integer sums become the 24-bit integers that the next convolution sees: rint(gain * sum + shift), (C,).

    `step` is what one unit is worth; `largest` bounds the magnitude of the sums.
    """

    gain: Floats
    shift: Floats
    step: float
    largest: int


def extremes_of(
    codes: NDArray[np.int64], low: NDArray[np.int64] | int, high: NDArray[np.int64] | int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Least and largest sum of codes (out, inputs) times inputs between `low` and `high`, broadcastable to them."""
    positive, negative = np.maximum(codes, 0), np.minimum(codes, 0)
    return (positive * low + negative * high).sum(1), (positive * high + negative * low).sum(1)


def hand_over_of(gain: Floats, shift: Floats, low: NDArray[np.int64], high: NDArray[np.int64]) -> HandOver:
    """The rule for sums between `low` and `high`, (C,) each, that are worth gain * sum + shift."""
    largest = np.maximum(high, -low)
    bound = float((np.abs(gain) * largest + np.abs(shift)).max())
    step = float(np.exp2(np.frexp(bound)[1] - float(ACTIVATION_BITS - 1)))
    return HandOver(gain / step, shift / step, step, int(largest.max()))


def fixed_image(images: Tensor) -> Tensor:
    """Images in units of 2^-24 as int32. Raises ModelError for NaN and for values of 128 and beyond."""
    if not bool((images.abs() < IMAGE_RANGE).all()):
        raise ModelError(f"images hold NaN or values beyond +-{IMAGE_RANGE:.0f}; normalise them as in training")
    return images.to(torch.float64, copy=True).mul_(2.0**IMAGE_FRACTION).round_().to(torch.int32)


def fixed_activation(sums: Tensor, rule: HandOver) -> Tensor:
    """24-bit integers, as float64, of sums (..., C) in float64."""
    top = 2.0 ** (ACTIVATION_BITS - 1)
    gain, shift = (torch.from_numpy(np.asarray(part)).to(sums.device) for part in (rule.gain, rule.shift))
    return (sums * gain + shift).round().clamp(-top, top - 1)


def mean_of(numbers: Tensor, axes: Sequence[int], keep: bool, count: int) -> Tensor:
    """The sum over axes of numbers with 24 bits behind the point, divided by `count`; float32."""
    fixed = (numbers.double() * 2.0**TOKEN_FRACTION).round()
    total: Tensor = fixed.sum(tuple(axes), keep)
    return (total / (count * 2.0**TOKEN_FRACTION)).float()
