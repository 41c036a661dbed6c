"""The integer neuron against values worked out by hand."""

import pytest
import torch

from sviT_models.network.neuron import IntegerNeuron


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
