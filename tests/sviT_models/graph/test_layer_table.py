"""The layer table of captured networks: SDTv2's own, the official counts of the zoo, and small sums by hand."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import sviT_models
from costmodels import Workload, estimate, load_hardware
from sviT_models.engine.number_formats import leak_of
from sviT_models.errors import ModelError
from sviT_models.graph.capture import capture, graph_of
from sviT_models.graph.layer_table import layer_table, profile
from sviT_models.network.neuron import LIF, IntegerNeuron
from sviT_models.network.steps import each_step
from tests import zoo_goldens
from tests.sviT_models.graph.small import Inside, LIFNode, images, seeded

TINY = [
    (family, variant)
    for family, variant in zoo_goldens.VARIANTS
    if variant == "tiny" and family in sviT_models.families()
]
# families whose products are q (k^T v) here and (q k^T) v in the official code, where 64 and 4 tokens meet
REORDERED = {
    **dict.fromkeys(("spikingformer", "spikformer"), 8 / 64),  # channels per head over tokens
    # two products of C x (4 C / 8 heads) per token in 6 blocks of 64 and 2 of 80 channels; there 5 C per pair of tokens
    "sdtv3": 4 * 2 * (6 * 64 * 32 + 2 * 80 * 40) / (4 * 4 * 5 * (6 * 64 + 2 * 80)),
}
OFFICIAL = {"image": "real", "number": "real", "spike": "spikes", "levels": "levels", "count": "integers"}


@pytest.mark.parametrize("form", ["unfused", "fused"])
def test_the_table_of_sdtv2_is_the_one_measured_on_its_modules(form):
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    model = sviT_models.fuse(model) if form == "fused" else model
    pictures = sviT_models.load_data("digits", "search", count=5).images
    expected, graph = sviT_models.profile(model, pictures), graph_of(model, pictures)
    table = profile(graph, pictures)
    additions = table[table.kind == "add"]
    pd.testing.assert_frame_equal(table[list(expected.columns)], expected, check_dtype=False, rtol=1e-12)
    assert len(additions) == 2 * 4 + 2 * 8  # two shortcuts in each of 4 convolution blocks and 8 transformer blocks
    assert list(additions.input_bits.unique()) == [16]
    if form == "fused":  # what product sparsity leaves is the same, too
        expected, table = (
            each(net, pictures[:1], products=True) for each, net in ((sviT_models.profile, model), (profile, graph))
        )
        pd.testing.assert_frame_equal(table[list(expected.columns)], expected, check_dtype=False, rtol=1e-12)


@pytest.mark.parametrize(("family", "variant"), TINY)
def test_layers_and_operations_are_those_counted_in_the_official_code(family, variant):
    official = zoo_goldens.manifest(family)[variant]["measured"]
    model = sviT_models.build(zoo_goldens.name_of(family, variant), num_classes=10, resolution=official["resolution"])
    size = official["resolution"]
    table = layer_table(graph_of(model, images(2, 3, size, size)))
    layers = table[table.weights > 0]
    assert len(layers) == official["weight_layers"]
    others = dict(official["weight_layers_with_other_than_binary_input"])
    sees = {row["name"]: OFFICIAL[row["sees"]] for row in layers.to_dict("records")}
    head = layers.name.iloc[-1]
    if sees[head] != "spikes":  # real: a mean of integers over tokens and steps; integers: levels divided by 1
        sees[head] = others.get(head, sees[head])
    assert {name: kind for name, kind in sees.items() if kind != "spikes"}.items() >= others.items()
    by_input = layers.groupby(layers.name.map(sees)).macs.sum()
    assert by_input.to_dict() == official["conv_and_linear_macs_by_input"]
    products = table[(table.kind == "attention") & (table.fan_in > 1)]
    in_order = official["macs_per_image_and_step"].get("attention_matmul", 0)
    assert products.macs.sum() == in_order * REORDERED.get(family, 1)
    fired = ";".join(lif for lif in table.lif if lif).split(";")
    assert len(fired) == len(set(fired)) == official["neuron_layers"]


class Shared(nn.Module):
    """One convolution that is called twice, with a spike shortcut: counts up to 2 go into it the second time."""

    def __init__(self):
        super().__init__()
        self.stem, self.lif0, self.lif1 = nn.Conv2d(1, 2, 1, bias=False), LIF(), LIF()
        self.conv, self.head = nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.Linear(2, 2)

    def forward(self, images):
        x = self.lif0(self.stem(images).expand(2, -1, -1, -1, -1))
        x = x + self.lif1(each_step(x, self.conv))
        return self.head(each_step(x, self.conv).mean((3, 4))).mean(0)


def by_hand():
    """Stem weights 1 and 0: only the first channel fires, in both steps where the pixel is at least 2."""
    model = Shared()
    model.stem.weight.data[:, 0, 0, 0] = torch.tensor([1.0, 0.0])
    model.conv.weight.data.zero_()
    model.conv.weight.data[0, 0, 1, 1] = 2.0  # the centre of the kernel: the same spikes again
    picture = torch.zeros(1, 1, 4, 4)
    picture[0, 0, 0, 0] = picture[0, 0, 1, 1] = 2.0  # a corner and an inner pixel
    return model, picture


def test_a_layer_that_is_called_twice_is_one_row_with_twice_the_operations():
    model, picture = by_hand()
    table = profile(capture(model, picture), picture).set_index("name")
    row = table.loc["conv"]
    assert row.macs == 2 * (2 * 9) * 2 * 16  # calls x fan-in x outputs
    # 2 calls x 2 steps x 2 pixels; a corner pixel reaches 4 positions, an inner one 9, each 2 channels
    assert row.spikes == 2 * 2 * 2
    assert row.synops == 2 * 2 * (4 + 9) * 2
    assert row.lif_spikes == 4 + 4  # of lif0 and, seen by the second call, of lif1: 2 pixels x 2 steps each
    addition = table.loc["add"]
    assert (addition.sees, addition.largest, addition.input_bits) == ("count", 2, 2)
    assert (addition.in_channels, addition.in_height, addition.in_width) == (2, 4, 4)
    assert (addition.after, addition.since) == ("conv", "stem")  # what its first call gives goes around it
    assert row.weights == 36
    assert row.events == 4 + 8  # one spike in every place of the first call, counts of 2 in the second
    image = table.loc["stem"]
    assert (image.sees, image.input_bits, image.spikes) == ("image", 8, 2 * 2)  # the image counts in every step


def test_a_loop_over_time_counts_as_much_as_all_steps_at_once():
    x = images()
    table = profile(capture(seeded(lambda: Inside(LIFNode, steps=4)), x), x).set_index("name")
    assert table.time_steps.tolist() == [4] * 3
    assert table.loc["conv2", "spikes"] == table.loc["conv2", "lif_spikes"] > 0
    assert table.loc["conv1", "spikes"] == 4 * 3 * 16 * 16
    assert table.loc["fc", "sees"] == "count"  # a mean of spikes over the 8 x 8 map
    assert table.loc["fc", "largest"] == 64
    assert table.loc["fc", "lif"] == "lif2"


def test_levels():
    class Levels(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.neuron, self.head = nn.Conv2d(3, 4, 3), IntegerNeuron(4), nn.Conv2d(4, 5, 1)

        def forward(self, images):
            return self.head(self.neuron(self.stem(images))).mean((2, 3))

    x = images()
    model = seeded(Levels)
    table = profile(capture(model, x), x).set_index("name")
    row = table.loc["head"]
    assert (row.sees, row.largest, row.input_bits, row.time_steps) == ("levels", 4, 3, 1)
    assert row.events > row.lif_spikes == row.spikes > 0  # level k is one input that is not zero, and k spikes
    codes = model.stem(x).detach().clamp(0, 4).round()
    assert row.events == pytest.approx(float(codes.sum()) / 3)


@pytest.mark.parametrize(
    ("leak", "bits"),
    [
        ({"tau": 2.0}, 0),  # half: a shift
        ({"tau": 4.0}, 0),  # 3/4: a shift and a subtraction
        ({"tau": 3.0}, 15),  # 2/3: 21 845 / 32 768
        ({"tau": None, "beta": 0.625, "decay_input": False}, 3),  # 5/8
        ({"tau": None, "beta": 0.9, "decay_input": False}, 15),  # 29 491 / 32 768
        ({"tau": None, "beta": 1.0, "decay_input": False}, 0),  # does not leak
        ({"tau": None, "beta": 0.0, "decay_input": False}, 0),  # forgets
    ],
)
def test_a_leak_that_is_no_shift_has_a_factor(leak, bits):
    law = sviT_models.SpikingLaw(**leak)
    assert law.leak_bits == bits
    assert bits in (0, leak_of(law).kept.bit_length())  # what the integer network multiplies by


def test_leaks_of_a_captured_network_are_costed_as_multiplications():
    x = images()
    shift, factor = (profile(capture(seeded(lambda t=t: Inside(lambda: LIFNode(tau=t))), x), x) for t in (2.0, 3.0))
    with_neurons = factor["neurons"] > 0
    assert (factor["leak_bits"] == np.where(with_neurons, 15, 0)).all()
    assert (shift["leak_bits"] == 0).all()
    chip, known = load_hardware("generic_45nm"), factor.assign(leak_bits=0)
    energy = [estimate(Workload.from_table(t), chip, 4).energy_by_component["neurons"] for t in (factor, known)]
    steps = float((factor["neurons"] * factor["time_steps"]).sum())
    bits, constants = chip.chip.state_bits, chip.chip
    product = constants.multiply_per_bit2 * bits * 15 + constants.multiply_per_bit * (bits + 15) / 2
    assert float(energy[0] - energy[1]) == pytest.approx(steps * (product - constants.add_per_bit * bits))


def test_shapes_need_no_images():
    x = images()
    graph = capture(seeded(lambda: Inside(LIFNode)), x)
    shapes, measured = layer_table(graph), profile(graph, x)
    counts = ["lif_spikes", "spikes", "synops", "balance", "events"]
    assert shapes[counts].isna().all().all()
    pd.testing.assert_frame_equal(shapes.drop(columns=counts), measured.drop(columns=counts))


def test_no_images_and_no_layers_are_refused():
    graph = capture(seeded(lambda: Inside(LIFNode)), images())
    with pytest.raises(ModelError, match="there are no images"):
        profile(graph, [])

    class Nothing(nn.Module):
        def forward(self, images):
            return images.mean((2, 3))

    with pytest.raises(ModelError, match="no weight layer"):
        layer_table(capture(Nothing(), images()))


def test_the_progress_is_told():
    done = []
    graph = capture(seeded(lambda: Inside(LIFNode)), images(3))
    profile(graph, images(3).split(2), done.append)
    assert done == [2, 3]
    assert np.isfinite(profile(graph, images(3)).balance).all()


def test_pruned_weights_are_counted():
    """A quarter of the first layer's weights are zero; a network without zeros has no such column."""
    network, x = seeded(lambda: Inside(LIFNode)), images()
    assert "nonzero" not in profile(capture(network, x), x)
    with torch.no_grad():
        weights = network.conv1.weight.view(-1)
        weights[: len(weights) // 4] = 0
    table = profile(capture(network, x), x)
    assert table.set_index("name").nonzero.to_dict() == {"conv1": 0.75, "conv2": 1, "fc": 1}
    work = Workload.from_table(table)
    assert work.columns["nonzero"].tolist() == [0.75, 1, 1]
    assert Workload.from_table(work.table()).columns["nonzero"].tolist() == [0.75, 1, 1]
