"""Estimates against a second, slow implementation, in batches, and against the laws that any cost must obey."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodels import (
    CostError,
    Designs,
    Hardware,
    Workload,
    breakdown,
    configured,
    estimate,
    hardware_names,
    load_hardware,
    separable_tables,
)
from costmodels.hardware.hardware import resolve
from costmodels.hardware.schema import HardwareFile
from tests.costmodels.oracle import constants_of, layers_of, naive

WIDTHS = np.array([1, 2, 3, 4, 5, 6, 7, 8, 16, 32])
QUANTITIES = ("energy_j", "latency_s", "power_w", "memory_bytes")


FORMS = {
    "fixed": {"weight_bits": (16, "bit"), "input_bits": (16, "bit")},
    "bit_serial": {"lanes": (16, "1")},
    "decomposable": {"weight_bits": (16, "bit"), "input_bits": (16, "bit"), "smallest_bits": (2, "bit")},
}


@cache
def example(name: str = "sdtv2_8_256", fused: bool = False) -> Workload:
    """An example network; of every operation product sparsity leaves 30 % and moves 0.4 sums; some weights are zero."""
    work = Workload.example(name, rate=0.15, fused=fused)
    products = {"product_share": np.full(work.rows, 0.3), "product_sums_share": np.full(work.rows, 0.4)}
    zeros = {"nonzero": np.full(work.rows, 0.9), "nonzero_4": np.full(work.rows, 0.6)}
    return replace(work, columns={**work.columns, **products, **zeros})


@cache
def chips() -> dict[str, Hardware]:
    found = {name: load_hardware(name) for name in hardware_names()}
    found["generic_45nm time_step_major"] = configured(found["generic_45nm"], {"dataflow": "time_step_major"})
    found["generic_45nm product_sparsity"] = configured(found["generic_45nm"], {"dataflow": "product_sparsity"})
    without = found["generic_45nm"].with_constant("wire", 0).with_constant("clock_per_area", 0)
    found["generic_45nm without wires"] = without
    for form, numbers in FORMS.items():
        entries = {key: {"value": value, "unit": unit, "source": "test"} for key, (value, unit) in numbers.items()}
        found[f"generic_45nm {form}"] = found["generic_45nm"].with_datapath({"form": form, **entries})
    for name in ZEROS:
        found[f"{name} zeros"] = minding_zeros(found[name])
    return found


def minding_zeros(hardware: Hardware) -> Hardware:
    """The chip, skipping weights that are zero and meeting the zeros of attention."""
    tree = hardware.file.model_dump(mode="python", exclude_none=True)
    tree["compute"] |= {"zero_weights": "skipped", "attention_zeros": "added"}
    return resolve(HardwareFile.model_validate(tree), hardware.name, hardware.path, hardware.sha256)


def uniform(work: Workload, widths: list[int]) -> np.ndarray:
    """The same width in every layer, a design per width."""
    return np.repeat(np.array(widths)[:, None], len(work.weight_layers), axis=1)


ZEROS = (
    "generic_45nm",
    "generic_45nm time_step_major",
    "generic_45nm product_sparsity",
    "generic_45nm bit_serial",
    "seneca_like",
    "literature_45nm",
)
FLOWS = ("generic_45nm time_step_major", "generic_45nm product_sparsity", "generic_45nm without wires")
CHIP = st.sampled_from(
    [*hardware_names(), *FLOWS, *(f"generic_45nm {form}" for form in FORMS), *(f"{name} zeros" for name in ZEROS)]
)


@settings(max_examples=60)
@given(chip=CHIP, fused=st.booleans(), seed=st.integers(0, 2**32 - 1), own=st.booleans(), between=st.booleans())
def test_equals_the_slow_implementation(chip: str, fused: bool, seed: int, own: bool, between: bool):
    hardware, work, rng = chips()[chip], example(fused=fused), np.random.default_rng(seed)
    bits = rng.choice(WIDTHS, len(work.weight_layers))
    states = rng.integers(4, 17, work.rows) if own else None  # a width per row
    activations, streams = rng.integers(4, 17, 2).tolist() if between else (None, None)
    cost = estimate(work, hardware, Designs(bits, state_bits=states, activation_bits=activations, stream_bits=streams))
    slow = naive(
        layers_of(work),
        constants_of(hardware),
        hardware.dataflow,
        hardware.weight_widths,
        bits.tolist(),
        work.time_steps,
        grows=hardware.chip.accumulator_grows,
        state_bits=None if states is None else states.tolist(),
        activation_bits=activations,
        datapath=hardware.datapath,
        stream_bits=streams,
        own_sums=not hardware.chip.sums_in_potentials,
        skips_zeros=hardware.chip.skips_zeros,
        adds_attention_zeros=hardware.chip.adds_attention_zeros,
    )
    for name in QUANTITIES:
        assert float(getattr(cost, name)) == pytest.approx(slow[name], rel=1e-12), name


@settings(max_examples=12)
@given(chip=CHIP, seed=st.integers(0, 2**32 - 1), count=st.sampled_from([1, 2, 63, 64, 65, 300]), own=st.booleans())
def test_a_row_of_a_batch_equals_the_single_call_to_the_last_bit(chip: str, seed: int, count: int, own: bool):
    hardware, work, rng = chips()[chip], example(), np.random.default_rng(seed)
    bits = rng.choice(WIDTHS, (count, len(work.weight_layers)))
    states = rng.integers(4, 17, (count, work.rows)) if own else None
    between = rng.integers(4, 17, (count, work.rows)) if own and seed % 2 else None
    streams = rng.integers(4, 17, (count, len(work.streams))) if own else None
    spikes = None
    if own:
        measured = np.array(
            [work.columns["neurons"][r] for r, lif in enumerate(work.texts["lif"]) for _ in lif.split(";") if lif]
        )
        share = np.array([len(lif.split(";")) for lif in work.texts["lif"] for _ in lif.split(";") if lif])
        spikes = measured / share * work.time_steps * rng.random((count, len(work.lif_layers)))
    widths = {"state_bits": states, "spikes": spikes, "activation_bits": between, "stream_bits": streams}
    batch = estimate(work, hardware, Designs(bits, **widths))
    for i in {0, count // 2, count - 1}:
        own_widths = {name: None if values is None else values[i] for name, values in widths.items()}
        single = estimate(work, hardware, Designs(bits[i], **own_widths))
        for name in (*QUANTITIES, "throughput_power_w", "off_chip_bytes", "feasible"):
            assert getattr(single, name) == getattr(batch, name)[i], name
        for name, values in batch.energy_by_component.items():
            assert single.energy_by_component[name] == values[i], name


def test_many_designs_equal_few_to_the_last_bit():
    work, hardware = example(), chips()["generic_45nm"]
    bits = np.random.default_rng(0).choice(WIDTHS, (5000, len(work.weight_layers)))
    many = estimate(work, hardware, bits, components=False)
    for i in (0, 4095, 4096, 4999):
        single = estimate(work, hardware, bits[i])
        for name in QUANTITIES:
            assert getattr(single, name) == getattr(many, name)[i], name


def test_batch_axes_lead_and_broadcast():
    work, hardware = example(), chips()["generic_22nm"]
    layers = len(work.weight_layers)
    bits = np.random.default_rng(1).integers(2, 9, (3, 4, layers))
    cost = estimate(work, hardware, Designs(bits, state_bits=np.full((4, work.rows), 8)))
    assert cost.energy_j.shape == cost.feasible.shape == cost.area_mm2.shape == (3, 4)
    assert cost.energy_by_component["weights"].shape == (3, 4)
    assert estimate(work, hardware, 4).energy_j.shape == ()


def test_designs_of_different_time_steps_are_costed_in_one_call():
    work, hardware, rng = example(), chips()["generic_22nm"], np.random.default_rng(2)
    bits, steps = rng.choice(WIDTHS, (2, 3, len(work.weight_layers))), np.array([[1, 4, 2], [4, 4, 1]])
    states = rng.integers(4, 17, (3, work.rows))
    batch = estimate(work, hardware, Designs(bits, time_steps=steps, state_bits=states))
    assert batch.energy_j.shape == batch.violations["weights"].shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        alone = estimate(work, hardware, Designs(bits[i, j], time_steps=int(steps[i, j]), state_bits=states[j]))
        for name in (*QUANTITIES, "feasible", "area_mm2"):
            assert getattr(batch, name)[i, j] == getattr(alone, name), name
        assert batch.energy_by_component["states"][i, j] == alone.energy_by_component["states"]
        assert batch.violations["frame_rate"][i, j] == alone.violations["frame_rate"]


def test_time_steps_alone_make_a_batch():
    work, hardware = example(), chips()["literature_45nm"]
    energy = estimate(work, hardware, Designs(4, time_steps=[1, 4, 1])).energy_j
    assert energy.shape == (3,)
    assert energy[1] == pytest.approx(4 * energy[0], rel=1e-12)
    assert energy[2] == energy[0]
    assert estimate(work, hardware, Designs(4, time_steps=[4, 4])).energy_j.tolist() == [energy[1]] * 2


def test_potentials_may_have_a_width_per_lif_layer():
    """K and V of the eight attention blocks share a row, whose array is as wide as the wider of the two."""
    work, hardware = example(), chips()["generic_45nm time_step_major"]
    assert len(work.lif_layers) == 77
    by_layer = np.random.default_rng(4).integers(4, 17, (3, 77))
    by_row = np.full((3, work.rows), int(hardware.chip.state_bits))
    for row, joined in enumerate(work.texts["lif"]):
        own = [work.lif_layers.index(name) for name in joined.split(";") if name]
        if own:
            by_row[:, row] = by_layer[:, own].max(axis=1)
    pairs = [row for row, joined in enumerate(work.texts["lif"]) if ";" in joined]
    assert len(pairs) == 8
    a, b = (estimate(work, hardware, Designs(4, state_bits=s)) for s in (by_layer, by_row))
    for name in QUANTITIES:
        assert (getattr(a, name) == getattr(b, name)).all()
    assert len(set(a.energy_j.tolist())) == 3


@settings(max_examples=20)
@given(chip=CHIP, few=st.integers(1, 15))
def test_no_cost_falls_with_wider_activations(chip: str, few: int):
    narrow, wide = (
        estimate(example(), chips()[chip], Designs(4, activation_bits=b), components=False) for b in (few, few + 1)
    )
    for name in QUANTITIES:
        assert getattr(wide, name) >= getattr(narrow, name) * (1 - 1e-12), name


def test_activations_may_have_a_width_per_row():
    work, hardware = example(), chips()["generic_45nm"]
    widths = np.full(work.rows, 8)
    same, one = (estimate(work, hardware, Designs(4, activation_bits=a)) for a in (widths, 8))
    assert same.energy_j == one.energy_j
    widths[np.flatnonzero(work.geometry.multiplies & ~work.geometry.image)[0]] = 16
    assert estimate(work, hardware, Designs(4, activation_bits=widths)).energy_j > one.energy_j


def test_uniform_width_may_be_one_number():
    work, hardware = example(), chips()["generic_45nm"]
    one = estimate(work, hardware, 4)
    assert one.energy_j == estimate(work, hardware, [4] * len(work.weight_layers)).energy_j


@settings(max_examples=30)
@given(chip=CHIP, seed=st.integers(0, 2**32 - 1))
def test_no_cost_falls_when_one_layer_gets_more_bits(chip: str, seed: int):
    hardware, work, rng = chips()[chip], example(), np.random.default_rng(seed)
    bits = rng.choice(WIDTHS[:-1], len(work.weight_layers))
    more = bits.copy()
    layer = rng.integers(len(bits))
    more[layer] = min(16, more[layer] + rng.integers(1, 8))
    few, many = (estimate(work, hardware, b, components=False) for b in (bits, more))
    quantities = ("power_w", "memory_bytes")
    if hardware.dataflow != "event_driven":  # a layer with more bits is spread over more cores, which also compute
        quantities += ("latency_s", "energy_j")
    for name in quantities:
        assert getattr(many, name) >= getattr(few, name) * (1 - 1e-12), name


@settings(max_examples=30)
@given(chip=CHIP, seed=st.integers(0, 2**32 - 1))
def test_no_cost_falls_with_more_spikes_or_wider_states(chip: str, seed: int):
    hardware, work, rng = chips()[chip], example(), np.random.default_rng(seed)
    limit = work.with_time_steps(work.time_steps).columns["neurons"] * work.time_steps
    shares = [len([n for n in lif.split(";") if n]) for lif in work.texts["lif"]]
    most = np.array([limit[r] / n for r, n in enumerate(shares) for _ in range(n)])
    low = rng.random(len(most))
    high = low + (1 - low) * rng.random(len(most))
    few, many = (estimate(work, hardware, Designs(4, spikes=most * s)) for s in (low, high))
    narrow, wide = (estimate(work, hardware, Designs(4, state_bits=b)) for b in (6, 12))
    for name in ("energy_j", "latency_s", "power_w"):
        assert getattr(many, name) >= getattr(few, name) * (1 - 1e-12), name
        if name == "power_w" or hardware.dataflow != "event_driven":
            assert getattr(wide, name) >= getattr(narrow, name) * (1 - 1e-12), name


@pytest.mark.parametrize("chip", hardware_names())
def test_twice_the_energies_cost_twice_the_energy(chip: str):
    hardware, work = chips()[chip], example()
    doubled = hardware
    for key, constant in hardware.table.items():
        if constant.dimension in ("J", "J/bit", "J/bit2", "J/bit/mm", "J/mm2", "W"):
            doubled = doubled.with_constant(key, 2 * constant.value)
    before, after = (estimate(work, h, 4) for h in (hardware, doubled))
    assert float(after.energy_j) == pytest.approx(2 * float(before.energy_j), rel=1e-12)
    assert float(after.power_w) == pytest.approx(2 * float(before.power_w), rel=1e-12)
    assert after.latency_s == before.latency_s


@pytest.mark.parametrize("chip", ["generic_45nm", "loihi_like", "seneca_like"])
def test_without_spikes_only_static_terms_and_multibit_layers_remain(chip: str):
    hardware = chips()[chip]
    silent = Workload.example("sdtv2_8_256", rate=0.0)
    table = breakdown(silent, hardware, 4)
    energy = table[table["quantity"] == "energy_j"]
    moving = energy[energy["component"].isin(["compute", "weights", "sums", "noc"])]
    multibit = {name for name, kind in zip(silent.names, silent.texts["input"], strict=True) if kind == "multibit"}
    operations = moving[moving["component"].isin(["compute", "weights", "noc"])]
    assert set(operations["layer"]) <= multibit
    # what else is left does not depend on spikes: neuron sweeps, potentials, channel constants, leakage
    assert set(energy["component"]) <= {
        *("compute", "weights", "sums", "noc", "control", "neurons", "rescale", "states", "spikes", "dram", "leakage"),
        "streams",
    }


def test_layers_add_up():
    """Energy and memory of the first half and of the second half of a network sum to the whole."""
    whole = example()
    table, cut = whole.table(), whole.names.index("downsample3.encode_conv")  # no shortcut goes around it
    row = {name: place for place, name in enumerate(whole.names)}
    first = table["name"].map(row).fillna(table["after"].map(row)) < cut
    parts = [Workload.from_table(table[rows].reset_index(drop=True)) for rows in (first, ~first)]
    assert [len(part.streams) for part in parts] == [8, 16]
    hardware = chips()["generic_45nm"].with_constant("logic_leakage", 0.0)
    for memory in ("weights", "states", "spikes"):
        hardware = hardware.with_constant(f"memories.{memory}.leakage", 0.0)
        hardware = hardware.with_constant(f"memories.{memory}.size", 1e12)  # no cliffs
    costs = [estimate(work, hardware, 4) for work in (whole, *parts)]
    assert float(costs[0].energy_j) == pytest.approx(float(costs[1].energy_j + costs[2].energy_j), rel=1e-12)
    assert float(costs[0].latency_s) == pytest.approx(float(costs[1].latency_s + costs[2].latency_s), rel=1e-12)
    shared = [float(cost.memory_bytes - cost.memory_by_component["buffers"]) for cost in costs]
    assert shared[0] == shared[1] + shared[2]


@pytest.mark.parametrize("chip", hardware_names())
def test_separable_tables_give_the_same_costs(chip: str):
    hardware, work = chips()[chip], example()
    widths = [2, 3, 4, 6, 8]
    places = np.random.default_rng(3).integers(0, len(widths), len(work.weight_layers))
    bits = np.array(widths)[places]
    cost = estimate(work, hardware, bits, frame_rate=7)
    streamed = bool(cost.off_chip_bytes > 0) and hardware.chip.has_dram
    tables = separable_tables(work, hardware, uniform(work, widths), streamed=streamed, frame_rate=7)
    assert tables.layers == work.weight_layers
    for name in tables.tables:
        if name in ("weight_bytes", "dynamic_j"):
            continue
        total = tables.offsets[name] + tables.tables[name][np.arange(len(places)), places].sum()
        exact = float(getattr(cost, name))
        assert total - tables.below[name] - 1e-12 * exact <= exact <= total + tables.above[name] + 1e-12 * exact, name
        assert streamed or tables.below[name] == tables.above[name] == 0
    assert ("latency_s" in tables.tables) == (hardware.dataflow != "event_driven")
    clocked = hardware.chip.gated_power  # only during inferences
    leak = hardware.chip.leakage - clocked + 7 * float(cost.latency_s) * clocked
    dynamic = tables.offsets["dynamic_j"] + tables.tables["dynamic_j"][np.arange(len(places)), places].sum()
    exact = (float(cost.power_w) - leak) / 7
    assert dynamic - tables.below["dynamic_j"] <= exact * (1 + 1e-12)
    assert exact * (1 - 1e-12) <= dynamic + tables.above["dynamic_j"]
    assert tables.below["dynamic_j"] + tables.above["dynamic_j"] < 0.03 * exact  # what the bound leaves open


def test_separable_tables_hold_on_one_side_of_the_cliff():
    """15.0 M weights: 1.9 MB at 1 bit and 3.7 MB at 2 bit fit into 4 MiB, 7.5 MB at 4 bit do not."""
    work, hardware = example(), chips()["generic_45nm"]

    def energy(widths: list[int], streamed: bool | None = None) -> np.ndarray:
        return separable_tables(work, hardware, uniform(work, widths), streamed=streamed).tables["energy_j"]

    assert np.all(energy([1, 4], streamed=False) < energy([1, 4], streamed=True))
    assert np.array_equal(energy([1, 4]), energy([1, 4], streamed=True))
    assert np.array_equal(energy([1, 2]), energy([1, 2], streamed=False))
    assert np.array_equal(energy([4, 8]), energy([4, 8], streamed=True))


def test_each_layer_may_have_options_of_its_own():
    work, hardware = example(), chips()["generic_45nm"]
    options = np.random.default_rng(5).integers(1, 9, (3, len(work.weight_layers)))
    tables = separable_tables(work, hardware, options, streamed=True)
    for option, widths in enumerate(options):
        alone = estimate(work, hardware, widths)
        total = tables.offsets["memory_bytes"] + tables.tables["memory_bytes"][:, option].sum()
        assert total == pytest.approx(float(alone.memory_bytes), rel=1e-12)


def test_fewer_time_steps_scale_the_measured_spikes():
    work, hardware = example(), chips()["literature_45nm"]
    four, one = (estimate(work, hardware, Designs(4, time_steps=t)) for t in (4, 1))
    assert float(four.energy_j) == pytest.approx(4 * float(one.energy_j), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight_bits": [4, 4]}, r"weight_bits has shape \(2,\); expected \(..., 138\)"),
        ({"weight_bits": 0}, "weight_bits of downsample1_1.encode_conv is 0; expected 1 to 16"),
        ({"weight_bits": 20}, "is 20; expected 1 to 16"),
        ({"weight_bits": -3}, "weight_bits is -3"),
        ({"weight_bits": 4.5}, "weight_bits is 4.5; expected whole numbers"),
        ({"weight_bits": "4"}, "weight_bits has type"),
        ({"weight_bits": 4, "state_bits": 0}, "state_bits is 0; expected 1 to 32"),
        ({"weight_bits": 4, "state_bits": [8, 8]}, r"state_bits has shape \(2,\)"),
        ({"weight_bits": 4, "activation_bits": 0}, "activation_bits is 0"),
        ({"weight_bits": 4, "activation_bits": [8, 8]}, r"activation_bits has shape \(2,\); expected one number"),
        ({"weight_bits": 4, "stream_bits": [8, 8]}, r"stream_bits has shape \(2,\); expected .* one per addition"),
        ({"weight_bits": 4, "stream_bits": 33}, "stream_bits is 33; expected 1 to 32"),
        ({"weight_bits": 4, "state_bits": [8] * 76 + [40]}, "state_bits is 40; expected 1 to 32"),
        ({"weight_bits": 4, "time_steps": 0}, "time_steps is 0; expected at least 1"),
        ({"weight_bits": 4, "frame_rate": 0}, "frame_rate is 0"),
        ({"weight_bits": 4, "spikes": [1, 2]}, r"spikes has shape \(2,\); expected \(..., 77\)"),
        ({"weight_bits": 4, "spikes": {"nowhere": 1}}, "unknown LIF layer 'nowhere'"),
        ({"weight_bits": 4, "spikes": {"lif": 1e9}}, "spikes of lif is 1e.09; expected 0 to 1440"),
        ({"weight_bits": 4, "spikes": {"lif": -1}}, "spikes of lif is -1; expected 0 to"),
        ({"weight_bits": 4, "time_steps": 2.5}, "time_steps is 2.5; expected a whole number"),
        ({"weight_bits": np.zeros((0, 138), dtype=np.uint8)}, "no designs"),
        ({"weight_bits": np.full((3, 138), 4), "state_bits": np.full((2, 154), 4)}, "do not broadcast"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict, message: str):
    rate = arguments.get("frame_rate")
    own = {name: value for name, value in arguments.items() if name != "frame_rate"}
    with pytest.raises(CostError, match=message):
        estimate(example(), chips()["generic_45nm"], Designs(**own), frame_rate=rate)


def test_breakdown_and_tables_are_for_one_design():
    with pytest.raises(CostError, match="breakdown is for one design, not 2"):
        breakdown(example(), chips()["generic_45nm"], np.full((2, 138), 4))
    with pytest.raises(CostError, match="no designs; expected at least one"):
        separable_tables(example(), chips()["generic_45nm"], np.zeros((0, 138), dtype=np.uint8))
    spikes = np.zeros((2, 77))
    with pytest.raises(CostError, match="separable tables need one activity"):
        separable_tables(example(), chips()["generic_45nm"], Designs(np.full((2, 138), 4), spikes=spikes))
    with pytest.raises(CostError, match="time_steps are 2, 4; expected the same for all designs"):
        separable_tables(example(), chips()["generic_45nm"], Designs(np.full((2, 138), 4), time_steps=[2, 4]))
