"""Costs of a two-layer network on a chip of round numbers, worked out by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from costmodels import CostError, Designs, Workload, actions, breakdown, estimate, load_hardware, reasons
from tests.costmodels.small import plain, plain_text, two_layers

PJ = 1e-12

# stem.conv: 2 x 4 x 4 = 32 inputs, 4 x 4 x 4 = 64 outputs, 4 * 2 * 9 = 72 weights, fan-in 18, 72 * 16 = 1152 MAC,
#            10 spikes over T = 2 that cause 300 operations, 32 neurons, 4 channel constants
# head:      64 inputs, 10 outputs, 640 weights, fan-in 64, 640 MAC, 20 spikes -> 20 / 64 * 640 = 200 operations,
#            64 neurons, 10 channel constants
BITS = [4, 2]


def test_tick_batched_energy_component_by_component(tmp_path: Path):
    cost = estimate(two_layers(), plain(tmp_path), BITS)
    part = {name: float(value) / PJ for name, value in cost.energy_by_component.items()}
    # accumulators: 4 + ceil(log2 18) = 9 bit and 2 + ceil(log2 64) = 8 bit; 1 pJ per bit
    assert part["compute"] == pytest.approx(300 * 9 + 200 * 8)
    # 3 additions of 8 bit per neuron and step: (32 + 64) * 2 * 24
    assert part["neurons"] == pytest.approx(96 * 2 * 24)
    # control factor 2: once more the arithmetic of operations and neurons
    assert part["control"] == pytest.approx(300 * 9 + 200 * 8 + 96 * 2 * 24)
    # each output and step: 16-bit scale times the sum, and one addition: 128 * (9 * 16 + 9) + 20 * (8 * 16 + 8)
    assert part["rescale"] == pytest.approx(128 * 153 + 20 * 136)
    # conv: a word of 16 bit holds 4 weights, a run of 4 output channels takes 1 word; tile of 2 positions, all steps
    # together: min(300, 1152 / 2) = 300 operations fetch -> 75 words.  head: 1 position, min(200, 640) = 200;
    # run of 10 weights at 8 per word = 2 words -> 200 / 10 * 2 = 40 words.  7 pJ each
    assert part["weights"] == pytest.approx(7 * (75 + 40))
    # registers: every operation writes its sum (9, 8 bit), every neuron step its potential (8 bit); 0.1 pJ per bit
    assert part["sums"] == pytest.approx(0.1 * (300 * 9 + 200 * 8 + 96 * 2 * 8))
    assert part["states"] == 0
    # conv: address events 10 * 5 = 50 bit < bitmap 32 * 2 = 64; head: 20 * 6 = 120 < 64 * 2 = 128; written alike
    assert part["spikes"] == pytest.approx((50 + 120) / 16 * 7 + (50 + 120) / 16 * 3)
    assert part["dram"] == part["noc"] == 0
    assert float(cost.energy_j) == pytest.approx(sum(part.values()) * PJ, rel=1e-12)


def test_latency_is_the_longest_of_compute_and_ports(tmp_path: Path):
    cost = estimate(two_layers(), plain(tmp_path), BITS)
    # 1 MHz.  conv: 300 / 4 accumulators = 75, 75 weight words, 100 / 16 spike words -> 75 us; head: 50, 40, 15 -> 50 us
    assert float(cost.latency_s) == pytest.approx(125e-6)


def test_unbalanced_channels_stretch_compute(tmp_path: Path):
    cost = estimate(two_layers(balance=0.5), plain(tmp_path), BITS)
    assert float(cost.latency_s) == pytest.approx((75 / 0.5 + 50) * 1e-6)


def test_power_at_the_frame_rate_and_without_pause(tmp_path: Path):
    cost = estimate(two_layers(), plain(tmp_path), BITS)
    leak = 3 * 2e-6 + 1e-6  # three memories and the logic
    assert float(cost.energy_by_component["leakage"]) == pytest.approx(leak * 125e-6)
    dynamic = float(cost.energy_j) - leak * 125e-6
    assert float(cost.power_w) == pytest.approx(dynamic * 10 + leak)
    assert float(cost.throughput_power_w) == pytest.approx(dynamic / 125e-6 + leak)
    faster = estimate(two_layers(), plain(tmp_path), BITS, frame_rate=20)
    assert float(faster.power_w) == pytest.approx(dynamic * 20 + leak)


def test_memory_with_packing_waste(tmp_path: Path):
    cost = estimate(two_layers(), plain(tmp_path), [3, 2])
    part = {name: float(value) for name, value in cost.memory_by_component.items()}
    assert part["weights"] == (72 * 3 + 640 * 2) / 8
    # 5 weights of 3 bit in a 16-bit word: ceil(72 / 5) = 15 words = 240 bit for 216; 8 of 2 bit fit exactly
    assert part["packing"] == (240 - 216) / 8
    assert part["scales"] == part["biases"] == 14 * 16 / 8
    assert part["states"] == 0  # in registers
    # input of the convolution and of the head at once, as bitmaps of both steps: (32 + 64) * 2 bit
    assert part["buffers"] == 96 * 2 / 8
    assert float(cost.memory_bytes) == sum(part.values())
    assert float(cost.area_mm2) == 1.5


def test_event_driven_reads_every_weight_and_keeps_sums_in_memory(tmp_path: Path):
    cost = estimate(two_layers(), plain(tmp_path, "event_driven"), BITS)
    part = {name: float(value) / PJ for name, value in cost.energy_by_component.items()}
    assert part["weights"] == pytest.approx(7 * (300 / 4 * 1 + 200 / 10 * 2))
    # sums of 9 bit: one per 16-bit word, 300 of them; of 8 bit: two per word, ceil(10 / 2) = 5 words per spike
    # in each of 2 steps a sweep adds all to the potentials and clears them: 64 and 5 words
    assert part["sums"] == pytest.approx((300 + 200 / 10 * 5 + 2 * (64 + 5)) * (7 + 3))
    # potentials of 8 bit, two per word, once per step: 2 * (16 + 32) words, read and written; two rows take a third
    # step, in which all potentials and sums are swept as well
    assert part["states"] == pytest.approx(3 * 48 * 10 + (64 + 5) * 10)
    assert float(cost.memory_by_component["states"]) == 2 * (48 + 64 + 5)  # bytes: sums have a place


def test_sums_in_the_potentials_have_their_width_and_need_no_place(tmp_path: Path):
    text = plain_text("event_driven").replace("dataflow: event_driven", "dataflow: event_driven\nsums: potential")
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    chip = load_hardware(tmp_path / "own.yaml")
    cost = estimate(two_layers(), chip, BITS)
    part = {name: float(value) / PJ for name, value in cost.energy_by_component.items()}
    # potentials of 8 bit, two per word: 300 / 4 runs of 2 words and 200 / 10 runs of 5
    assert part["sums"] == pytest.approx((300 / 4 * 2 + 200 / 10 * 5) * (7 + 3))
    assert part["states"] == pytest.approx(3 * 48 * 10)
    assert float(cost.memory_by_component["states"]) == 2 * 48


def test_a_barrier_sweeps_idle_layers_too(tmp_path: Path):
    """B2: six layers of 10 neurons, one time step: 6 steps of the ramp, each a sweep of all 60 potentials."""
    layer = {"kind": "linear", "in_channels": 10, "out_channels": 10, "spikes": 0, "synops": 0, "time_steps": 1}
    work = Workload.from_table(pd.DataFrame([layer | {"name": f"fc{i}"} for i in range(6)]))
    cost = estimate(work, plain(tmp_path, "event_driven"), 4)
    part = {name: float(value) / PJ for name, value in cost.energy_by_component.items()}
    assert part["neurons"] == pytest.approx(6 * 60 * 3 * 8)
    assert part["states"] == pytest.approx(6 * 6 * 5 * 10 + 5 * 6 * 5 * 10)  # 5 words of potentials, 5 of sums each
    # where inferences follow each other every step is some inference's own: the five idle sweeps are not paid twice
    idle = 5 * 60 * 3 * 8 * 2 + 5 * 6 * (5 + 5) * 10  # control factor 2
    dynamic = float(cost.energy_j) / PJ - part["leakage"]
    leak = part["leakage"] * PJ / float(cost.latency_s)
    expected = (dynamic - idle) * PJ / float(cost.interval_s) + leak
    assert float(cost.throughput_power_w) == pytest.approx(expected)


def test_sums_that_outgrow_the_accumulator_are_a_violation(tmp_path: Path):
    """B7: 4-bit weights of 18 inputs need 9 bits, of 64 inputs with 3 bits 9 as well; 8 are too few."""
    for bits, fits in ((9, True), (8, False)):
        chip = plain(tmp_path).with_constant("compute.accumulator_bits", bits)
        cost = estimate(two_layers(), chip, BITS)
        assert bool(cost.feasible) is fits
        assert bool(cost.violations["accumulator"]) is not fits
    (said,) = reasons(two_layers(), chip, BITS)
    assert said == (
        "stem.conv has sums of up to 9 bits; compute.accumulator_bits is 8: use fewer bits for weights or inputs, or a "
        "wider accumulator"
    )
    one = load_hardware("generic_45nm").with_constant("compute.accumulator_bits", 8)
    assert not bool(estimate(Workload.example("sdtv2_8_256"), one, 8).feasible)
    assert not bool(estimate(two_layers(), one, 32).violations["accumulator"])  # float has units of its own


def test_measured_sums_say_what_an_accumulator_must_hold(tmp_path: Path):
    """The same layers on 8 bits: measured 8 and 7 fit, 9 does not; where 0 says unknown, the bounds are 9 and 8."""
    narrow = plain(tmp_path).with_constant("compute.accumulator_bits", 8)
    for measured, broken in (([8, 7], False), ([9, 7], True), ([0, 7], True), ([8, 0], False)):
        cost = estimate(two_layers(), narrow, Designs(BITS, sum_bits=measured))
        assert bool(cost.violations["accumulator"]) is broken, measured
        assert float(cost.energy_j) == float(estimate(two_layers(), narrow, BITS).energy_j)
    many = estimate(two_layers(), narrow, Designs([BITS, BITS], sum_bits=[[8, 7], [8, 12]]))
    assert many.violations["accumulator"].tolist() == [False, True]
    (said,) = reasons(two_layers(), narrow, Designs(BITS, sum_bits=[8, 12]))
    assert "has sums of up to 12 bits; compute.accumulator_bits is 8" in said
    with pytest.raises(CostError, match="sum_bits is 65; expected 0 to 64"):
        estimate(two_layers(), narrow, Designs(BITS, sum_bits=[8, 65]))


def test_time_step_major_fetches_weights_in_every_step(tmp_path: Path):
    cost = estimate(two_layers(), plain(tmp_path, "time_step_major"), BITS)
    part = {name: float(value) / PJ for name, value in cost.energy_by_component.items()}
    # a tile of 2 positions in each of 2 steps: min(300, 1152 * 2 / 2) and min(200, 640 * 2)
    assert part["weights"] == pytest.approx(7 * (75 + 40))
    assert part["states"] == pytest.approx(2 * 48 * 10)
    assert float(cost.memory_by_component["states"]) == 96  # 96 potentials of 8 bit


def test_potentials_that_do_not_fit_spill(tmp_path: Path):
    # 96 potentials of 16 bit are 192 bytes in a memory of 150: 42 bytes leave and come back in each of two steps
    chip = plain(tmp_path, "time_step_major", size=150)
    cost = estimate(two_layers(), chip, Designs(1, state_bits=16))
    # ceil(72 / 16) = 5 words and 40 words of weights, and 28 scales and constants: 146 bytes
    assert float(cost.room_bytes) == 4
    assert float(cost.energy_by_component["dram"]) / PJ == pytest.approx(2 * 2 * 42 * 8 * 5)
    assert float(cost.off_chip_bytes) == 42


def test_multibit_inputs_multiply(tmp_path: Path):
    work = two_layers(input="multibit", input_bits=8, spikes=64, synops=2304)
    cost = estimate(work, plain(tmp_path), BITS)
    # 4-bit weight x 8-bit input = 32 pJ, then an addition of 4 + 8 + 5 = 17 bit
    assert float(cost.energy_by_component["compute"]) / PJ == pytest.approx(2304 * (32 + 17) + 200 * 8)


def test_a_width_the_chip_lacks_is_stored_in_the_next_wider_one(tmp_path: Path):
    chip = plain(tmp_path)
    five, eight = (estimate(two_layers(), chip, [bits, 2]) for bits in (5, 8))
    assert float(five.memory_bytes) == float(eight.memory_bytes)
    assert float(five.energy_j) == float(eight.energy_j)
    assert bool(five.feasible)
    # 72 weights of 5 bit stored as 8: 27 bytes wasted
    assert float(five.memory_by_component["packing"]) == 27


def test_float_weights_use_fp32_units(tmp_path: Path):
    cost = estimate(two_layers(), plain(tmp_path), 32)
    # Horowitz at 45 nm: 0.9 pJ per fp32 addition
    assert float(cost.energy_by_component["compute"]) / PJ == pytest.approx(500 * 0.9)
    # sequencing as for 32-bit integers
    assert float(cost.energy_by_component["control"]) / PJ == pytest.approx(500 * 32 + 96 * 2 * 3 * 32)
    assert float(cost.memory_by_component["weights"]) == 712 * 4
    assert float(cost.memory_by_component["scales"]) == 0
    assert not bool(cost.feasible)  # the chip has no 32-bit weights
    assert bool(cost.violations["weight_width"])


def test_the_breakdown_adds_up(tmp_path: Path):
    for dataflow in ("tick_batched", "time_step_major", "event_driven"):
        chip = plain(tmp_path, dataflow, size=90)
        cost = estimate(two_layers(), chip, Designs(BITS, state_bits=16))
        table = breakdown(two_layers(), chip, Designs(BITS, state_bits=16))
        assert list(table.columns) == ["layer", "stage", "quantity", "component", "value"]
        sums = table.groupby("quantity")["value"].sum()
        assert sums["energy_j"] == pytest.approx(float(cost.energy_j), rel=1e-12)
        assert sums["memory_bytes"] == pytest.approx(float(cost.memory_bytes), rel=1e-12)
        parts = table[table["quantity"] == "energy_j"].groupby("component")["value"].sum()
        for name, value in cost.energy_by_component.items():
            np.testing.assert_allclose(parts.get(name, 0.0), value, rtol=1e-12)


def test_actions_show_what_was_counted(tmp_path: Path):
    table = actions(two_layers(), plain(tmp_path), BITS).set_index("layer")
    assert table.loc["stem.conv", "synops"] == 300  # exact, as measured
    assert table.loc["stem.conv", "rate_x_flops"] == 10 / 32 * 1152  # the literature's count, borders ignored
    assert table["sum_bits"].tolist() == [9, 8]
    assert table["weight_words"].tolist() == [75, 40]
    assert table["neuron_steps"].tolist() == [64, 128]
    with pytest.raises(CostError, match="actions are for one design"):
        actions(two_layers(), plain(tmp_path), [BITS, BITS])


def with_shortcut(**changes: Any) -> Workload:
    """Convolutions a, b and c of 4 channels on 4x4 pixels, two steps; the result of a goes around b and c.

    64 elements of 16 bit per step are held from a to c: 1024 bit.
    """
    conv = {"kind": "conv", "in_channels": 4, "out_channels": 4, "in_height": 4, "in_width": 4, "spikes": 10}
    rows = [conv | {"name": name, "time_steps": 2} for name in "abc"]
    add = {"name": "c.add", "kind": "add", "in_channels": 4, "in_height": 4, "in_width": 4, "time_steps": 2}
    return Workload.from_table(pd.DataFrame([*rows, add | {"after": "c", "since": "a"} | changes]))


def test_a_shortcut_adds_writes_reads_and_takes_room(tmp_path: Path):
    work, chip = with_shortcut(), plain(tmp_path)
    cost = estimate(work, chip, 4)
    without = estimate(replace(work, streams=()), chip, 4)
    # 64 elements x 2 steps: additions of 16 bit at 1 pJ per bit; 2 x 1024 bit in words of 16, read 7 pJ, written 3 pJ
    assert float(cost.energy_by_component["streams"]) / PJ == pytest.approx(128 * 16 + 128 * (7 + 3))
    table = breakdown(work, chip, 4)
    assert set(table[table["component"] == "streams"]["layer"]) == {"c"}
    # control factor 2: once more the additions
    control = cost.energy_by_component["control"] - without.energy_by_component["control"]
    assert float(control) / PJ == pytest.approx(128 * 16)
    # beside two maps of 64 spikes and two steps, 2 x 1024 bit for both steps, also while b runs
    assert actions(work, chip, 4)["buffer_bits"].tolist() == [256 + 2048, 256 + 2048, 128 + 2048]
    assert float(cost.memory_bytes - without.memory_bytes) == 2048 / 8
    # c: 128 additions on 4 units beside 10 x 4 operations; the spike port: 2 x 128 words more than the 40 / 16 before
    assert float(cost.latency_s - without.latency_s) == pytest.approx((128 * 2 + 2 * 60 / 16 - 10) * 1e-6)
    narrow = estimate(work, chip, Designs(4, stream_bits=8))
    assert float(narrow.energy_by_component["streams"]) / PJ == pytest.approx(128 * 8 + 64 * (7 + 3))
    assert cost.streams
    assert not estimate(two_layers(), chip, 4).streams  # the table does not say


def test_a_held_sum_leaves_the_chip_first(tmp_path: Path):
    """100 bytes hold two maps of 128 bit and 544 bit of the sum: 1504 bit go to DRAM and come back, for both steps."""
    cost = estimate(with_shortcut(), plain(tmp_path, size=100).with_constant("memories.weights.size", 1e6), 4)
    assert float(cost.energy_by_component["dram"]) / PJ == pytest.approx(2 * (2048 - (800 - 256)) * 5)
    per_step = plain(tmp_path, "time_step_major", size=100).with_constant("memories.weights.size", 1e6)
    cost = estimate(with_shortcut(), per_step, Designs(4, state_bits=1))
    # 64 + 64 + 1024 bit in one step: 352 bit leave and come back, in each of two steps
    assert float(cost.energy_by_component["dram"]) / PJ == pytest.approx(2 * 2 * 352 * 5)


def test_event_driven_streams_stay_in_the_state_memory(tmp_path: Path):
    work, chip = with_shortcut(), plain(tmp_path, "event_driven")
    cost, without = estimate(work, chip, 4), estimate(replace(work, streams=()), chip, 4)
    assert float(cost.energy_by_component["streams"]) / PJ == pytest.approx(128 * 16 + 128 * (7 + 3))
    states = cost.memory_by_component["states"] - without.memory_by_component["states"]
    assert float(states) == 1024 / 8  # one step


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"after": "d"}, "layer table:5: after is 'd'; expected the name of the row whose result is added"),
        ({"since": "d"}, "layer table:5: since is 'd'; expected the name of the row or of an addition above"),
        ({"after": "a", "since": "b"}, "layer table:5: since is 'b'; expected a row before a, or that row"),
        ({"name": "a"}, "layer table:5: name is 'a'; expected a unique name"),
        ({"input_bits": 40}, "layer table:5: input_bits is '40'; expected 1 to 32"),
        ({"in_channels": None}, "layer table:5: in_channels is 'nan'; expected a whole number above 0"),
    ],
)
def test_impossible_additions_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(CostError, match=message):
        with_shortcut(**changes)
