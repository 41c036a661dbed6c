"""Whatever watches or changes a network works on a graph as on the module it was captured from."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import sviT_models
from sviT_models import ModelError
from sviT_models.graph.fuse import fuse
from sviT_models.graph.run import run
from sviT_models.graph.time_steps import with_steps
from sviT_models.measure import accuracy
from sviT_models.network.neuron import LIF, IntegerNeuron
from sviT_models.quantization.calibration import calibrate
from tests.sviT_models import small as sdtv2
from tests.sviT_models.graph.small import Inside, LIFNode, ModuleByModule, Outside, images, seeded


@pytest.fixture(scope="module")
def pair():
    """SDTv2 as it is built, and its graph."""
    model = sdtv2.network()
    return model, sviT_models.capture(model, sdtv2.IMAGES[:1])


def test_sdtv2_is_rounded_scored_and_disturbed_to_the_same_bits(pair):
    model, graph = pair
    images = sdtv2.IMAGES
    banks = [sviT_models.WeightBank(each, "compensated", images=images) for each in pair]
    assert banks[0].layers == banks[1].layers == tuple(sviT_models.weight_layers(model))
    assert sviT_models.lif_layers(graph) == sviT_models.lif_layers(model)
    for layer in banks[0].layers:
        ours, theirs = (bank.get(layer, 3) for bank in banks)
        assert torch.equal(ours.codes, theirs.codes)
        assert torch.equal(ours.scale, theirs.scale)
        assert torch.equal(ours.shift, theirs.shift)
    labels = np.arange(len(images)) % 5
    scores = [
        sviT_models.fisher_scores(each, bank, images, labels, [2, 32]) for each, bank in zip(pair, banks, strict=True)
    ]
    assert scores[0].equals(scores[1])
    assert sviT_models.chaos_floor(model, images, labels) == sviT_models.chaos_floor(graph, images, labels)
    assert sviT_models.spike_health(model, images).equals(sviT_models.spike_health(graph, images))
    bits = [3] * len(banks[0].layers)
    for steps in (1, 2, 3):
        ran = [
            sviT_models.fake_quantized_run(m, b, images, bits, time_steps=steps)
            for m, b in zip(pair, banks, strict=True)
        ]
        np.testing.assert_array_equal(ran[0].logits, ran[1].logits)
        np.testing.assert_array_equal(ran[0].spikes, ran[1].spikes)
    schedule = sviT_models.Schedule(epochs=1, batch_size=6)
    learned = [sviT_models.finetune_design(m, b, bits, images, schedule) for m, b in zip(pair, banks, strict=True)]
    for name, weight in learned[0].items():
        assert torch.equal(weight.codes, learned[1][name].codes)
        assert torch.equal(weight.scale, learned[1][name].scale)


def test_sdtv2_is_fused_to_the_same_bits(pair):
    model, graph = pair
    ours, theirs = fuse(graph).network, sviT_models.fuse(model)
    assert sviT_models.weight_layers(theirs) == ours.layer_paths
    for name in ours.layer_paths:
        assert torch.equal(ours.get_submodule(name).weight, theirs.get_submodule(name).weight)
        assert torch.equal(ours.get_submodule(name).bias, theirs.get_submodule(name).bias)
    with pytest.raises(ModelError, match="fused already"):
        fuse(ours.graph)


class Chain(nn.Module):
    """Two layers in a row in front of a neuron, then a border of zeros between two more."""

    def __init__(self, between, bias, padding, first=1):
        super().__init__()
        self.a = nn.Conv2d(3, 5, first, bias=bias, padding=first // 2)
        self.bn = nn.BatchNorm2d(5) if between else nn.Identity()
        self.b = nn.Conv2d(5, 5, 3, groups=5, padding=padding, bias=False)
        self.c = nn.Conv2d(5, 4, 1, stride=2)
        self.lif, self.fc1, self.fc2 = LIFNode(), nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, images):
        x = self.lif(self.c(self.b(self.bn(self.a(images)))))
        return self.fc2(self.fc1(x.mean((2, 3))))


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ((False, False, 1), ["c", "fc2"]),  # 1x1 of zeros is zero: the border stays a border
        ((True, True, 0), ["c", "fc2"]),
        ((False, True, 1), ["a", "c", "fc2"]),  # a bias in front of the border: only what stands behind it is fused
        ((True, False, 1), ["a", "c", "fc2"]),
        ((False, False, 1, 3), ["a", "c", "fc2"]),  # two kernels with an extent
    ],
)
def test_chains_are_fused_where_one_layer_does_the_same(options, left):
    x = images(2)
    graph = sviT_models.capture(seeded(lambda: Chain(*options)), x, time_steps=3)
    graph = replace(graph, parameters={name: tensor.double() for name, tensor in graph.parameters.items()})
    fused = fuse(graph)
    assert sviT_models.weight_layers(fused) == left
    torch.testing.assert_close(run(fused, x), run(graph, x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("make", [Inside, ModuleByModule])
def test_calibration_sees_what_every_layer_multiplies_with(make):
    """The mean of every input pixel of conv2, step after step, by hand from the module's own neurons."""
    mode = {} if make is Inside else {"step_mode": "m"}
    model = seeded(lambda: make(lambda: LIFNode(**mode)))
    x = images(3)
    found = calibrate(sviT_models.capture(model, x), x)["conv2"]
    seen = []
    model.conv2.register_forward_hook(lambda _, given, __: seen.append(given[0].double()))
    with torch.no_grad():
        model(x)
    columns = nn.functional.unfold(torch.cat(seen), 3, padding=1, stride=2).transpose(0, 1).flatten(1)
    assert found.count == columns.shape[1]
    torch.testing.assert_close(found.mean[0], columns.mean(1))
    torch.testing.assert_close(found.moment[0].double(), columns @ columns.T / columns.shape[1])


def test_a_network_that_is_stepped_from_outside_is_fine_tuned_and_its_norms_are_estimated():
    model = seeded(lambda: Outside(lambda: LIFNode(tau=1.5, v_threshold=0.3, v_reset=None)))
    x = images(12)
    graph = sviT_models.capture(model, x[:2], time_steps=3)
    bank = sviT_models.WeightBank(graph, images=x)
    bits = [2] * len(bank.layers)
    before = sviT_models.fake_quantized_run(graph, bank, x, bits).logits
    wanted = run(graph, x).numpy()
    learned = sviT_models.finetune_design(graph, bank, bits, x, sviT_models.Schedule(epochs=60, batch_size=6, shift=0))
    tuned = sviT_models.LearnedBank(graph, learned)
    after = sviT_models.fake_quantized_run(graph, tuned, x, bits).logits
    assert accuracy.kl(wanted, after) < 0.5 * accuracy.kl(wanted, before)
    found = sviT_models.reestimate(graph, bank, bits, x).weights
    assert not torch.equal(found["conv1"].scale, bank.get("conv1", 2).scale)  # bn1 stands behind it
    assert torch.equal(found["conv2"].scale, bank.get("conv2", 2).scale)


class Levels(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.neuron, self.head = nn.Conv2d(3, 4, 3), IntegerNeuron(4), nn.Linear(4, 2)

    def forward(self, images):
        return self.head(self.neuron(self.conv(images)).mean((2, 3)))


def test_levels_fire_as_binary_spikes_in_as_many_steps():
    model, x = seeded(Levels), images(5)
    (row,) = sviT_models.spike_health(sviT_models.capture(model, x[:2]), x).to_dict("records")
    with torch.no_grad():
        levels = model.neuron(model.conv(x)) * 4
    for step in range(1, 5):
        assert row[f"rate_{step}"] == pytest.approx(float((levels >= step).double().mean()))
    assert row["rate"] == pytest.approx(float(levels.double().mean()) / 4)
    assert row["dead"] == pytest.approx(float((levels == 0).all(0).double().mean()))
    assert row["saturated"] == pytest.approx(float((levels == 4).all(0).double().mean()))


class Pairs(nn.Module):
    """Looks at two steps at a time."""

    def __init__(self):
        super().__init__()
        self.conv, self.lif, self.head = nn.Conv2d(3, 4, 3), LIF(), nn.Linear(4, 2)

    def forward(self, images):
        x = self.lif(self.conv(images).unsqueeze(0).expand(4, -1, -1, -1, -1)).mean((3, 4))  # (T, B, C)
        return self.head(x.unflatten(0, (2, 2)).sum(1).mean(0))


def test_another_number_of_steps_is_refused_where_it_has_no_meaning():
    x = images(2)
    graph = sviT_models.capture(seeded(Pairs), x)
    with pytest.raises(ModelError, match="2 steps at a time; time_steps has to be a multiple of 2"):
        with_steps(graph, 3)
    with pytest.raises(ModelError, match="time_steps is 0"):
        with_steps(graph, 0)
    frames = images(2, 4, 3, 16, 16)
    on_frames = sviT_models.capture(seeded(lambda: Inside(LIFNode)), frames)
    with pytest.raises(ModelError, match="takes 4 frames, not 2"):
        with_steps(on_frames, 2)
    with pytest.raises(ModelError, match="neurons of levels run once"):
        with_steps(sviT_models.capture(seeded(Levels), x), 2)


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_a_sum_over_steps_is_divided_by_the_new_number(steps):
    x = images(2)
    model = seeded(lambda: Inside(LIFNode, steps=4))
    graph = sviT_models.capture(model, x)
    model.double().steps = steps
    with torch.no_grad():
        torch.testing.assert_close(run(with_steps(graph, steps), x), model(x.double()), rtol=0, atol=1e-10)
