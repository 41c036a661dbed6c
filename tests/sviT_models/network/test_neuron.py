"""Neurons against loops over the steps, autograd and values worked out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sviT_models
from sviT_models.network.neuron import LIF, IntegerNeuron


def by_hand(current: np.ndarray, threshold: float, tau: float, decay_input: bool, reset: str) -> np.ndarray:
    v, spikes = np.zeros(current.shape[1:]), []
    for x in current:
        v = v + (x - v) / tau if decay_input else v - v / tau + x
        spikes.append(v >= threshold)
        v = v - threshold * spikes[-1] if reset == "subtract" else np.where(spikes[-1], 0.0, v)
    return np.stack(spikes)


@given(
    st.sampled_from([0.5, 1.0]),
    st.sampled_from([1.0, 2.0, 4.0, float("inf")]),
    st.booleans(),
    st.sampled_from(["zero", "subtract"]),
    st.integers(0, 2**32 - 1),
)
def test_every_neuron_integrates_fires_and_resets_as_it_says(threshold, tau, decay_input, reset, seed):
    # multiples of 1/8 hit the threshold exactly now and then
    current = np.random.default_rng(seed).integers(-8, 32, (5, 3, 2)) / 8
    neuron = LIF(threshold, tau=tau, decay_input=decay_input, reset=reset)
    expected = by_hand(current, threshold, tau, decay_input, reset)
    spikes = neuron(torch.from_numpy(current))
    np.testing.assert_array_equal(spikes.numpy(), expected)
    assert neuron.counts(spikes).tolist() == expected.sum((1, 2)).tolist()


@given(st.booleans(), st.sampled_from(["zero", "subtract"]), st.integers(0, 2**32 - 1))
def test_the_gradient_is_that_of_the_surrogate_and_passes_the_reset_only_where_asked(detach, reset, seed):
    current = torch.from_numpy(np.random.default_rng(seed).normal(0.6, 1.5, (4, 3))).requires_grad_()
    upstream = torch.from_numpy(np.random.default_rng(seed + 1).normal(0, 1, (4, 3)))
    neuron = LIF(tau=4.0, reset=reset, detach_reset=detach)
    (grad,) = torch.autograd.grad(neuron(current), current, upstream)
    v, loss = torch.zeros(3, dtype=torch.float64), 0.0  # the same by autograd: its value a step, its slope a sigmoid's
    for x, weight in zip(current, upstream, strict=True):
        v = v + (x - v) / 4
        smooth = torch.sigmoid(4 * (v - 1))
        spikes = (v >= 1).double() + smooth - smooth.detach()
        loss = loss + (weight * spikes).sum()
        fired = spikes.detach() if detach else spikes
        v = v * (1 - fired) if reset == "zero" else v - fired
    (expected,) = torch.autograd.grad(loss, current)
    torch.testing.assert_close(grad, expected)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"threshold": 0.0}, "threshold is 0.0; expected a positive number"),
        ({"tau": 0.5}, "tau is 0.5; expected a number of steps of at least 1"),
        ({"tau": float("nan")}, "tau is nan"),
        ({"reset": "hard"}, "reset is 'hard'; expected zero or subtract"),
    ],
)
def test_impossible_neurons_are_named(options, says):
    with pytest.raises(sviT_models.ModelError, match=says):
        LIF(**options)


@pytest.mark.parametrize(
    ("neuron", "expected"),
    [  # inputs -1, 0.5, 1.5, 2.5, 3.6, 9
        (IntegerNeuron(4), [0, 0, 2 / 4, 2 / 4, 1, 1]),
        (IntegerNeuron(8), [0, 0, 2 / 8, 2 / 8, 4 / 8, 1]),
        (IntegerNeuron(4, half_up=True), [0, 1 / 4, 2 / 4, 3 / 4, 1, 1]),
        (IntegerNeuron(4, divisor=1.0), [0, 0, 2, 2, 4, 4]),
        (IntegerNeuron(4, gain=4.0, divisor=2.0, half_up=True), [0, 1, 2, 2, 2, 2]),
    ],
)
def test_levels_are_rounded_clamped_and_divided(neuron, expected):
    levels = neuron(torch.tensor([-1.0, 0.5, 1.5, 2.5, 3.6, 9.0], dtype=torch.float64))
    assert levels.tolist() == expected


def test_the_gradient_passes_between_the_lowest_and_the_highest_level():
    x = torch.tensor([-0.1, 0.0, 0.4, 1.0, 1.1], requires_grad=True)
    IntegerNeuron(4, gain=4.0)(x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]  # gain / divisor = 4 / 4


def test_an_integer_neuron_counts_the_elements_at_every_level():
    neuron = IntegerNeuron(4)
    assert neuron.counts(neuron(torch.tensor([[-1.0, 0.5], [1.5, 2.5], [3.6, 9.0]]))).tolist() == [2, 0, 2, 0, 2]


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_a_level_is_a_number_of_spikes_of_an_integrator_that_subtracts(levels, seed):
    # k = round(clamp(x, 0, D)) spikes over D steps: charge once, then fire one spike a step while 1/2 or more remains
    x = torch.from_numpy(np.random.default_rng(seed).normal(levels / 2, levels, 50))
    charged = torch.cat([x.unsqueeze(0) + 0.5, torch.zeros(levels - 1, 50, dtype=torch.float64)])
    spikes = LIF(1.0, tau=float("inf"), decay_input=False, reset="subtract")(charged)
    assert torch.equal(spikes.sum(0), IntegerNeuron(levels, divisor=1, half_up=True)(x))
