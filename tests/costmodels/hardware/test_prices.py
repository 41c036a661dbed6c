"""Nothing that a designer buys is free: processing elements, tiles and banks have a price."""

import math
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodels import Candidates, Workload, action_counts, area_front, configured, estimate, load_hardware
from costmodels.hardware.sram import sram
from tests.costmodels.small import plain_text, two_layers

WORK = Workload.example("sdtv2_8_256")
PRICES = """\
element_area: {value: 1000, unit: um2, source: test}
register_area: {value: 5, unit: um2, source: test}
clock_per_area: {value: 30, unit: pJ/mm2, source: test}
wire: {value: 0.5, unit: fJ/bit/um, source: test}
"""


def test_area_wires_and_clock_by_hand(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(plain_text() + PRICES, encoding="utf-8")
    chip = load_hardware(path).chip
    # 4 elements; tile of 2 positions: 4 sums and potentials of 32 + 8 bit
    logic = 4 * 1e-3 + 4 * 40 * 5e-6
    assert chip.logic_area == pytest.approx(logic)
    assert chip.area == pytest.approx(3 * 0.5 + logic)
    way = (math.sqrt(0.5) + math.sqrt(logic)) / 2  # mm; 0.5 fJ per um are 0.5 pJ per mm; words of 16 bit
    assert chip.weights.read == pytest.approx(7e-12 + 16 * 0.5e-12 * way)
    assert chip.spikes.write == pytest.approx(3e-12 + 16 * 0.5e-12 * way)
    assert chip.leakage == pytest.approx(1e-6 + 3 * 2e-6 + 30e-12 * logic * 1e6)
    table = action_counts(two_layers(), load_hardware(path), [4, 2])
    joule = float((table["count"] * table["energy_pj"]).sum()) * 1e-12
    assert joule == pytest.approx(float(estimate(two_layers(), load_hardware(path), [4, 2]).energy_j), rel=1e-12)


@pytest.mark.parametrize(
    ("knob", "few", "many"),
    [("processing_elements", 8192, 2**30), ("tile_positions", 16, 1e6), ("tile_positions", 16, 32)],
)
def test_elements_and_tiles_take_area(knob: str, few: float, many: float):
    small, large = (
        estimate(WORK, configured(load_hardware("generic_45nm"), {knob: value}), 4) for value in (few, many)
    )
    assert float(large.area_mm2) > float(small.area_mm2) * (1 + 1e-3)


@cache
def area_of(key: str, value: float) -> float:
    return configured(load_hardware("generic_45nm"), {key: value}).chip.area


BOUGHT = {
    "processing_elements": (512, 2**17),
    "tile_positions": (1, 4096),
    "memories.weights.size": (0.0625, 16),
    "memories.weights.word": (8, 128),
    "memories.weights.banks": (1, 256),
    "memories.spikes.size": (0.0625, 16),
}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(BOUGHT)), st.integers(0, 12), st.integers(0, 12))
def test_area_never_shrinks_with_what_is_bought(key: str, first: int, second: int):
    """Elements, positions, capacity, width and banks, in powers of two: more of one takes at least as much area."""
    low, high = BOUGHT[key]
    few, many = sorted(min(low * 2.0**n, high) for n in (first, second))
    assert area_of(key, few) <= area_of(key, many) * (1 + 1e-12)


@pytest.mark.parametrize("name", ["generic_45nm", "generic_22nm"])
def test_elements_of_the_generic_chips_draw_power_and_lengthen_wires(name: str):
    chip = load_hardware(name)
    few, many = (estimate(WORK, chip.with_constant("processing_elements", n), 4) for n in (8192, 2**20))
    assert float(many.throughput_power_w) > 1.5 * float(few.throughput_power_w)
    assert float(many.energy_by_component["weights"]) > float(few.energy_by_component["weights"])
    for key in ("wire", "clock_per_area"):
        constant = chip.table[key]
        assert constant.low <= 0 < constant.value < constant.high


def test_a_gated_clock_runs_during_inferences_only(tmp_path: Path):
    """The clock takes 30 pJ per mm2 of logic, at 1 MHz; all else leaks 1 + 3 x 2 uW."""
    path = tmp_path / "mine.yaml"
    path.write_text(plain_text() + PRICES + "clock_gating: between_inferences\n", encoding="utf-8")
    gated, clock = load_hardware(path), 30e-12 * (4e-3 + 4 * 40 * 5e-6) * 1e6
    path.write_text(plain_text() + PRICES, encoding="utf-8")
    runs, rate = load_hardware(path), 0.5
    here, there = (estimate(two_layers(), chip, [4, 2], frame_rate=rate) for chip in (gated, runs))
    assert float(here.energy_j) == float(there.energy_j)
    dynamic = float(here.energy_j) - (7e-6 + clock) * float(here.latency_s)
    assert float(there.power_w) == pytest.approx(dynamic * rate + 7e-6 + clock)
    assert float(here.power_w) == pytest.approx((dynamic + clock * float(here.latency_s)) * rate + 7e-6)


def test_more_banks_never_take_less_area():
    chip = load_hardware("generic_45nm")
    areas = [configured(chip, {"memories.weights.banks": 2.0**n}).chip.weights.area for n in range(9)]
    assert areas == sorted(areas)
    # CACTI alone: 16 banks of 256 KiB take 14.20 mm2, eight of 512 KiB 14.38
    assert areas[4] == areas[3] == pytest.approx(8 * sram(4 * 2**20, 128, 45, "itrs-lstp", 300).area)


def test_banks_cannot_save_the_way_to_the_elements():
    """16 -> 2048 banks: without wires reads cost next to nothing."""
    chip = load_hardware("generic_45nm")

    def reads(banks: int, wire: float) -> float:
        found = configured(chip, {"memories.weights.banks": banks}).with_constant("wire", wire)
        return float(estimate(WORK, found, 4).energy_by_component["weights"])

    assert reads(2048, 0) < 0.1 * reads(16, 0)
    assert reads(2048, 4e-13) > 0.5 * reads(16, 4e-13)


def test_a_sweep_is_a_front_of_area_against_energy():
    front = area_front(Candidates.of(WORK, [[4] * len(WORK.weight_layers)]), load_hardware("generic_45nm"))
    assert len(front) > 2
    assert front["area_mm2"].is_monotonic_increasing
    assert front["energy_j"].is_monotonic_decreasing
    assert front["tile_positions"].iloc[0] < front["tile_positions"].iloc[-1]  # the smallest chip has no large tile


@pytest.mark.parametrize("name", ["generic_45nm", "generic_22nm", "tick_batched_28nm"])
def test_ranges_of_leakage_hold_the_measured_chips(name: str):
    """0.74 mW per MB (ODIN, 28 nm, 0.55 V) and 3.2 mW per MB (Loihi, 14 nm)."""
    constant = load_hardware(name).table["memories.weights.leakage"]
    megabytes = load_hardware(name).chip.weights.size / 8e6
    assert constant.low <= constant.value <= constant.high
    assert constant.low <= 0.74e-3 * megabytes
    assert constant.high >= 3.2e-3 * megabytes
