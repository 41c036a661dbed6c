"""The integers that a quantized network runs on: fixed-point formats, multipliers and shifts, as pure functions.

docs/integer-network.md defines the arithmetic; `fixed_point.planner` makes these constants for a whole network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.errors import ModelError
from sviT_models.graph.neurons import LEAK_BITS, SpikingLaw

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

WIDTHS = range(4, 17)  # of membrane potentials and activations
IMAGE_BITS = 8
MULTIPLIER_BITS = 15  # magnitude; fewer where the product would leave 52 bits
LARGEST_SHIFT = 40
EXACT = 2**53  # float64 holds integers up to here, so that the engine may compute with them
GUARD = 4  # places of a membrane input behind the last place of the potential; they cost no memory
MARGIN = 2  # an input wider than its potential by this and by GUARD is never clipped to effect, at least
EXPONENTS = range(-12, 13)  # of the ranges that are considered for a tensor


class Factors(NamedTuple):
    """A rescaling in float64, which holds all of it exactly: multiplier, offset and 2^-right (C,), and the range."""

    multiplier: Floats
    offset: Floats
    share: Floats
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Rescale:
    """How sums become numbers of another step: clip((sums * multiplier + offset) >> right, low, high).

    `multiplier`, `offset` and `right` are (C,) or (1,); half of the last place is part of `offset`, so that ties round
    up. One unit of the result is worth 2^-fraction.
    """

    multiplier: Integers
    offset: Integers
    right: Integers
    low: int
    high: int
    fraction: int

    def factors(self, channels: int) -> Factors:
        """The constants of so many channels."""
        a, b, c = (part if len(part) >= channels else np.full(channels, part[0]) for part in self._floats)
        return Factors(a, b, c, float(self.low), float(self.high))

    @cached_property
    def _floats(self) -> tuple[Floats, Floats, Floats]:
        return (
            self.multiplier.astype(np.float64),
            self.offset.astype(np.float64),
            np.asarray(0.5**self.right, np.float64),
        )

    def scaled(self, sums: Tensor) -> Tensor:
        """(sums * multiplier + offset) >> right of sums (..., C), not yet clipped; float64 holding integers."""
        multiplier, offset, share = (torch.from_numpy(part).to(sums.device) for part in self._floats)
        return torch.floor((sums.double() * multiplier + offset) * share)

    def of(self, sums: Tensor) -> Tensor:
        """Sums (..., C) through the rule; float64 holding integers."""
        return self.scaled(sums).clamp(self.low, self.high)


@dataclass(frozen=True)
class Leak:
    """What a step leaves of a potential and takes of an input: `kept` and `taken`, both in units of 2^-shift."""

    kept: int
    taken: int
    shift: int


@dataclass(frozen=True)
class State:
    """A layer of spiking neurons: potentials of `bits` bits in units of 2^-fraction, and the threshold in these units.

    Its input counts in units of 2^-(fraction + GUARD). `strict` neurons fire above the threshold only, those that
    `subtract` are reset by it and not to zero, and `delayed` ones in the step after.
    """

    bits: int
    fraction: int
    threshold: int
    leak: Leak = Leak(1, 1, 1)
    strict: bool = False
    subtract: bool = False
    delayed: bool = False

    @property
    def input_fraction(self) -> int:
        """Binary places of the input."""
        return self.fraction + GUARD

    @property
    def input_bits(self) -> int:
        """Width of an input that is never clipped to effect: it drives any potential to either end in one step."""
        reach = (2**self.leak.shift + self.leak.kept) / self.leak.taken
        if self.delayed and self.subtract:
            reach += 2**self.leak.shift / self.leak.taken
        return self.bits + GUARD + max(MARGIN, int(np.ceil(np.log2(reach))))

    @property
    def common(self) -> bool:
        """Whether it is the neuron of most published networks: half of potential and input, reset to zero at once."""
        return self == State(self.bits, self.fraction, self.threshold)


def leak_of(law: SpikingLaw) -> Leak:
    """The shares of potential and input in 15 bits, fewer where they are binary fractions. Raises ModelError for none.

    law  the neurons
    """
    one = 2**LEAK_BITS
    if law.tau is None:
        kept, taken = round((law.beta or 0.0) * one), one
    elif law.decay_input:
        taken = round(one / law.tau)
        kept = one - taken
    else:
        kept, taken = round(one * (1 - 1 / law.tau)), one
    if not taken:
        raise ModelError(f"tau is {law.tau:g}: an input that decays with it is nothing in {LEAK_BITS} bits")
    shift = LEAK_BITS
    while shift and not (kept | taken) & 1:
        kept, taken, shift = kept >> 1, taken >> 1, shift - 1
    return Leak(kept, taken, shift)


def state_of(law: SpikingLaw, bits: int, fraction: int) -> State:
    """The neurons with potentials of `bits` bits in units of 2^-fraction. Raises ModelError as `leak_of`."""
    threshold = max(1, round(law.threshold * 2.0**fraction))
    strict, subtract = law.fires_at == ">", law.reset == "subtract"
    return State(bits, fraction, threshold, leak_of(law), strict, subtract, law.delayed)


@dataclass(frozen=True)
class Curve:
    """What clipping a tensor at +-2^e costs: mean squared error by exponent e, ascending."""

    errors: tuple[tuple[int, float], ...]

    def exponent(self, bits: int) -> int:
        """The e for which clipping and rounding to a step of 2^(e - bits + 1) cost least together."""
        return min(self.errors, key=lambda pair: (pair[1] + 4.0 ** (pair[0] - bits + 1) / 12, pair[0]))[0]


def curve(values: Floats, exponents: Sequence[int] = EXPONENTS) -> Curve:
    """The Curve of the magnitudes of `values`."""
    return Curve(tuple((e, float(np.square(np.maximum(values - 2.0**e, 0)).mean())) for e in exponents))


def bounds(bits: int) -> tuple[int, int]:
    """Least and largest signed integer of a width."""
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def rescale(gain: Floats, shift: Floats, fraction: int, bits: int, largest: int, name: str) -> Rescale:
    """The multiply-shift nearest to gain * sums + shift, both (C,), in units of 2^-fraction and `bits` bits wide.

    `largest` bounds the magnitude of the sums. Raises ModelError, naming `name`, for constants that are not finite or
    too large for the arithmetic.
    """
    gain, shift = (np.atleast_1d(np.asarray(part, np.float64)) * 2.0**fraction for part in (gain, shift))
    if not (np.isfinite(gain).all() and np.isfinite(shift).all()):
        raise ModelError(f"{name}: its constants are NaN or infinite; the batch norm or the weights are damaged")
    width = min(MULTIPLIER_BITS, 51 - largest.bit_length())
    room = 50 - np.frexp(shift)[1]
    mantissa, exponent = np.frexp(gain)
    exponent = exponent + (np.rint(np.abs(mantissa) * 2.0**width) == 2.0**width)  # rounds up to one bit more
    right = np.clip(np.minimum(width - exponent, room), 0, LARGEST_SHIFT).astype(np.int64)
    multiplier, offset = np.rint(gain * 2.0**right), np.rint(shift * 2.0**right)
    if largest * np.abs(multiplier).max() + np.abs(offset).max() >= EXACT / 2:
        raise ModelError(
            f"{name}: gain {np.abs(gain).max():.3g} and offset {np.abs(shift).max():.3g} in steps of 2^-{fraction} "
            "leave the 53 bits of the arithmetic; its batch norm has no variance, or the width is too large"
        )
    half = np.where(right > 0, 2 ** np.maximum(right - 1, 0), 0)
    return Rescale(multiplier.astype(np.int64), offset.astype(np.int64) + half, right, *bounds(bits), fraction)


def right_shift(largest: int, bits: int) -> Rescale:
    """The rounding right shift after which magnitudes up to `largest` have `bits` bits."""
    right = max(0, int(largest).bit_length() - (bits - 1))
    one = np.ones(1, np.int64)
    return Rescale(one, one * (2 ** (right - 1) if right else 0), one * right, *bounds(bits), -right)


def extremes(codes: Integers, low: int, high: int) -> tuple[int, int]:
    """Least and largest sum of codes (out, inputs) times integers between `low` and `high`, 0 among them."""
    positive, negative = np.maximum(codes, 0).sum(1), np.minimum(codes, 0).sum(1)
    return int((positive * low + negative * high).min()), int((positive * high + negative * low).max())


def signed_bits(low: int, high: int) -> int:
    """The width of a signed integer that holds both."""
    return 1 + max(max(int(high), 0).bit_length(), (-int(low) - 1).bit_length() if low < 0 else 0)


def widths_of(
    given: int | Mapping[str, int] | Sequence[int], names: Sequence[str], what: str, default: int | None = None
) -> dict[str, int]:
    """A width of `WIDTHS` for each of `names` from one number, a mapping, or a sequence in their order.

    What a mapping lacks has the width `default`. Raises ModelError for unknown or missing names and other widths.
    """
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in set(names)]
        if unknown:
            raise ModelError(f"{what}: no {unknown[0]!r} in this network")
        found: dict[str, int | None] = {name: given.get(name, default) for name in names}
        if missing := [name for name, bits in found.items() if bits is None]:
            raise ModelError(f"{what}: no width for {missing[0]} and {len(missing) - 1} more; give all {len(names)}")
    else:
        listed = list(given) if isinstance(given, Sequence | np.ndarray) else [given] * len(names)
        if len(listed) != len(names):
            raise ModelError(f"{what}: {len(listed)} widths for {len(names)} layers")
        found = dict(zip(names, listed, strict=True))
    for name, bits in found.items():
        if bits is None or isinstance(bits, bool) or int(bits) != bits or bits not in WIDTHS:
            raise ModelError(f"{what}: {name} has width {bits!r}; expected {WIDTHS[0]} to {WIDTHS[-1]} bits")
    return {name: int(bits) for name, bits in found.items() if bits is not None}
