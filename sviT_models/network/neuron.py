"""Neurons: leaky integrate and fire (all time steps in one call, no state between calls), and integer levels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError

THRESHOLD = 1.0
TAU = 2.0
SURROGATE_SLOPE = 4.0  # of the sigmoid that replaces the step in the backward pass


class _Lif(torch.autograd.Function):
    """Forward: integrate, fire, reset. Backward: sigmoid surrogate, and no gradient through the reset."""

    @staticmethod
    def forward(ctx: Any, current: Tensor, threshold: float, slope: float) -> Tensor:
        spikes, potential = _integrate(current, threshold)
        ctx.save_for_backward(potential)
        ctx.threshold, ctx.slope = threshold, slope
        return spikes

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor) -> tuple[Tensor, None, None]:
        (potential,) = ctx.saved_tensors
        # d spike / d potential = slope * s * (1 - s) with s = sigmoid(slope * (potential - threshold))
        grad = torch.sub(potential, ctx.threshold).mul_(ctx.slope).sigmoid_()
        grad.addcmul_(grad, grad, value=-1).mul_(grad_spikes).mul_(ctx.slope / 2)
        # what a step leaves behind reaches the next one only where it did not fire, halved by the leak
        for t in range(len(grad) - 2, -1, -1):
            grad[t].addcmul_(grad[t + 1], potential[t] < ctx.threshold, value=0.5)
        return grad, None, None


def _integrate(current: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Spikes, and the potential before the reset, both in the shape and dtype of `current` (T, ...)."""
    spikes = torch.empty_like(current)
    potential = torch.empty_like(spikes)
    rest = torch.zeros_like(spikes[0])
    for x, s, v in zip(current, spikes, potential, strict=True):
        torch.sub(x, rest, out=v).mul_(0.5).add_(rest)  # v = v + (x - v) / 2
        torch.ge(v, threshold, out=s)
        torch.addcmul(v, v, s, value=-1, out=rest)  # v (1 - s)
    return spikes, potential


def _fire(current: Tensor, threshold: float) -> Tensor:
    """The spikes alone, where no gradient is wanted: only one step's potential is kept."""
    spikes = torch.empty_like(current)
    v = torch.zeros_like(spikes[0])
    driven = torch.empty_like(v)
    for x, s in zip(current, spikes, strict=True):
        torch.sub(x, v, out=driven)
        v.add_(driven.mul_(0.5))
        torch.ge(v, threshold, out=s)
        v.addcmul_(v, s, value=-1)
    return spikes


def lif(current: Tensor, threshold: float = THRESHOLD, slope: float = SURROGATE_SLOPE) -> Tensor:
    """Spikes (0 or 1, dtype of `current`) of neurons that start at rest, driven by `current` (T, ...).

    current    (T, ...) input of every time step, in units of the membrane potential
    threshold  membrane potential that fires
    slope      of the surrogate gradient, per unit of the potential

    v[t] = v[t-1] + (current[t] - v[t-1]) / 2; a spike where v[t] >= threshold, which resets v[t] to 0. Time constant
    2, hard reset: Yao et al., "Spike-driven Transformer V2", ICLR 2024. The gradient is that of a sigmoid of `slope`.
    The memory layout of `current` is kept: training small networks is about a quarter faster in `channels_last`.
    """
    if torch.is_grad_enabled() and current.requires_grad:
        return _Lif.apply(current, threshold, slope)
    return _fire(current, threshold)


def charge(v: Tensor, current: Tensor, tau: float = TAU, decay_input: bool = True) -> Tensor:
    """The membrane potential after one step's `current`: a leak towards 0 with the time constant `tau` [steps].

    v + (current - v) / tau where the input decays too, else v - v / tau + current.  An infinite tau without decay of
    the input is the integrate-and-fire neuron.  SpikingJelly's LIFNode has both forms (Fang et al., Science Advances
    2023); snnTorch's Leaky with decay rate beta is the second one with tau = 1 / (1 - beta).
    """
    return v + (current - v) / tau if decay_input else v - v / tau + current


def after_spike(v: Tensor, spikes: Tensor, threshold: float, reset: str) -> Tensor:
    """What the spikes leave of the potential: 0 (`reset` "zero") or v - threshold ("subtract")."""
    return v * (1 - spikes) if reset == "zero" else v - threshold * spikes


class _Fire(torch.autograd.Function):
    """One step's spikes, with the derivative of a sigmoid in the backward pass."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, threshold: float, at_threshold: bool) -> Tensor:
        ctx.save_for_backward(v)
        ctx.threshold = threshold
        return plain_spikes(v, threshold, at_threshold)

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor) -> tuple[Tensor, None, None]:
        (v,) = ctx.saved_tensors
        sigmoid = torch.sigmoid(SURROGATE_SLOPE * (v - ctx.threshold))
        return grad_spikes * SURROGATE_SLOPE * sigmoid * (1 - sigmoid), None, None


def plain_spikes(v: Tensor, threshold: float, at_threshold: bool = True) -> Tensor:
    """1 where the potential `v` is above the threshold or, `at_threshold`, equal to it; 0 elsewhere."""
    return (v >= threshold if at_threshold else v > threshold).to(v)


def surrogate_spikes(v: Tensor, threshold: float, at_threshold: bool = True) -> Tensor:
    """The same, with the gradient of a sigmoid of slope SURROGATE_SLOPE."""
    return _Fire.apply(v, threshold, at_threshold)


class Neuron(nn.Module):
    """A layer of neurons under the name it has in the network: it keeps no state between calls."""

    def counts(self, output: Tensor) -> Tensor:
        """How often what a call gave holds what a report counts, int64: see the classes below."""
        raise NotImplementedError

    def trains(self, output: Tensor) -> Tensor:
        """What a call gave as zeros and ones, (steps, B, ...)."""
        return output


class LIF(Neuron):
    """A layer of leaky integrate-and-fire neurons, its attributes those of `charge` and `after_spike`.

    The defaults are the neuron of every published spiking transformer here, and have a fast implementation.
    With `detach_reset` no gradient passes through the reset.  Raises ModelError for values that make no neuron.
    """

    def __init__(
        self,
        threshold: float = THRESHOLD,
        tau: float = TAU,
        decay_input: bool = True,
        reset: str = "zero",
        detach_reset: bool = True,
    ):
        super().__init__()
        if not threshold > 0:
            raise ModelError(f"threshold is {threshold!r}; expected a positive number")
        if not tau >= 1:
            raise ModelError(f"tau is {tau!r}; expected a number of steps of at least 1")
        if reset not in ("zero", "subtract"):
            raise ModelError(f"reset is {reset!r}; expected zero or subtract")
        self.threshold, self.tau, self.decay_input = threshold, tau, decay_input
        self.reset, self.detach_reset = reset, detach_reset

    def forward(self, current: Tensor) -> Tensor:
        """Spikes (0 or 1) of `current`, both (T, ...)."""
        if (self.tau, self.decay_input, self.reset, self.detach_reset) == (TAU, True, "zero", True):
            return lif(current, self.threshold)
        v, fired = torch.zeros_like(current[0]), []
        for x in current:
            v = charge(v, x, self.tau, self.decay_input)
            spikes = surrogate_spikes(v, self.threshold)
            v = after_spike(v, spikes.detach() if self.detach_reset else spikes, self.threshold, self.reset)
            fired.append(spikes)
        return torch.stack(fired)

    def counts(self, output: Tensor) -> Tensor:
        """Spikes in each step of what a call gave: (T, ...) -> (T,)."""
        return output.flatten(1).count_nonzero(dim=1)

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return ", ".join(f"{key}={getattr(self, key)}" for key in ("threshold", "tau", "decay_input", "reset"))


class _Levels(torch.autograd.Function):
    """Forward: scale, clamp, round, divide. Backward: the gradient of the clamp (straight through the rounding)."""

    @staticmethod
    def forward(ctx: Any, current: Tensor, levels: int, gain: float, divisor: float, half_up: bool) -> Tensor:
        scaled = current * gain
        ctx.save_for_backward((scaled >= 0) & (scaled <= levels))
        ctx.factor = gain / divisor
        return integer_levels(scaled, levels, half_up) / divisor

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        (inside,) = ctx.saved_tensors
        return grad * inside * ctx.factor, None, None, None, None


def surrogate_levels(current: Tensor, levels: int, gain: float, divisor: float, half_up: bool) -> Tensor:
    """The answer of an `IntegerNeuron`, whose gradient passes straight through the rounding."""
    return _Levels.apply(current, levels, gain, divisor, half_up)


def integer_levels(x: Tensor, levels: int, half_up: bool = False) -> Tensor:
    """The integers nearest to `x`, clamped to 0 and `levels`; halves go to the even integer, or up."""
    clamped = x.clamp(0, levels)
    return torch.floor(clamped + 0.5) if half_up else torch.round(clamped)


class IntegerNeuron(Neuron):
    """A neuron without state that answers with one of the levels 0, 1, ..., `levels`, divided by `divisor`.

    Its output is round(clamp(gain * x, 0, levels)) / divisor; on a chip, level k is k binary spikes. `divisor` is
    `levels` where it is None. Halves are rounded to even (Yao et al., SDTv3, TPAMI 2025, base networks), or up with
    `half_up` (its large networks; QSD-Transformer, ICLR 2025).
    """

    def __init__(self, levels: int = 4, *, gain: float = 1.0, divisor: float | None = None, half_up: bool = False):
        super().__init__()
        self.levels, self.gain, self.half_up = levels, gain, half_up
        self.divisor = float(levels) if divisor is None else divisor

    def forward(self, current: Tensor) -> Tensor:
        """Levels / divisor, in the shape and dtype of `current`."""
        return surrogate_levels(current, self.levels, self.gain, self.divisor, self.half_up)

    def counts(self, output: Tensor) -> Tensor:
        """How many elements of what a call gave have each level: (...) -> (levels + 1,)."""
        integers = (output * self.divisor).round().long().flatten()
        return torch.bincount(integers, minlength=self.levels + 1)

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return f"levels={self.levels}, gain={self.gain}, divisor={self.divisor}, half_up={self.half_up}"
