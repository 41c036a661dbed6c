"""Neurons as attributes, and what they compute: one function of the input currents, for every law the graph knows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sviT_models.errors import ModelError
from sviT_models.graph.values import SPIKE, Value, levels
from sviT_models.network.neuron import integer_levels, lif, plain_spikes, surrogate_levels, surrogate_spikes

LEAK_BITS = 15  # of the shares of potential and input that a step of an integer network keeps and takes
FIRES_AT = (">=", ">")
RESETS = ("zero", "subtract")


@dataclass(frozen=True)
class SpikingLaw:
    """A leaky integrate-and-fire neuron that starts at rest (potential 0) and sees one current per time step.

    Its potential before firing is, with `tau` and `decay_input`, v + (x - v) / tau; with `tau` alone,
    v (1 - 1 / tau) + x; with `beta` in place of tau, beta v + x. An infinite tau or a beta of 1 does not leak. It fires
    where the potential is `fires_at` (`>=` as SpikingJelly, `>` as snnTorch) the threshold, and firing resets it to
    `zero` or by `subtract`ing the threshold, in the same step or, `delayed`, in the next one before it integrates.
    Raises ModelError for attributes that are no such neuron.
    """

    tau: float | None = 2.0
    beta: float | None = None
    decay_input: bool = True
    threshold: float = 1.0
    fires_at: str = ">="
    reset: str = "zero"
    delayed: bool = False

    def __post_init__(self) -> None:
        if (self.tau is None) == (self.beta is None):
            raise ModelError("a neuron has either tau or beta")
        if self.tau is not None and not self.tau >= 1:
            raise ModelError(f"tau is {self.tau!r}; expected at least 1")
        if self.beta is not None and (self.decay_input or not 0 <= self.beta <= 1):
            raise ModelError(f"beta is {self.beta!r}; expected 0 to 1, and an input that does not decay")
        if self.decay_input and self.tau == float("inf"):
            raise ModelError("tau is infinite and the input decays with it; no input would arrive")
        for key, known in (("fires_at", FIRES_AT), ("reset", RESETS)):
            if getattr(self, key) not in known:
                raise ModelError(f"{key} is {getattr(self, key)!r}; expected one of {', '.join(known)}")

    @property
    def value(self) -> Value:
        """What comes out."""
        return SPIKE

    def fire(self, currents: Tensor) -> Tensor:
        """Spikes (T, ...), 0 or 1, of `currents` (T, ...); where gradients are wanted, with that of `lif`."""
        if (self.tau, self.decay_input, self.fires_at, self.reset, self.delayed) == (2.0, True, ">=", "zero", False):
            return lif(currents, self.threshold)
        v = torch.zeros_like(currents[0])
        owed = torch.zeros_like(v)  # spikes whose reset is still to come
        fires = surrogate_spikes if torch.is_grad_enabled() and currents.requires_grad else plain_spikes
        spikes = []
        for x in currents:
            if self.delayed:
                kept = v if self.reset == "subtract" else v * (1 - owed)
                v = self.integrated(kept, x)
                if self.reset == "subtract":
                    v = v - owed * self.threshold
            else:
                v = self.integrated(v, x)
            spikes.append(fires(v, self.threshold, self.fires_at == ">="))
            owed = spikes[-1].detach()  # no gradient passes through the reset
            if not self.delayed:
                v = v * (1 - owed) if self.reset == "zero" else v - owed * self.threshold
        return torch.stack(spikes)

    @property
    def leak_bits(self) -> int:
        """Width of the factor by which the potential shrinks in a step, as integer networks have it [bit].

        0 where no multiplier is needed: the factor, or what it lacks of 1, is a power of two, or one of them is 0.
        """
        factor = (self.beta or 0.0) if self.tau is None else 1 - 1 / self.tau
        one = 1 << LEAK_BITS
        kept = round(factor * one)
        if any(part & (part - 1) == 0 for part in (kept, one - kept)):
            return 0
        return (kept // (kept & -kept)).bit_length()

    def integrated(self, v: Tensor, x: Tensor) -> Tensor:
        """Potentials before they fire, of what was kept of them and the currents of one step."""
        if self.tau is None:
            return (self.beta or 0.0) * v + x
        return v + (x - v) / self.tau if self.decay_input else v * (1 - 1 / self.tau) + x


@dataclass(frozen=True)
class IntegerLaw:
    """A neuron without state: round(clamp(gain * x, 0, levels)) / divisor, halves to even or, with `half_up`, up."""

    levels: int = 4
    gain: float = 1.0
    divisor: float = 4.0
    half_up: bool = False

    @property
    def value(self) -> Value:
        """What comes out."""
        return levels(self.levels, self.divisor)

    @property
    def leak_bits(self) -> int:
        """Width of the factor of a leak: there is none."""
        return 0

    def fire(self, currents: Tensor) -> Tensor:
        """Levels / divisor, in the shape of `currents`."""
        if torch.is_grad_enabled() and currents.requires_grad:
            return surrogate_levels(currents, self.levels, self.gain, self.divisor, self.half_up)
        return integer_levels(currents * self.gain, self.levels, self.half_up) / self.divisor


Law = SpikingLaw | IntegerLaw
