"""The integer definition on captured networks: SDTv2's own bit for bit, any batch, and near the float network."""

import numpy as np
import pytest
import torch

import sviT_models
from sviT_models.engine.definition import graph_definition, graph_weights
from sviT_models.engine.rules import Rules
from sviT_models.errors import ModelError
from sviT_models.graph.capture import capture, graph_of
from sviT_models.graph.run import run
from tests import zoo_goldens
from tests.sviT_models.engine.module_definition import module_definition
from tests.sviT_models.graph.small import Inside, LIFNode, images, seeded
from tests.sviT_models.small import IMAGES, network

RULED = [
    "sdtv1",
    "maxformer",
    "ms_qkformer",
    "statten",
    "sdtv3",
    "qsd",
    "qkformer",
    "spikformer",
    "spikingformer",
]


@pytest.fixture(scope="module")
def graphs():
    """SDTv2 with a few channels, as built and fused."""
    model = network((4, 6, 8, 12), 2)
    return {form: (m, graph_of(m, IMAGES[:2])) for form, m in (("unfused", model), ("fused", sviT_models.fuse(model)))}


@pytest.mark.parametrize("form", ["unfused", "fused"])
@pytest.mark.parametrize("widths", [(1, 2, 3), (4, 8), (16, 32)])
def test_on_sdtv2_it_is_the_definition_bit_for_bit(graphs, form, widths):
    model, graph = graphs[form]
    bank = sviT_models.WeightBank(model)
    bits = np.random.default_rng(5).choice(widths, len(bank.layers)).tolist()
    expected = module_definition(model, bank, IMAGES[:3], bits)
    found = graph_definition(graph, graph_weights(graph, dict(zip(bank.layers, bits, strict=True))), IMAGES[:3])
    by_name = sviT_models.exact_run(model, bank, IMAGES[:3], bits)
    np.testing.assert_array_equal(by_name.logits, expected.logits)
    np.testing.assert_array_equal(by_name.spikes, expected.spikes)
    np.testing.assert_array_equal(found.logits, expected.logits)
    names = sviT_models.lif_layers(model)
    assert list(found.spikes) == names
    np.testing.assert_array_equal(np.stack([found.spikes[name] for name in names]), expected.spikes)


@pytest.mark.parametrize("family", RULED)
def test_the_zoo_in_integers_does_not_depend_on_the_batch_and_is_near_the_float_network(family):
    recording = f"{family}_tiny_32"
    pictures = zoo_goldens.images(recording).float()
    model = zoo_goldens.network(
        recording, resolution=32, **({"levels": 4} if family in ("sdtv3", "qsd") else {"time_steps": 2})
    )
    graph = graph_of(model, pictures)
    weights = graph_weights(graph, 16)
    found = graph_definition(graph, weights, pictures)
    apart = [graph_definition(graph, weights, picture) for picture in pictures.split(1)]
    np.testing.assert_array_equal(found.logits, np.concatenate([part.logits for part in apart]))
    for path, spikes in found.spikes.items():
        np.testing.assert_array_equal(spikes, sum(part.spikes[path] for part in apart))
    # 16-bit weights: nearly all neurons fire as in float64; the first layers have nothing but their own rounding
    exact = {}
    run(graph, pictures, see=lambda node, _, out: exact.setdefault(node.path, out) if node.op == "neuron" else None)
    first = next(graph.of("neuron")).path
    assert found.spikes[first].sum() == pytest.approx(int(exact[first].count_nonzero()), rel=0.002)
    total = sum(int(out.count_nonzero()) for out in exact.values())
    assert sum(int(s.sum()) for s in found.spikes.values()) == pytest.approx(total, rel=0.02)


def test_by_hand():
    """One convolution of weight 0.5 on an image of 3: the potential is 1.5 / 2, then 1.125, which fires."""

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.lif, self.head = torch.nn.Conv2d(1, 1, 1), sviT_models.LIF(), torch.nn.Linear(1, 2)

        def forward(self, pictures):
            x = self.conv(pictures).expand(3, -1, -1, -1, -1)
            return self.head(self.lif(x).flatten(2).mean(2, keepdim=True)).mean(0)

    model = Net()
    model.conv.weight.data.fill_(0.5)
    model.conv.bias.data.zero_()
    model.head.weight.data[:, 0] = torch.tensor([1.0, -1.0])
    model.head.bias.data.copy_(torch.tensor([0.25, 0.25]))
    picture = torch.full((1, 1, 2, 2), 3.0)
    graph = capture(model, picture)
    found = graph_definition(graph, graph_weights(graph, 8), picture)
    assert found.spikes["lif"].tolist() == [0, 4, 0]
    np.testing.assert_allclose(found.logits, [[0.25 + 1 / 3, 0.25 - 1 / 3]], rtol=1e-6)


def test_numbers_that_nothing_bounds_have_24_bits_behind_the_point():
    """The head of Spikingformer sees mean potentials: the logits are those of floats but for that rounding."""
    pictures = zoo_goldens.images("spikingformer_tiny_32").float()
    graph = capture(zoo_goldens.network("spikingformer_tiny_32", time_steps=1), pictures)
    weights, seen = graph_weights(graph, 16), {}
    head = graph.by_name["head"]
    run(graph, pictures, see=lambda node, given, _: seen.setdefault(node.name, given))
    value = Rules(graph, weights, len(pictures)).layer(head, seen["head"][0].float())
    floats = (
        seen["head"][0].float().double() @ torch.from_numpy(weights["head"].codes() * weights["head"].scale[:, None]).T
    )
    torch.testing.assert_close(value.sums * value.wide(value.gain), floats, rtol=0, atol=1e-5)
    top = Rules(graph, weights, 1).layer(head, torch.full((1, 1, head_inputs(graph)), 1e6))
    assert float(top.sums.abs().max()) <= (2**31) * abs(weights["head"].codes()).sum(1).max()  # it saturates


def head_inputs(graph):
    return graph.parameters["head.weight"].shape[1]


def test_widths_that_do_not_exist_are_refused():
    graph = capture(seeded(lambda: Inside(LIFNode)), images())
    with pytest.raises(ModelError, match=r"^conv1: weight width 9 does not exist"):
        graph_weights(graph, 9)
