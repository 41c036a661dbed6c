"""NeuroBench's metrics from a layer table, against figures of the package neurobench itself."""

import pytest
import torch
from torch import nn

import sviT_models
from costmodels import CostError, Workload, neurobench
from sviT_models import LIF
from tests.costmodels.small import two_layers


def filled(layer: nn.Module, step: int) -> nn.Module:
    """The layer with weights that follow from their place, none of them zero."""
    count = torch.arange(layer.weight.numel()) * step % 7
    layer.weight.data = ((count - 2.5) / 4.0).reshape(layer.weight.shape)
    layer.bias.data.zero_()
    return layer


class Net(nn.Module):
    """Two convolutions and a classifier, all called in each of three time steps."""

    def __init__(self):
        super().__init__()
        self.conv1, self.lif1 = filled(nn.Conv2d(3, 4, 3, padding=1), 5), LIF()
        self.conv2, self.lif2 = filled(nn.Conv2d(4, 6, 3, stride=2, padding=1), 3), LIF()
        self.head = filled(nn.Linear(96, 10), 4)

    def forward(self, images):
        x = images.expand(3, -1, -1, -1, -1)
        x = self.lif1(self.conv1(x.flatten(0, 1)).unflatten(0, x.shape[:2]))
        x = self.lif2(self.conv2(x.flatten(0, 1)).unflatten(0, x.shape[:2]))
        return self.head(x.flatten(2)).mean(0)


IMAGES = ((torch.arange(2 * 3 * 64) * 5 % 11) / 10.0).reshape(2, 3, 8, 8)
# neurobench 2.3.0 on this network and these images: Footprint, ConnectionSparsity and ActivationSparsity as they are
# defined, synaptic operations by its `single_layer_MACs` on the inputs that its hooks see, per image
THEIRS = {
    "Footprint": 5216,
    "ConnectionSparsity": 0.0,
    "ActivationSparsity": 0.6126893939393939,
    "Effective_MACs": 15828.0,
    "Effective_ACs": 4701.0,
    "Dense": 29016.0,
}


def test_the_figures_are_those_of_the_package():
    network = sviT_models.opened(Net().eval(), IMAGES, "net", sviT_models.checkpoint_path("sdtv2_tiny_digits"))
    work = Workload.from_table(sviT_models.profile(network.model, IMAGES))
    assert vars(neurobench(work)) == pytest.approx(THEIRS, rel=1e-12)


def test_by_hand():
    # conv 2 -> 4 on 4 x 4, padding 1: per axis 2 + 3 + 3 + 2 = 10 taps inside, 100 of a map, 800 with the channels;
    # head 64 x 10; two steps. The table's counts: 300 operations, and 20 spikes with a fan-out of 10
    found = neurobench(two_layers(), [4, 8])
    assert found.Dense == 2 * (800 + 640)
    assert (found.Effective_ACs, found.Effective_MACs) == (300 + 20 * 10, 0)
    assert found.Footprint == (2 * 4 * 9 * 4 + 640 * 8 + (4 + 10) * 32) / 8  # and a constant per channel
    numbers = neurobench(two_layers(input="multibit"))
    assert (numbers.Effective_ACs, numbers.Effective_MACs) == (200, 300)


def test_another_number_of_widths_is_refused():
    with pytest.raises(CostError, match="weight_bits: 3 widths for 2 weight layers"):
        neurobench(two_layers(), [8, 8, 8])
