"""Quantizers: float weights to integer codes and scales, as pure functions.

A quantized weight is `codes * scale`, with one scale per output channel or per layer. The codes of b bits are

    1 bit        -1, 1
    2 bits       -3, -1, 1, 3 ("four", half the step between neighbours) or -1, 0, 1 ("ternary")
    3 to 16      -(2^(b-1) - 1) ... 2^(b-1) - 1, symmetric, so that negation is free on a chip
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError

WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 16, 32)
FLOAT = 32
GRANULARITIES = ("channel", "tensor")
CLIPS = ("mse", "max", "percentile")
SCALES = ("free", "power_of_two")
ROUNDINGS = ("nearest", "truncate", "stochastic")
TWO_BIT = ("four", "ternary")
PERCENTILE = 0.999
SMALLEST = 1e-30  # rows without a larger weight count as zero: their scale would leave the range of float32
RATIOS = 40  # clip candidates, as shares of the largest weight
CACHED = 1 << 16  # weights times candidates that are rounded at once: few passes, all of them within a core's cache


@dataclass(frozen=True)
class Scheme:
    """How weights are rounded; the same for all layers of a bank.

    Raises ModelError for an option that does not exist.
    """

    granularity: str = "channel"
    clip: str = "mse"
    scale: str = "free"
    rounding: str = "nearest"
    two_bit: str = "four"

    def __post_init__(self) -> None:
        options = {
            "granularity": GRANULARITIES,
            "clip": CLIPS,
            "scale": SCALES,
            "rounding": ROUNDINGS,
            "two_bit": TWO_BIT,
        }
        for key, known in options.items():
            if getattr(self, key) not in known:
                raise ModelError(f"quantization.{key} is {getattr(self, key)!r}; expected one of {', '.join(known)}")


@dataclass(frozen=True, eq=False)
class QuantizedWeight:
    """A layer's weights at one width: `codes` (weight's shape, int8 or int16) times `scale` (out_channels,) float32.

    `shift` (out_channels,) float32 is added to the layer's bias: it takes out the mean error that rounding leaves in
    the outputs, and is zero for methods that do not correct it. A chip folds it into the constants it stores anyway.
    At 32 bits `codes` are the float weights themselves, the scales are 1 and the shifts 0.
    """

    codes: Tensor
    scale: Tensor
    bits: int
    shift: Tensor

    def dequantized(self) -> Tensor:
        """The weights as float32, in the layer's shape."""
        return self.codes.float() * _wide(self.scale, self.codes)

    @property
    def nbytes(self) -> int:
        """Memory held by codes, scales and shifts [B]."""
        return int(self.codes.nbytes + self.scale.nbytes + self.shift.nbytes)

    def bias(self, module: nn.Module) -> Tensor:
        """What is added to the scaled sums of `module` at this width: its own bias, if any, plus `shift`, float32."""
        own = module.bias
        return self.shift if own is None else torch.as_tensor(own).detach().float() + self.shift


def _wide(scale: Tensor, weight: Tensor) -> Tensor:
    return scale.view(-1, *[1] * (weight.ndim - 1))


def largest_code(bits: int, two_bit: str = "four") -> int:
    """The largest code of a width: 1, 3 or 1 (two bits as four levels or ternary), 3, 7, ... 32767."""
    if bits == 1:
        return 1
    if bits == 2:
        return 3 if two_bit == "four" else 1
    return (1 << (bits - 1)) - 1


def _odd(bits: int, two_bit: str) -> bool:
    """Whether only odd codes exist."""
    return bits == 1 or (bits == 2 and two_bit == "four")


def round_codes(
    scaled: Tensor, bits: int, *, two_bit: str = "four", rounding: str = "nearest", noise: Tensor | None = None
) -> Tensor:
    """Codes, as floats, of weights already divided by their scale; same shape.

    Odd codes are even steps around zero, so they are found on a grid of half the step, shifted by one half. `noise`
    in [0, 1) decides stochastic rounding.
    """
    top = largest_code(bits, two_bit)
    odd = _odd(bits, two_bit)
    grid = (scaled - 1) / 2 if odd else scaled
    if rounding == "nearest":
        grid = torch.round(grid)
    elif rounding == "truncate":
        # towards zero; among odd codes there is no zero, so towards the smaller magnitude
        grid = torch.where(scaled < 0, torch.ceil(grid), torch.floor(grid))
        if odd:
            grid = torch.where((scaled > -1) & (scaled < 1), torch.where(scaled < 0, -1.0, 0.0), grid)
    else:
        if noise is None:
            raise ModelError("stochastic rounding needs a random generator; pass rng")
        grid = torch.floor(grid + noise)
    codes = 2 * grid + 1 if odd else grid
    return codes.clamp(-top, top)


@dataclass(frozen=True)
class Nearest:
    """Rounding to the nearest code of a width, as a function of weights divided by their scale."""

    bits: int
    two_bit: str = "four"

    @property
    def top(self) -> int:
        """The largest code."""
        return largest_code(self.bits, self.two_bit)

    @property
    def odd(self) -> bool:
        """Whether only odd codes exist."""
        return _odd(self.bits, self.two_bit)

    def __call__(self, scaled: Tensor) -> Tensor:
        """Codes as floats, same shape."""
        return round_codes(scaled, self.bits, two_bit=self.two_bit)


def quantize_weight(
    weight: Tensor,
    bits: int,
    *,
    granularity: str = "channel",
    clip: str = "mse",
    scale: str = "free",
    rounding: str = "nearest",
    two_bit: str = "four",
    rng: torch.Generator | None = None,
) -> QuantizedWeight:
    """A weight (out_channels, ...) at a width of `WIDTHS`.

    weight       (out_channels, ...) floats
    bits         the width [bit]
    granularity  one scale per `channel` or per `tensor`
    rounding     `nearest`, `truncate` (towards zero) or `stochastic`
    two_bit      levels at 2 bits: `four`, or `ternary` (-1, 0, 1)
    rng          random generator of stochastic rounding

    `clip` chooses the largest representable weight: `mse` the one with the least squared error, `max` the largest
    weight, `percentile` the 99.9th percentile of the magnitudes. `scale` may be restricted to powers of two (a shift).
    An output channel without weights other than zero keeps scale 1 and the code nearest to zero.
    Raises ModelError for a width or an option that does not exist, and for NaN or infinite weights.
    """
    scheme = Scheme(granularity, clip, scale, rounding, two_bit)
    if bits not in WIDTHS:
        raise ModelError(f"weight width {bits!r} does not exist; choose from {', '.join(map(str, WIDTHS))}")
    if not torch.isfinite(weight).all():
        raise ModelError("weights contain NaN or infinity and cannot be quantized")
    flat = weight.detach().float().flatten(1)
    if bits == FLOAT:
        return QuantizedWeight(weight.detach().float().clone(), torch.ones(len(weight)), bits, torch.zeros(len(weight)))
    rows = flat.reshape(1, -1) if scheme.granularity == "tensor" else flat
    noise = None
    if scheme.rounding == "stochastic":
        noise = torch.rand(rows.shape, generator=rng) if rng is not None else None

    def rounded(step: Tensor) -> Tensor:
        return round_codes(rows / step[..., None], bits, two_bit=scheme.two_bit, rounding=scheme.rounding, noise=noise)

    step = _steps(rows, bits, scheme, rounded)
    codes = rounded(step).to(torch.int8 if bits <= 8 else torch.int16)
    step = step.expand(len(weight)) if scheme.granularity == "tensor" else step
    return QuantizedWeight(codes.reshape(weight.shape).contiguous(), step.contiguous(), bits, torch.zeros(len(weight)))


def _steps(rows: Tensor, bits: int, scheme: Scheme, rounded: Callable[[Tensor], Tensor]) -> Tensor:
    """The scale of every row (R, n) -> (R,)."""
    top = largest_code(bits, scheme.two_bit)
    peak = rows.abs().amax(1)
    dead = peak < SMALLEST
    peak = torch.where(dead, torch.ones_like(peak) * top, peak)
    if scheme.clip == "max":
        step = peak / top
    elif scheme.clip == "percentile":
        high = rows.abs().kthvalue(max(1, round(PERCENTILE * rows.shape[1])), dim=1).values
        step = torch.where(high > 0, high, peak) / top
    else:
        step = _least_error(rows, peak / top, bits, rounded)
    if scheme.scale == "power_of_two":
        low = torch.exp2(torch.floor(torch.log2(step)))
        better = _error(rows, 2 * low, rounded) < _error(rows, low, rounded)
        step = torch.where(better, 2 * low, low)
    return torch.where(dead, torch.ones_like(step), step)


def _error(rows: Tensor, step: Tensor, rounded: Callable[[Tensor], Tensor]) -> Tensor:
    """Squared error of every row (R, n) at steps (..., R), (..., R)."""
    return rounded(step).mul_(step[..., None]).sub_(rows).square_().sum(-1)


def _least_error(rows: Tensor, widest: Tensor, bits: int, rounded: Callable[[Tensor], Tensor]) -> Tensor:
    """The step with the least squared error among shares of the widest, then refitted to its own codes.

    Given codes, the best step is <w, codes> / <codes, codes>; rounding again with it can only lower the error.
    """
    lowest = 0.1 if bits <= 3 else 0.4
    shares = torch.cat([torch.ones(1), torch.linspace(lowest, 1.0, RATIOS)[:-1]])  # the widest wins among equals
    steps = widest * shares.to(widest)[:, None]
    errors = torch.cat([_error(rows, part, rounded) for part in steps.split(max(1, CACHED // rows.numel()))])
    least, place = errors.min(0)
    best = steps.gather(0, place[None])[0]
    for _ in range(3):
        codes = rounded(best)
        power = codes.square().sum(1)
        step = torch.where(power > 0, (rows * codes).sum(1) / power.clamp(min=1), best)
        step = torch.where(step > 0, step, best)
        error = _error(rows, step, rounded)
        best = torch.where(error < least, step, best)
        least = torch.minimum(error, least)
    return best
