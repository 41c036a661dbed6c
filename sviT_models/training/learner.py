"""Weights of one layer that learn through rounding."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sviT_models.network.layers import bias_of
from sviT_models.quantization.fake_quantized import linear_map
from sviT_models.quantization.quantizers import QuantizedWeight, largest_code, round_codes

INSIDE = 0.999  # of half a cell: how near to its border a weight may start, so that it keeps its code


SMALLEST_STEP = 1e-8


class Learner(nn.Module):
    """Weights of one layer that learn: `scaled` (weight's shape, in units of the initial steps), `step`, `shift`.

    It starts at the codes of `start`: a float weight whose code was rounded elsewhere begins at the border of its
    code's cell. `corrects` lets the shift learn, for layers with constants of their own on the chip; `shared` learns
    one step for all channels, `fixed` keeps the steps (powers of two).
    """

    def __init__(
        self,
        weight: Tensor,
        start: QuantizedWeight,
        *,
        two_bit: str = "four",
        corrects: bool = True,
        shared: bool = False,
        fixed: bool = False,
    ) -> None:
        super().__init__()
        self.bits, self._two_bit, self._dtype = start.bits, two_bit, start.codes.dtype
        self._top = largest_code(start.bits, two_bit)
        odd = start.bits == 1 or (start.bits == 2 and two_bit == "four")
        half = INSIDE * (1.0 if odd else 0.5)
        codes, wide = start.codes.float(), (-1, *[1] * (weight.ndim - 1))
        scale = start.scale.float()
        self.unit: Tensor
        self.register_buffer("unit", scale.view(wide).clone())
        scaled = weight.detach().float() / self.unit
        low = torch.where(codes > -self._top, codes - half, -torch.inf)
        high = torch.where(codes < self._top, codes + half, torch.inf)
        self.scaled = nn.Parameter(torch.minimum(torch.maximum(scaled, low), high))
        self.factor = nn.Parameter(torch.ones(1 if shared else len(scale)), requires_grad=not fixed)
        self.shift = nn.Parameter(start.shift.float().clone(), requires_grad=corrects)
        # LSQ: gradients of a step are divided by sqrt(weights that share it x largest code)
        self._calm = 1 / math.sqrt(weight.numel() / self.factor.numel() * self._top)

    def _factor(self) -> Tensor:
        calm = self.factor * self._calm
        return (calm + (self.factor - calm).detach()).clamp(min=SMALLEST_STEP)

    def codes(self) -> Tensor:
        """The codes as floats; what reaches them backwards goes on to weights inside the clipping range."""
        wide = (-1, *[1] * (self.scaled.ndim - 1))
        inside = (self.scaled / self._factor().view(wide)).clamp(-self._top, self._top)
        rounded = round_codes(inside.detach(), self.bits, two_bit=self._two_bit)
        return inside + (rounded - inside).detach()

    def scale(self) -> Tensor:
        """The steps, one per output channel."""
        return self.unit.flatten() * self._factor()

    @torch.no_grad()
    def result(self) -> QuantizedWeight:
        """The integers reached."""
        codes = self.codes().round().to(self._dtype).contiguous()
        return QuantizedWeight(codes, self.scale().clone(), self.bits, self.shift.detach().clone())

    def output(self, module: nn.Module, x: Tensor) -> Tensor:
        """What `module` gives with these weights."""
        out = linear_map(module, self.codes())(x)
        shape = (-1,) if isinstance(module, nn.Linear) else (-1, *[1] * (out.ndim - 2))
        own = bias_of(module)
        bias = self.shift if own is None else own.detach() + self.shift
        return out * self.scale().view(shape) + bias.view(shape)
