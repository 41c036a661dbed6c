"""Randomly composed networks: the graph's logits are the module's, its spikes those of the module's neurons."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from sviT_models.engine.definition import graph_definition, graph_weights
from sviT_models.errors import ModelError
from sviT_models.graph.capture import capture
from sviT_models.graph.fuse import fuse
from sviT_models.graph.run import run, spike_counts
from sviT_models.graph.time_steps import with_steps
from sviT_models.network.neuron import LIF, IntegerNeuron
from sviT_models.network.steps import each_step
from tests.sviT_models.graph.small import images, seeded

CHANNELS = 4


class Convolution(nn.Module):
    """Neuron, convolution, norm."""

    def __init__(self, kernel, groups, neuron):
        super().__init__()
        self.lif = neuron()
        self.conv = nn.Conv2d(CHANNELS, CHANNELS, kernel, padding=kernel // 2, groups=groups, bias=groups == 1)
        self.bn = nn.BatchNorm2d(CHANNELS)

    def forward(self, x):
        return each_step(self.lif(x), self.conv, self.bn)


class MembraneShortcut(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


class SpikeShortcut(nn.Module):
    """Spikes are added to spikes: the convolution behind sees counts."""

    def __init__(self, neuron):
        super().__init__()
        self.lif1, self.conv1 = neuron(), nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.lif2, self.conv2 = neuron(), nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x):
        spikes = self.lif1(x)
        spikes = spikes + self.lif2(each_step(spikes, self.conv1))
        return each_step(spikes, self.conv2)


class Pool(nn.Module):
    def __init__(self, before, neuron):
        super().__init__()
        self.before, self.lif = before, neuron()
        self.pool = nn.MaxPool2d(3, 1, 1)

    def forward(self, x):
        return self.lif(each_step(x, self.pool)) if self.before else each_step(self.lif(x), self.pool)


class Attention(nn.Module):
    """Q (K^T V) of spikes, or the gate of a sum over tokens."""

    def __init__(self, heads, gate, neuron):
        super().__init__()
        self.heads, self.gate = heads, gate
        self.lif, self.out = neuron(), neuron()
        self.q, self.k = nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False), nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False)
        self.q_lif, self.k_lif = neuron(), neuron()

    def forward(self, x):
        spikes = self.lif(x)
        q = self.q_lif(each_step(spikes, self.q)).flatten(3).unflatten(2, (self.heads, -1))
        k = self.k_lif(each_step(spikes, self.k)).flatten(3).unflatten(2, (self.heads, -1))
        if self.gate:
            mixed = q * self.out((q * k).sum(-1, keepdim=True))
            return mixed.flatten(2, 3).view_as(x)
        mixed = (k @ q.transpose(-2, -1)) @ q * 0.25
        return self.out(mixed.flatten(2, 3)).view_as(x)


class Net(nn.Module):
    def __init__(self, steps, blocks, last):
        super().__init__()
        self.steps = steps
        self.stem = nn.Conv2d(3, CHANNELS, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(blocks)
        self.last, self.head = last, nn.Linear(CHANNELS, 3)

    def forward(self, images):
        x = self.stem(images).unsqueeze(0).expand(self.steps, -1, -1, -1, -1)
        for block in self.blocks:
            x = block(x)
        x = x.flatten(3).mean(3)
        return self.head(x if self.last is None else self.last(x)).mean(0)


def block(neuron):
    convolution = st.builds(
        lambda k, g: Convolution(k, g, neuron), st.sampled_from([1, 3, 5]), st.sampled_from([1, 2, 4])
    )
    return st.one_of(
        convolution,
        convolution.map(MembraneShortcut),
        st.builds(lambda: SpikeShortcut(neuron)),
        st.builds(lambda before: Pool(before, neuron), st.booleans()),
        st.builds(lambda heads, gate: Attention(heads, gate, neuron), st.sampled_from([1, 2]), st.booleans()),
    )


def networks(neuron, steps):
    return st.builds(
        lambda blocks, last: Net(steps, blocks, neuron() if last else None),
        st.lists(block(neuron), min_size=1, max_size=4),
        st.booleans(),
    )


NEURONS = st.sampled_from([(LIF, 1), (LIF, 3), (lambda: LIF(0.5), 2), (lambda: IntegerNeuron(4, half_up=True), 1)])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(NEURONS.flatmap(lambda pair: networks(*pair)), st.integers(0, 3))
def test_the_graph_is_the_module(network, seed):
    x = images(3, 3, 8, 8)
    model = seeded(lambda: network, seed)
    graph = capture(model, x)  # which compares the logits itself
    fired = {}
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: fired.__setitem__(name, out))
        for name, module in model.double().named_modules()
        if isinstance(module, LIF | IntegerNeuron)
    ]
    with torch.no_grad():
        logits = model(x.double())
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(run(graph, x), logits, rtol=0, atol=1e-10)
    for path, counts in spike_counts(graph, x).items():
        out = fired[path]
        expected = [int((out == level / 4).sum()) for level in range(5)] if len(counts) == 5 else None
        steps = [int(frame.count_nonzero()) for frame in out]
        assert counts.tolist() == (expected or steps)
    check_integers(graph, x)
    check_network(graph, x, network)
    # what interval arithmetic says of a value is true of every element
    check_kinds(graph, x)


def check_network(graph, x, network):
    """As a module it gives the bits of the float walk; fused, or at another number of steps, the logits it should."""
    layers = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert sorted(graph.network.layer_paths) == sorted(layers)
    assert torch.equal(graph.network(x), run(graph, x, dtype=torch.float32))
    if list(graph.of("norm")):
        fused = fuse(replace(graph, parameters={name: tensor.double() for name, tensor in graph.parameters.items()}))
        assert not any(fused.by_name[node.inputs[0]].op == "conv" for node in fused.of("norm"))
        torch.testing.assert_close(run(fused, x), run(graph, x), rtol=0, atol=1e-9)
    if network.steps == 1:
        with pytest.raises(ModelError, match="no time steps"):
            with_steps(graph, 2)
        return
    network.steps += 2
    with torch.no_grad():
        expected = network(x.double())
    network.steps -= 2
    torch.testing.assert_close(run(with_steps(graph, network.steps + 2), x), expected, rtol=0, atol=1e-10)


def check_integers(graph, x):
    """The integer definition gives the same bits in any batch."""
    weights = graph_weights(graph, 8)
    together = graph_definition(graph, weights, x)
    apart = [graph_definition(graph, weights, picture) for picture in x.split(1)]
    np.testing.assert_array_equal(together.logits, np.concatenate([part.logits for part in apart]))
    for path, spikes in together.spikes.items():
        np.testing.assert_array_equal(spikes, sum(part.spikes[path] for part in apart))


def check_kinds(graph, x):
    def see(node, _, result):
        value = node.value
        assert float(result.min()) >= float(value.low) - 1e-9
        assert float(result.max()) <= float(value.high) + 1e-9
        if value.step:
            codes = result / float(value.step)
            assert float((codes - codes.round()).abs().max()) < 1e-6

    run(graph, x, see=see)
