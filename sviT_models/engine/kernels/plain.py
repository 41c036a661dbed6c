"""The operations in plain torch: slow, for any device, and what the fast ones have to equal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sviT_models.engine.arithmetic import Affine, Floats, HandOver, fixed_activation
from sviT_models.engine.convolution import Geometry
from sviT_models.engine.kernel_protocol import Fired
from sviT_models.engine.number_formats import GUARD, Rescale, State, bounds
from sviT_models.engine.prepared_weights import Prepared
from sviT_models.network.neuron import lif


@dataclass(frozen=True, eq=False)
class Plain:
    """Operations on tensors of any device; see Kernels for what each gives."""

    device: torch.device

    def array(self, x: Tensor) -> Tensor:
        """A tensor as these operations take it."""
        return x

    def tensor(self, x: Tensor) -> Tensor:
        """What these operations give, as a tensor."""
        return x

    def pack(self, digit: Tensor, geometry: Geometry) -> Tensor:
        """Signed bytes (out, in, k, k) in the form that `conv` takes."""
        return digit.to(self.device)

    def conv(self, x: Tensor, packed: Tensor, geometry: Geometry) -> Tensor:
        """Integer sums in float32, (..., H', W', out), of bytes (..., H, W, in); exact below 2^24."""
        if x.device.type == "cuda" and geometry.groups in (1, len(packed)):
            return conv_by_positions(x, packed, geometry)
        image = x.flatten(0, -4).permute(0, 3, 1, 2)
        # in float32 a library may choose an algorithm that is not a plain sum
        sums = torch.nn.functional.conv2d(
            image.double(), packed.double(), None, geometry.stride, geometry.sides, 1, geometry.groups
        )
        found: Tensor = sums.permute(0, 2, 3, 1).float().contiguous().unflatten(0, x.shape[:-3])
        return found

    def split(self, fixed: Tensor, planes: int) -> Tensor:
        """Unsigned bytes (planes, ...) of integers (...) plus 2^(8 planes - 1), lowest first."""
        raised = fixed.to(torch.int64) + 2 ** (8 * planes - 1)
        return torch.stack([(raised >> (8 * place) & 255).to(torch.uint8) for place in range(planes)])

    def merge(self, planes: Tensor, offset: Floats) -> Tensor:
        """Sums in float64 from those of the bytes (planes, ...); `offset` (out,) is what raising has added."""
        *lower, total = planes.double().unbind(0)
        for plane in reversed(lower):
            total = total * 256 + plane
        return total - torch.from_numpy(offset).to(total.device)

    def accumulate(self, total: Tensor | None, sums: Tensor, factor: float) -> Tensor:
        """`factor` times a total of float64 plus sums, in place of the total; the sums in float64 without one."""
        return sums.double() if total is None else total.mul_(factor).add_(sums)

    def depthwise(self, sums: Tensor, digit: Tensor) -> Tensor:
        """Depthwise 3x3, zero-padded, on sums (N, H, W, C), float32 or float64 -> float64; `digit` is (C, 1, 3, 3)."""
        image = sums.permute(0, 3, 1, 2).double()
        out = torch.nn.functional.conv2d(image, digit.to(image), None, 1, 1, 1, image.shape[1])
        return out.permute(0, 2, 3, 1).contiguous()

    def hand_over(self, sums: Tensor, rule: HandOver) -> Tensor:
        """The three bytes (3, ..., C) of the activations made of sums (..., C)."""
        return self.split(fixed_activation(sums.double(), rule), 3)

    def depthwise_hand_over(self, sums: Tensor, digit: Tensor, rule: HandOver) -> Tensor:
        """Both in one."""
        return self.hand_over(self.depthwise(sums, digit), rule)

    def current(self, sums: Tensor, affine: Affine, rest: Tensor | None) -> Tensor:
        """Membrane input, float32: `rest` + gain * sums + shift."""
        scale, offset = (torch.from_numpy(part).to(sums.device) for part in affine)
        current = (sums.double() * scale + offset).float()
        return current if rest is None else rest.reshape(len(rest), *current.shape[1:]) + current

    def fire(
        self, sums: Tensor, affine: Affine, rest: Tensor | None, threshold: float, steps: int, keep: bool
    ) -> Fired[Tensor]:
        """Spikes (T, ..., C), their number by step, and the membrane input if it is to be kept.

        `sums` (T or 1, ..., C) is float32 or float64, as is `rest`; one step stands for all.
        """
        current = self.current(sums, affine, rest)
        spikes = lif(current.expand(steps, *current.shape[1:]).contiguous(), threshold)
        counts = spikes.flatten(1).sum(1, dtype=torch.float64).numpy(force=True).astype(np.int64)
        return Fired(spikes.to(torch.uint8), counts, current if keep else None)

    def clipped(self, sums: Tensor, rule: Rescale) -> Tensor:
        """See Kernels."""
        return rule.of(sums)

    def narrow(self, sums: Tensor, rule: Rescale) -> Tensor:
        """See Kernels."""
        return self.split(rule.of(sums).to(torch.int32), 2)

    def fire_fixed(
        self, sums: Tensor, rule: Rescale, rest: Tensor | None, state: State, steps: int, keep: bool
    ) -> Fired[Tensor]:
        """See Kernels."""
        x = rule.scaled(sums)
        x = (x if rest is None else x + rest.reshape(len(rest), *x.shape[1:])).clamp(rule.low, rule.high)
        kept = x.to(torch.int32) if keep else None
        left = state.input_fraction - rule.fraction
        x = torch.floor(x * 2.0**left + (0.5 if left < 0 else 0.0)).expand(steps, *x.shape[1:])
        threshold, (low, high) = state.threshold * 2 ** (GUARD + 1), bounds(state.bits)
        spikes, v = torch.empty(x.shape, dtype=torch.uint8, device=x.device), torch.zeros_like(x[0])
        for current, out in zip(x, spikes, strict=True):
            u = v * 2.0**GUARD + current
            out.copy_(u >= threshold)
            v = torch.where(u >= threshold, 0.0, torch.floor(u * 0.5 ** (GUARD + 1) + 0.5).clamp(low, high))
        return Fired(spikes, spikes.flatten(1).sum(1, dtype=torch.int64).numpy(force=True), kept)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, spikes: bool) -> Tensor:
        """Q (K^T V) of bytes (N, tokens, heads, channels), float32 in that shape; `spikes` if no byte is above 1."""
        split = [x.transpose(1, 2).contiguous().float() for x in (q, k, v)]
        mixed = split[0] @ (split[1].transpose(-1, -2) @ split[2])  # (N, heads, tokens, d)
        return mixed.transpose(1, 2).contiguous()

    def later(self, layer: Prepared, x: Tensor, raised: bool) -> Tensor:
        """Sums of a layer over bytes (P, T, N, H, W, in), computed now or where they are used."""
        return layer.on_bytes(self, x) if raised else layer.on_spikes(self, x)[0]

    def plain_sums(self, integers: Tensor) -> Tensor:
        """Integers in a type that `fire` takes."""
        return integers if integers.is_floating_point() else integers.float()

    def bordered(self, planes: Tensor, width: int) -> Tensor:
        """Raised bytes (P, ..., H, W, C) with a border that stands for zeros."""
        *front, height, columns, channels = planes.shape
        out = torch.zeros(*front, height + 2 * width, columns + 2 * width, channels, dtype=torch.uint8).to(self.device)
        out[-1] = 128  # half of the range is what is added to zero
        out[..., width : width + height, width : width + columns, :] = planes
        return out

    def max_pool(self, x: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
        """The largest byte of every window of (N, H, W, C); nothing beyond the border is larger."""
        pooled = torch.nn.functional.max_pool2d(x.permute(0, 3, 1, 2).float(), kernel, stride, padding)
        return pooled.permute(0, 2, 3, 1).to(torch.uint8).contiguous()


def conv_by_positions(x: Tensor, digit: Tensor, geometry: Geometry) -> Tensor:
    """`conv` as one matrix product for every position of its kernel, bfloat16 in and float32 out.

    Bytes and codes of 8 bits are exact in bfloat16, and the products are summed in float32.
    """
    out_channels, _, kernel, _ = digit.shape
    leading, x = x.shape[:-3], x.flatten(0, -4)
    rows, columns = geometry.sides
    padded = torch.nn.functional.pad(x, (0, 0, columns, columns, rows, rows)).to(torch.bfloat16)
    height, width = ((size - kernel) // geometry.stride + 1 for size in padded.shape[1:3])
    total = torch.zeros(x.shape[0], height, width, out_channels, device=x.device)
    for row in range(kernel):
        for column in range(kernel):
            down = slice(row, row + (height - 1) * geometry.stride + 1, geometry.stride)
            across = slice(column, column + (width - 1) * geometry.stride + 1, geometry.stride)
            seen, weight = padded[:, down, across], digit[:, :, row, column]
            if geometry.groups > 1:  # depthwise; others are grouped, and go another way
                total += seen.float() * weight[:, 0].float()
            else:
                total += _product(seen.flatten(0, 2), weight.t()).view_as(total)
    found: Tensor = total.unflatten(0, leading)
    return found


def _product(seen: Tensor, weight: Tensor) -> Tensor:
    weight = weight.to(torch.bfloat16)
    if seen.device.type == "cuda":
        return torch.mm(seen, weight, out_dtype=torch.float32)
    return seen.float() @ weight.float()
