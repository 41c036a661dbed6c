"""Energy per synaptic operation, and the split of a design's energy by place and kind of row."""

from pathlib import Path

import pandas as pd
import pytest

from costmodels import Workload, efficiency, estimate, load_hardware, measured_operations
from tests.costmodels.small import plain, two_layers


def test_an_operation_costs_what_its_rows_spend_on_the_chip(tmp_path: Path):
    work, chip = two_layers(), plain(tmp_path)
    found = efficiency(work, chip, [4, 2])
    cost = estimate(work, chip, [4, 2])
    static = float(cost.energy_by_component["leakage"])
    assert found.spiking_j == pytest.approx(float(cost.energy_j) - static)
    assert (found.multibit_j, found.off_chip_j, found.static_j) == (0, 0, pytest.approx(static))
    assert found.synops == 500
    assert found.per_synop_j == pytest.approx((float(cost.energy_j) - static) / 500)
    assert found.bit_operations == 300 * 4 + 200 * 2  # spikes have one bit


def test_rows_with_numbers_and_dram_stand_apart():
    work, chip = Workload.example("sdtv2_8_256"), load_hardware("generic_45nm")
    found = efficiency(work, chip, 8)  # more than the weight memory holds
    parts = found.spiking_j, found.multibit_j, found.off_chip_j, found.static_j
    assert min(parts) > 0
    assert sum(parts) == pytest.approx(float(estimate(work, chip, 8).energy_j))
    assert found.per_synop_j < sum(parts) / found.synops


def test_bit_operations_take_the_widths_of_both_operands(tmp_path: Path):
    number = {"name": "number", "kind": "linear", "in_channels": 16, "out_channels": 4, "spikes": 12, "time_steps": 2}
    work = Workload.from_table(pd.DataFrame([number | {"input": "multibit", "input_bits": 4}]))
    assert efficiency(work, plain(tmp_path), [3]).bit_operations == 48 * 3 * 4


def test_what_chips_state_has_a_denominator_and_a_source():
    table = measured_operations()
    assert (table["pj"] > 0).all()
    assert table[["chip", "denominator", "source"]].notna().all(axis=None)
    assert table.set_index("chip").loc["ODIN", "pj"] == 8.43
