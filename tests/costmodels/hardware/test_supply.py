"""Supply voltage, clock power and the area of processing elements: laws and mistakes."""

from pathlib import Path

import pytest

from costmodels import Candidates, CostError, Hardware, area_front, configurations, estimate, load_hardware
from tests.costmodels.small import plain, plain_text, two_layers

SUPPLY = {"voltage": 0.6, "nominal": 0.9, "least": 0.55, "most": 1.1, "threshold": 0.3}


def chip(folder: Path, text: str = "", **changes: float) -> Hardware:
    lines = [f"  {key}: {{value: {value}, unit: V, source: test}}" for key, value in (SUPPLY | changes).items()]
    lines += ["  leakage_exponent: {value: 3, unit: '1', source: test}"]
    lines += ["  fastest: {value: 2, unit: MHz, source: test}"]
    path = folder / "supply.yaml"
    path.write_text(plain_text() + "supply:\n" + "\n".join(lines) + "\n" + text, encoding="utf-8")
    return load_hardware(path)


def test_energies_go_with_the_square_and_leakage_with_its_power(tmp_path: Path):
    work, low, nominal = two_layers(), chip(tmp_path), plain(tmp_path)
    here, there = (estimate(work, each, [4, 2]).energy_by_component for each in (low, nominal))
    for name in ("compute", "control", "neurons", "weights", "sums", "spikes"):
        assert float(here[name]) == pytest.approx(float(there[name]) * (0.6 / 0.9) ** 2)
    assert float(here["leakage"]) == pytest.approx(float(there["leakage"]) * (0.6 / 0.9) ** 3)
    assert low.table["dram.energy"].value == nominal.table["dram.energy"].value
    assert "from 0.9 to 0.6 V" in low.table["memories.weights.read"].source


def test_memories_stay_at_their_least_supply(tmp_path: Path):
    low, nominal = chip(tmp_path, memory_least=0.75), plain(tmp_path)
    ratio = {key: low.table[key].value / nominal.table[key].value for key in nominal.table if nominal.table[key].value}
    assert ratio["memories.weights.read"] == pytest.approx((0.75 / 0.9) ** 2)
    assert ratio["memories.weights.leakage"] == pytest.approx((0.75 / 0.9) ** 3)
    assert ratio["compute.add_per_bit"] == pytest.approx((0.6 / 0.9) ** 2)


def test_at_the_nominal_supply_nothing_changes(tmp_path: Path):
    same, nominal = chip(tmp_path, voltage=0.9), plain(tmp_path)
    for key, constant in nominal.table.items():
        assert same.table[key] == constant


def test_a_lower_supply_saves_energy_until_the_clock_must_fall(tmp_path: Path):
    # (0.6 - 0.3)^1.3 / 0.6 over (0.9 - 0.3)^1.3 / 0.9: 2 MHz become 1.218
    assert chip(tmp_path).file.supply.fastest_here == pytest.approx(2e6 * (0.5**1.3) * 1.5)
    said = r"supply\.yaml:7: clock: 1 MHz is above 0\.8786 MHz, the fastest at 0\.55 V; lower"
    with pytest.raises(CostError, match=said):
        chip(tmp_path, voltage=0.55, threshold=0.35)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"voltage": 0.4}, "voltage is 0.4 V; expected 0.55 to 1.1 V (least and most)"),
        ({"voltage": 1.2}, "voltage is 1.2 V; expected 0.55 to 1.1 V (least and most)"),
        ({"threshold": 0.7}, "threshold is 0.7 V; expected less than voltage and nominal"),
    ],
)
def test_a_supply_that_cannot_be_is_said_in_one_line(changes: dict[str, float], said: str, tmp_path: Path):
    with pytest.raises(CostError) as error:
        chip(tmp_path, **changes)
    assert said in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'supply.yaml'}:")
    assert "\n" not in str(error.value)


IDLE = "idle_per_cycle: {value: 3, unit: pJ, source: test}\nelement_area: {value: 1000, unit: um2, source: test}\n"


def test_the_clock_draws_power_and_elements_take_area(tmp_path: Path):
    path = tmp_path / "idle.yaml"
    path.write_text(plain_text() + IDLE, encoding="utf-8")
    work, idle, none = two_layers(), load_hardware(path), plain(tmp_path)
    busy, still = (estimate(work, each, [4, 2]) for each in (idle, none))
    assert float(busy.power_w - still.power_w) == pytest.approx(3e-12 * 1e6)  # 3 pJ at 1 MHz
    assert float(busy.energy_j - still.energy_j) == pytest.approx(3e-6 * float(still.latency_s))
    assert float(busy.area_mm2 - still.area_mm2) == pytest.approx(4 * 1e-3)


def test_every_larger_chip_of_the_front_saves_energy(tmp_path: Path):
    path = tmp_path / "knobs.yaml"
    knobs = "knobs:\n  processing_elements: [4, 8, 16]\n  tile_positions: [1, 2]\n"
    path.write_text(plain_text() + IDLE + knobs, encoding="utf-8")
    hardware, work = load_hardware(path), two_layers()
    front = area_front(Candidates.of(work, [[4, 2]]), hardware)
    assert front["area_mm2"].is_monotonic_increasing
    assert front["energy_j"].is_monotonic_decreasing
    assert len(front) == len(set(front["area_mm2"]))
    all_costs = [estimate(work, each.hardware, [4, 2]) for each in configurations(hardware)]
    smallest = min(float(cost.area_mm2) for cost in all_costs)
    assert front["area_mm2"].iloc[0] == smallest
    best = min(float(cost.energy_j) for cost in all_costs)
    assert front["energy_j"].iloc[-1] == pytest.approx(best, rel=1e-3)


def test_both_sets_of_loihi_are_the_same_chip():
    published, regressed = load_hardware("loihi_like"), load_hardware("loihi_sanafe")
    for key in ("cores", "neurons_per_core", "memories.weights.size", "processing_elements"):
        assert published.table[key].value == regressed.table[key].value
    assert published.table["compute.accumulate"].value < regressed.table["compute.accumulate"].value
