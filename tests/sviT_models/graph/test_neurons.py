"""Every law against the equations of the library it stands for, written out step by step."""

import math

import pytest
import torch

from sviT_models.errors import ModelError
from sviT_models.graph.neurons import IntegerLaw, SpikingLaw
from sviT_models.network.neuron import lif

CURRENTS = torch.randn(6, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 + 0.4


def spikingjelly(x, tau, decay_input, v_reset, threshold):
    """activation_based.neuron.LIFNode of version 0.0.0.0.14: charge, fire at >=, reset."""
    v, spikes = 0.0, []
    for t in range(len(x)):
        v = v + (x[t] - v) / tau if decay_input else v * (1.0 - 1.0 / tau) + x[t]
        s = (v >= threshold).double()
        v = v - s * threshold if v_reset is None else s * v_reset + (1.0 - s) * v
        spikes.append(s)
    return torch.stack(spikes)


def snntorch(x, beta, threshold, mechanism):
    """snntorch.Leaky of version 1.0.0: the reset of the last spike, then charge, then fire at >."""
    mem, spikes = torch.zeros_like(x[0]), []
    for t in range(len(x)):
        reset = (mem - threshold > 0).double()
        if mechanism == "zero":
            mem = (1 - reset) * mem
        mem = beta * mem + x[t]
        if mechanism == "subtract":
            mem = mem - reset * threshold
        spikes.append((mem - threshold > 0).double())
    return torch.stack(spikes)


@pytest.mark.parametrize("tau", [2.0, 3.0, 1.5])
@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("v_reset", [0.0, None])
def test_spikingjelly(tau, decay_input, v_reset):
    law = SpikingLaw(tau, None, decay_input, 0.8, reset="subtract" if v_reset is None else "zero")
    spikes = law.fire(CURRENTS)
    assert torch.equal(spikes, spikingjelly(CURRENTS, tau, decay_input, v_reset, 0.8))
    assert 0.1 < spikes.mean() < 0.9


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("beta", [0.9, 0.5, 1.0])
def test_snntorch(beta, reset):
    law = SpikingLaw(None, beta, False, 1.0, ">", reset, delayed=True)
    spikes = law.fire(CURRENTS)
    assert torch.equal(spikes, snntorch(CURRENTS, beta, 1.0, reset))
    assert 0.1 < spikes.mean() < 0.9


def test_the_neuron_of_sdtv2_is_a_law():
    assert torch.equal(SpikingLaw().fire(CURRENTS), lif(CURRENTS))


def test_integrate_and_fire_counts_its_input():
    ones = torch.full((6, 1), 0.5)
    spikes = SpikingLaw(math.inf, None, False).fire(ones)  # 0.5, 1.0 fires and is reset, 0.5, 1.0, ...
    assert spikes.flatten().tolist() == [0, 1, 0, 1, 0, 1]


def test_the_tie_rule_decides_at_the_threshold():
    exactly = torch.ones(1, 1)
    assert SpikingLaw(math.inf, None, False, fires_at=">=").fire(exactly).item() == 1
    assert SpikingLaw(math.inf, None, False, fires_at=">").fire(exactly).item() == 0


def test_integer_levels_by_hand():
    x = torch.tensor([-1.0, 0.5, 1.5, 2.6, 9.0])
    assert IntegerLaw(4, 1.0, 4.0).fire(x).tolist() == [0, 0, 0.5, 0.75, 1.0]  # halves to even: 0, 2
    assert IntegerLaw(4, 1.0, 1.0, half_up=True).fire(x).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"tau": 0.5}, "tau is 0.5"),
        ({"tau": None}, "either tau or beta"),
        ({"tau": None, "beta": 1.5, "decay_input": False}, "beta is 1.5"),
        ({"tau": math.inf}, "tau is infinite"),
        ({"fires_at": "=="}, "fires_at is '=='"),
        ({"reset": "none"}, "reset is 'none'"),
    ],
)
def test_impossible_neurons_are_refused(attributes, message):
    with pytest.raises(ModelError, match=message):
        SpikingLaw(**attributes)
