"""Networks of SpikingJelly (both generations) and snnTorch, trained with the libraries themselves, run as integers.

The libraries are not needed by anything else; `make test` installs them without what they depend on. Where they are not
installed these tests are skipped. Version 0.0.0.0.14 of SpikingJelly has both generations of its neurons.
"""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import sviT_models
from sviT_models.engine.definition import graph_definition, graph_weights
from sviT_models.graph.run import run

STEPS = 4


def imported(name):
    """A module of a library, without its warnings about the torch of its own day."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, exc_type=ImportError)


class Stepped(nn.Module):
    """Two layers of neurons of SpikingJelly, stepped in a loop; the library resets them."""

    def __init__(self, neuron):
        super().__init__()
        self.conv, self.bn, self.lif1 = nn.Conv2d(3, 6, 3, stride=4, bias=False), nn.BatchNorm2d(6), neuron()
        self.fc, self.lif2 = nn.Linear(6 * 64, 10), neuron()

    def forward(self, images):
        for module in (self.lif1, self.lif2):
            module.reset()
        fired = [self.lif2(self.fc(self.lif1(self.bn(self.conv(images))).flatten(1))) for _ in range(STEPS)]
        return torch.stack(fired).mean(0)


class Passed(nn.Module):
    """Two layers of snnTorch's Leaky, whose potentials are passed on by hand."""

    def __init__(self, leaky):
        super().__init__()
        self.conv, self.bn, self.lif1 = nn.Conv2d(3, 6, 3, stride=4, bias=False), nn.BatchNorm2d(6), leaky()
        self.fc, self.lif2 = nn.Linear(6 * 64, 10), leaky()

    def forward(self, images):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        fired = []
        for _ in range(STEPS):
            spikes, mem1 = self.lif1(self.bn(self.conv(images)), mem1)
            spikes, mem2 = self.lif2(self.fc(spikes.flatten(1)), mem2)
            fired.append(spikes)
        return torch.stack(fired).mean(0)


def activation_based():
    neuron, surrogate = (imported(f"spikingjelly.activation_based.{part}") for part in ("neuron", "surrogate"))
    return Stepped(lambda: neuron.LIFNode(tau=2.0, v_threshold=0.5, surrogate_function=surrogate.ATan()))


def clock_driven():
    neuron = imported("spikingjelly.clock_driven.neuron")
    return Stepped(lambda: neuron.LIFNode(tau=1.5, v_threshold=0.5, v_reset=None))


def snntorch():
    library = imported("snntorch")
    return Passed(lambda: library.Leaky(beta=0.8, threshold=0.5))


@pytest.mark.parametrize("make", [activation_based, clock_driven, snntorch])
def test_a_trained_network_of_a_library_runs_as_integers_and_is_exported(make, tmp_path):
    torch.manual_seed(0)
    model = make()
    data = sviT_models.load_data("digits", "train", count=320)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(12):
        for part in torch.randperm(len(data)).split(64):
            loss = nn.functional.cross_entropy(4 * model(data.images[part]), data.labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    held_out = sviT_models.load_data("digits", "search", count=60)
    images, labels = held_out.images[:], held_out.labels.numpy()
    graph = sviT_models.capture(model, images[:2])
    bank = sviT_models.WeightBank(graph, "compensated", images=data.images[:32])
    engine = sviT_models.Engine(graph, bank, threads=1)
    right = (run(graph, images).argmax(1).numpy() == labels).mean()
    assert right > 0.4  # it has learned something: chance is a tenth
    quantized = engine.run(images, [8, 8])
    assert (quantized.logits.argmax(1) == labels).mean() > right - 0.05
    exact = graph_definition(graph, {n: engine.integers(n, 8) for n in bank.layers}, images)
    np.testing.assert_array_equal(quantized.logits, exact.logits)
    np.testing.assert_array_equal(quantized.spikes, np.stack(list(exact.spikes.values())))
    assert set(graph_weights(graph, 8)) == {"conv", "fc"}
    sviT_models.export(graph, bank, [8, 4], 12, tmp_path / "chip", golden_images=images[:8])
    verified = sviT_models.verify_export(tmp_path / "chip")
    assert verified["mismatches"].sum() == 0
    assert len(verified) == len(exact.spikes) + 1  # every layer of neurons, and the logits
