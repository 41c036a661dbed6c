"""From a neuron module to its law, by the name of its class, so that no neuron library has to be installed.

Known are the neurons of this package, of SpikingJelly (`activation_based` and `clock_driven`, single-step and
multi-step: IF, LIF, parametric LIF; equations of spikingjelly/activation_based/neuron, version 2.0.0, and of its
0.0.0.0.12) and snnTorch's `Leaky` (snntorch/_neurons/leaky.py, version 1.0.0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sviT_models.errors import ModelError
from sviT_models.graph.neurons import IntegerLaw, Law, SpikingLaw
from sviT_models.network.neuron import LIF, IntegerNeuron


@dataclass(frozen=True)
class Neuron:
    """A neuron layer: its law, and whether one call takes all time steps (T, ...) or a single one."""

    law: Law
    multi_step: bool = True
    returns_potential: bool = False


LIBRARY_BASES = frozenset({"BaseNode", "SpikingNeuron"})  # of SpikingJelly and of snnTorch

Declared = Mapping[str, Law | Neuron]


def _jelly(module: Any, tau: float, decay_input: bool) -> Neuron:
    v_reset = module.v_reset
    if v_reset not in (None, 0, 0.0):
        raise ModelError(f"v_reset is {v_reset!r}; expected 0 or None")
    law = SpikingLaw(
        tau=tau,
        decay_input=decay_input,
        threshold=float(module.v_threshold),
        reset="subtract" if v_reset is None else "zero",
    )
    return Neuron(law, type(module).__name__.startswith("MultiStep") or getattr(module, "step_mode", "s") == "m")


def _integrate_and_fire(module: Any) -> Neuron:
    return _jelly(module, float("inf"), False)


def _leaky(module: Any) -> Neuron:
    return _jelly(module, float(module.tau), bool(getattr(module, "decay_input", True)))


def _parametric(module: Any) -> Neuron:
    return _jelly(module, float(1 / module.w.detach().double().sigmoid()), bool(getattr(module, "decay_input", True)))


def _snntorch(module: Any) -> Neuron:
    reset = module.reset_mechanism
    if reset not in ("zero", "subtract"):
        raise ModelError(f"reset_mechanism is {reset!r}; expected zero or subtract")
    for key, wanted in (("reset_delay", True), ("inhibition", False), ("state_quant", False)):
        if getattr(module, key, wanted) != wanted:
            raise ModelError(f"{key} is {getattr(module, key)!r}; expected {wanted}")
    if float(getattr(module, "graded_spikes_factor", 1.0)) != 1.0:
        raise ModelError("graded_spikes_factor is not 1; expected spikes of 0 and 1")
    for key in ("beta", "threshold"):
        if torch.as_tensor(getattr(module, key)).numel() != 1:
            raise ModelError(f"{key} differs from neuron to neuron; expected one for the layer")
    law = SpikingLaw(
        tau=None,
        beta=min(max(float(module.beta), 0.0), 1.0),
        decay_input=False,
        threshold=float(module.threshold),
        fires_at=">",
        reset=reset,
        delayed=True,
    )
    return Neuron(law, multi_step=False, returns_potential=bool(module.output) or not module.init_hidden)


KNOWN: dict[str, Callable[[nn.Module], Neuron]] = {
    **dict.fromkeys(("IFNode", "MultiStepIFNode"), _integrate_and_fire),
    **dict.fromkeys(("LIFNode", "MultiStepLIFNode"), _leaky),
    **dict.fromkeys(("ParametricLIFNode", "MultiStepParametricLIFNode"), _parametric),
    "Leaky": _snntorch,
}


def recognised(module: nn.Module, declared: Declared) -> Neuron | None:
    """The neuron that a module is, None for any other module.

    `declared` maps names of further classes to their law. Raises ModelError for attributes that no law has, and for a
    class of a neuron library that is not known.
    """
    name = type(module).__name__
    if name in declared:
        found = declared[name]
        return found if isinstance(found, Neuron) else Neuron(found)
    if isinstance(module, LIF):
        return Neuron(SpikingLaw(module.tau, None, module.decay_input, module.threshold, reset=module.reset))
    if isinstance(module, IntegerNeuron):
        return Neuron(IntegerLaw(module.levels, module.gain, module.divisor, module.half_up))
    if name in KNOWN:
        return KNOWN[name](module)
    if LIBRARY_BASES & {base.__name__ for base in type(module).__mro__}:
        raise ModelError(f"neurons of class {name} are not known; declare their law in NEURONS = {{{name!r}: ...}}")
    return None


def neurons_of(module: nn.Module, declared: Declared) -> dict[str, Neuron]:
    """The neuron layers of a network by module path.  Raises ModelError naming the path."""
    found = {}
    for path, part in module.named_modules():
        try:
            neuron = recognised(part, declared)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
        if neuron is not None:
            found[path] = neuron
    return found
