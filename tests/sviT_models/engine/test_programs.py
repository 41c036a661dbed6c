"""The engine on captured networks, bit for bit: the families, random networks, other neurons.

With float32 potentials it is the definition; with fixed-point ones the interpreter.
"""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sviT_models
from sviT_models.engine.definition import graph_definition, graph_weights
from sviT_models.engine.lowering.lower import lowered
from sviT_models.engine.program import Attend, Depthwise, General, Reform
from sviT_models.graph.capture import capture, graph_of
from sviT_models.network.neuron import LIF, IntegerNeuron
from tests import zoo_goldens
from tests.sviT_models.graph.small import Inside, Leaky, LIFNode, Recurrent, images, seeded
from tests.sviT_models.graph.test_random_networks import networks
from tests.sviT_models.small import IMAGES, network

FAMILIES = {
    "sdtv1": "tiny_32",
    "maxformer": "tiny_32",
    "ms_qkformer": "tiny_32",
    "statten": "tiny_32",
    "qkformer": "tiny_32",
    "spikformer": "tiny_32",
    "spikingformer": "tiny_32",
    "spikingresformer": "tiny_32",
    "sdtv3_large": "tiny_base_32",
    "sdtv3": "tiny_32",
    "qsd": "tiny_32",
}


def check(graph, pictures, widths=(4, 8), fixed=True, **options):
    """Engine and definition: logits, spikes, in one batch and in several; then the same with fixed-point potentials."""
    bank = sviT_models.WeightBank(graph, images=pictures)
    bits = np.random.default_rng(3).choice(widths, len(bank.layers)).tolist()
    defined = graph_definition(graph, graph_weights(graph, dict(zip(bank.layers, bits, strict=True))), pictures)
    engine = sviT_models.Engine(graph, bank, **options)
    for batch in (None, 2):
        found = engine.run(pictures, bits, batch_size=batch)
        np.testing.assert_array_equal(found.logits, defined.logits)
        names = engine.program(pictures).neurons
        assert set(names) == set(defined.spikes)
        for name, counts in zip(names, found.spikes, strict=True):
            np.testing.assert_array_equal(counts, defined.spikes[name], err_msg=name)
    if fixed:
        check_fixed(engine, pictures, bits, found)


def check_fixed(engine, pictures, bits, exact):
    """Engine and interpreter: the same integers; about as many spikes as with float32 potentials."""
    found = engine.run(pictures, bits, state_bits=12, batch_size=2)
    interpreted = sviT_models.exported_design(engine, bits, 12, pictures).run(pictures.numpy())
    np.testing.assert_array_equal(found.logits, interpreted.logits)
    np.testing.assert_array_equal(found.spikes, interpreted.spikes)
    assert abs(found.spikes.sum() - exact.spikes.sum()) <= 0.02 * exact.spikes.sum() + 20
    assert abs(found.logits - exact.logits).mean() <= 0.5 * abs(exact.logits).mean() + 0.1


@pytest.fixture(scope="module")
def captured():
    """The small networks of the zoo and images for them, each captured when it is first asked for."""
    known = {}

    def get(family):
        if family not in known:
            recording = f"{family}_{FAMILIES[family]}"
            levels = family in ("sdtv3", "sdtv3_large", "qsd")
            pictures = zoo_goldens.images(recording)[:3].float()
            options = {"levels": 4} if levels else {"time_steps": 2}
            known[family] = graph_of(zoo_goldens.network(recording, resolution=32, **options), pictures), pictures
        return known[family]

    return get


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_computes_what_is_defined(captured, family, fast):
    graph, pictures = captured(family)
    check(graph, pictures, threads=2, fast=fast, fixed=fast)


@pytest.mark.parametrize("family", ["sdtv1", "qkformer", "spikingresformer"])
def test_wide_weights_compute_what_is_defined(captured, family):
    graph, pictures = captured(family)
    check(graph, pictures, (16, 32), threads=1, fixed=False)


def test_attention_is_one_operation_whatever_its_order(captured):
    for family, blocks in (("spikingformer", 2), ("statten", 2), ("spikformer", 2), ("maxformer", 2), ("sdtv3", 8)):
        program = lowered(captured(family)[0])
        assert len(list(program.of(Attend))) == blocks
        assert not [op for op in program.of(General) if op.node.op == "matmul"]


def test_sdtv2_moves_nothing_in_memory():
    model = network()
    program = sviT_models.Engine(model, sviT_models.WeightBank(model)).program(IMAGES)
    assert not list(program.of(Reform))
    assert len(list(program.of(Depthwise))) == 32
    assert {op.node.op for op in program.of(General)} == {"mean"}  # of the tokens, and of the steps
    assert program.layers == tuple(sviT_models.weight_layers(model))
    assert program.neurons == tuple(sviT_models.lif_layers(model))


NEURONS = st.sampled_from(
    [(LIF, 3), (lambda: LIF(0.5, tau=1.5, reset="subtract"), 2), (lambda: LIF(tau=4.0, decay_input=False), 2),
     (lambda: IntegerNeuron(4, half_up=True), 1)]
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(NEURONS.flatmap(lambda pair: networks(*pair)), st.integers(0, 3), st.booleans())
def test_random_networks_compute_what_is_defined(made, seed, fast):
    pictures = images(3, 3, 8, 8)
    check(capture(seeded(lambda: redrawn(made), seed), pictures), pictures, (2, 4, 8, 16), threads=1, fast=fast)


def redrawn(model):
    """The same with new weights, so that they follow from the seed."""
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: Inside(lambda: LIFNode(tau=1.25, v_reset=None)),
        lambda: Inside(lambda: LIFNode(tau=3.0, decay_input=False)),
        lambda: Recurrent(beta=0.9),
        lambda: Recurrent(beta=0.5, reset_mechanism="zero"),
    ],
    ids=["soft reset", "input without decay", "delayed soft reset", "delayed reset to zero"],
)
def test_neurons_of_other_laws_compute_what_is_defined(make):
    assert Leaky(0.9).beta == 0.9
    check(capture(seeded(make), images()), images(), threads=1)


class Gated(torch.nn.Module):
    """Potentials of two layers multiplied, element by element, with all steps as one batch."""

    def __init__(self):
        super().__init__()
        self.conv, self.lif, self.out = torch.nn.Conv2d(3, 4, 3, padding=1), LIF(), LIF()
        self.first, self.second = torch.nn.Conv2d(4, 6, 1), torch.nn.Conv2d(4, 6, 3, padding=1)
        self.fc = torch.nn.Linear(6, 5)

    def forward(self, images):
        spikes = self.lif(self.conv(images).expand(2, -1, -1, -1, -1)).flatten(0, 1)
        potentials = self.first(spikes) * self.second(spikes)
        return self.fc(self.out(potentials.unflatten(0, (2, -1))).mean((3, 4))).mean(0)


def test_products_of_unfinished_sums_compute_what_is_defined():
    graph = capture(seeded(Gated), images())
    assert [node.op for node in graph.of("product")] == ["product"]
    check(graph, images(), threads=1)


def test_frames_run_the_first_layer_in_every_step(tmp_path):
    frames = torch.rand(3, 4, 2, 16, 16, generator=torch.Generator().manual_seed(1)).round()
    graph = capture(seeded(lambda: Inside(LIFNode, channels=2)), frames)
    check(graph, frames, threads=1)
    bank = sviT_models.WeightBank(graph, images=frames)
    engine = sviT_models.Engine(graph, bank)
    sviT_models.export(graph, bank, [4] * len(bank.layers), 6, tmp_path / "chip", golden_images=frames[:2])
    assert sviT_models.verify_export(tmp_path / "chip")["mismatches"].sum() == 0
    moved = engine.run(frames.flip(1), [8] * len(bank.layers))
    assert not np.array_equal(moved.spikes, engine.run(frames, [8] * len(bank.layers)).spikes)


def test_a_graph_of_sdtv2_is_its_module():
    model = network()
    graph = capture(model, IMAGES[:2])
    bits = ([3, 4, 8] * 46)[:138]
    for steps in (1, 3):
        of_module = sviT_models.Engine(model, sviT_models.WeightBank(model)).run(IMAGES, bits, time_steps=steps)
        of_graph = sviT_models.Engine(graph, sviT_models.WeightBank(graph)).run(IMAGES, bits, time_steps=steps)
        np.testing.assert_array_equal(of_module.logits, of_graph.logits)
        np.testing.assert_array_equal(of_module.spikes, of_graph.spikes)


def test_a_sweep_over_a_graph_is_its_single_runs(captured):
    graph, pictures = captured("qkformer")
    bank = sviT_models.WeightBank(graph)
    engine = sviT_models.Engine(graph, bank, threads=1)
    designs = [[4] * len(bank.layers)] * 2 + [[4] * i + [2] + [4] * (len(bank.layers) - i - 1) for i in (0, 9, 31)]
    for bits, found in zip(designs, sviT_models.sweep(engine, pictures, designs), strict=True):
        alone = engine.run(pictures, bits)
        np.testing.assert_array_equal(found.logits, alone.logits)
        np.testing.assert_array_equal(found.spikes, alone.spikes)
