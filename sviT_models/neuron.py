"""The leaky integrate-and-fire neuron of Meta-SpikeFormer: all time steps in one call, no state between calls."""

import torch
from torch import Tensor, nn

THRESHOLD = 1.0
SURROGATE_SLOPE = 4.0  # of the sigmoid that replaces the step in the backward pass


class _Lif(torch.autograd.Function):
    """Forward: integrate, fire, reset.  Backward: sigmoid surrogate, and no gradient through the reset."""

    @staticmethod
    def forward(ctx, current: Tensor, threshold: float, slope: float) -> Tensor:
        potential, spikes = _integrate(current, threshold)
        ctx.save_for_backward(potential)
        ctx.threshold, ctx.slope = threshold, slope
        return spikes

    @staticmethod
    def backward(ctx, grad_spikes: Tensor) -> tuple[Tensor, None, None]:
        (potential,) = ctx.saved_tensors
        # d spike / d potential = slope * s * (1 - s) with s = sigmoid(slope * (potential - threshold))
        sigmoid = torch.sub(potential, ctx.threshold).mul_(ctx.slope).sigmoid_()
        grad = torch.addcmul(sigmoid, sigmoid, sigmoid, value=-1).mul_(grad_spikes).mul_(ctx.slope / 2)
        # what a step leaves behind reaches the next one only where it did not fire, halved by the leak
        for t in range(len(grad) - 2, -1, -1):
            grad[t].addcmul_(grad[t + 1], potential[t] < ctx.threshold, value=0.5)
        return grad, None, None


def _integrate(current: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Membrane potential before the reset, and spikes; both in the shape and dtype of `current` (T, ...)."""
    potential = torch.empty_like(current, memory_format=torch.contiguous_format)
    spikes = torch.empty_like(potential)
    rest = torch.zeros_like(current[0], memory_format=torch.contiguous_format)
    for t in range(len(current)):
        v, s = potential[t], spikes[t]
        torch.sub(current[t], rest, out=v).mul_(0.5).add_(rest)  # v = v + (x - v) / 2
        torch.ge(v, threshold, out=s)
        if t + 1 < len(current):
            torch.mul(v, v < threshold, out=rest)
    return potential, spikes


def lif(current: Tensor, threshold: float = THRESHOLD, slope: float = SURROGATE_SLOPE) -> Tensor:
    """Spikes (0 or 1, dtype of `current`) of neurons that start at rest, driven by `current` (T, ...).

    v[t] = v[t-1] + (current[t] - v[t-1]) / 2; a spike where v[t] >= threshold, which resets v[t] to 0.  Time constant
    2, hard reset: Yao et al., "Spike-driven Transformer V2", ICLR 2024.  The gradient is that of a sigmoid of `slope`.
    """
    return _Lif.apply(current, threshold, slope)


class LIF(nn.Module):
    """A layer of LIF neurons under the name it has in the network; it holds a threshold and no state."""

    def __init__(self, threshold: float = THRESHOLD):
        super().__init__()
        self.threshold = threshold

    def forward(self, current: Tensor) -> Tensor:
        """Spikes of `current`, both (T, ...)."""
        return lif(current, self.threshold)

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return f"threshold={self.threshold}"
