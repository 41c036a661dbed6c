"""Layer tables that were measured on a real network, as trained and fused, cost what the slow implementation says."""

from functools import cache

import numpy as np
import pytest
import torch

import sviT_models
from costmodels import Designs, Workload, estimate, example_names, load_hardware
from tests.costmodels.oracle import constants_of, layers_of, naive


@cache
def measured(fused: bool) -> Workload:
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model.eval()
    images = sviT_models.load_data("digits", "search", count=8).images
    network = sviT_models.fuse(model) if fused else model
    with torch.no_grad():
        return Workload.from_table(sviT_models.profile(network, images))


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("chip", ["generic_45nm", "loihi_like", "seneca_like", "literature_45nm"])
def test_a_measured_table_costs_what_the_slow_implementation_says(chip: str, fused: bool):
    work, hardware = measured(fused), load_hardware(chip)
    rng = np.random.default_rng(5)
    bits = rng.choice([1, 2, 4, 8, 16], len(work.weight_layers))
    states = rng.integers(4, 17, work.rows)
    cost = estimate(work, hardware, Designs(bits, state_bits=states, activation_bits=12))
    slow = naive(
        layers_of(work),
        constants_of(hardware),
        hardware.dataflow,
        hardware.weight_widths,
        bits.tolist(),
        work.time_steps,
        grows=hardware.chip.accumulator_grows,
        state_bits=states.tolist(),
        activation_bits=12,
        own_sums=not hardware.chip.sums_in_potentials,
    )
    for name, value in slow.items():
        assert float(getattr(cost, name)) == pytest.approx(value, rel=1e-12), name


def test_the_fused_network_has_fewer_rows_the_same_neurons_and_more_operations():
    plain, fused = measured(False), measured(True)
    assert len(plain.lif_layers) == len(fused.lif_layers) == 77
    assert plain.columns["neurons"].sum() == fused.columns["neurons"].sum()
    assert len(fused.weight_layers) < len(plain.weight_layers) == 138
    assert fused.columns["macs"].sum() > plain.columns["macs"].sum()
    # convolutions without a neuron between them are gone: only the image is still multi-bit
    assert int(np.sum(fused.geometry.multibit & ~fused.geometry.image)) == 0


@pytest.mark.parametrize("name", example_names())
def test_operations_and_neurons_of_all_four_sizes_are_those_of_the_built_network(name: str):
    with torch.device("meta"):  # shapes are enough
        built = sviT_models.build(name, num_classes=1000, time_steps=4)
    table = sviT_models.layer_table(built, 224)
    table = table[table["kind"] != "add"].set_index("name")
    work = Workload.example(name)
    assert list(table.index) == list(work.names)
    for column in ("macs", "weights", "neurons", "fan_in", "channel_constants"):
        assert (table[column].to_numpy() == work.columns[column]).all(), column


@pytest.mark.parametrize("fused", [False, True])
def test_the_example_tables_have_the_shapes_of_a_measured_one(fused: bool):
    """Names, kinds, inputs, shapes and LIF layers of `Workload.example` are those of the built network."""
    model = sviT_models.build("sdtv2_8_256", num_classes=1000, time_steps=1).eval()
    with torch.no_grad():
        network = sviT_models.fuse(model) if fused else model
        seen = Workload.from_table(sviT_models.profile(network, torch.zeros(1, 3, 224, 224)))
    example = Workload.example("sdtv2_8_256", time_steps=1, fused=fused)
    assert example.texts == seen.texts
    assert example.streams == seen.streams
    for name in ("weights", "macs", "neurons", "fan_in", "kernel", "stride", "padding", "input_bits", "out_height"):
        assert (example.columns[name] == seen.columns[name]).all(), name
