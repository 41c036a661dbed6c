"""Action counts priced by hand give the model's energy, and a priced table becomes a chip."""

from pathlib import Path

import pandas as pd
import pytest

from costmodels import CostError, Workload, action_counts, estimate, load_hardware, priced, write_hardware
from tests.costmodels.small import plain, two_layers


def test_counts_times_prices_are_the_energy_without_control_and_leakage(tmp_path: Path):
    for flow in ("tick_batched", "time_step_major", "event_driven"):
        work, chip = two_layers(), plain(tmp_path, flow)
        table = action_counts(work, chip, [4, 2])
        by_hand = float((table["count"] * table["energy_pj"]).sum()) * 1e-12
        parts = estimate(work, chip, [4, 2]).energy_by_component
        rest = sum(float(value) for name, value in parts.items() if name not in ("control", "leakage", "dram", "noc"))
        assert by_hand == pytest.approx(rest, rel=1e-12)


def test_counts_of_the_largest_example_add_up_too():
    work, chip = Workload.example("sdtv2_8_256"), load_hardware("generic_45nm")
    table = action_counts(work, chip, 4)
    assert set(table["layer"]) <= set(work.names)
    parts = estimate(work, chip, 4).energy_by_component
    rest = sum(float(value) for name, value in parts.items() if name not in ("control", "leakage", "dram"))
    assert float((table["count"] * table["energy_pj"]).sum()) * 1e-12 == pytest.approx(rest, rel=1e-9)


def test_weight_reads_are_those_by_hand(tmp_path: Path):
    table = action_counts(two_layers(), plain(tmp_path), [4, 2])
    reads = table[(table["component"] == "weight_memory") & (table["action"] == "read")]
    assert reads["count"].tolist() == [75, 40]
    assert reads["energy_pj"].tolist() == pytest.approx([7, 7])


def test_a_priced_table_becomes_a_chip_with_its_source(tmp_path: Path):
    chip, path = plain(tmp_path), tmp_path / "priced.csv"
    rows = [("weight_memory", "read", 21.0, "another estimator"), ("adder", "add_bit", 2.0, "another estimator")]
    pd.DataFrame(rows, columns=["component", "action", "energy_pj", "source"]).to_csv(path, index=False)
    write_hardware(priced(chip, path), tmp_path / "mine.yaml")
    mine = load_hardware(tmp_path / "mine.yaml")
    assert mine.table["memories.weights.read"].value == pytest.approx(21e-12)
    assert mine.table["memories.weights.read"].source == "another estimator"
    before, after = (estimate(two_layers(), each, [4, 2]).energy_by_component for each in (chip, mine))
    assert float(after["weights"]) == pytest.approx(3 * float(before["weights"]))
    assert float(after["neurons"]) == pytest.approx(2 * float(before["neurons"]))
    assert float(after["sums"]) == pytest.approx(float(before["sums"]))


def test_a_written_chip_is_the_same_chip(tmp_path: Path):
    chip = load_hardware("generic_45nm")
    write_hardware(chip, tmp_path / "copy.yaml")
    copy = load_hardware(tmp_path / "copy.yaml")
    assert {key: constant.value for key, constant in copy.table.items()} == pytest.approx(
        {key: constant.value for key, constant in chip.table.items()}
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("weight_memory,read,cheap,tool", "priced.csv:2: energy_pj is 'cheap'; expected a number of pJ, at least 0"),
        ("weight_memory,read,-1,tool", "priced.csv:2: energy_pj is -1; expected a number"),
        ("weight_memory,read,3,", "priced.csv:2: source is missing; say which estimator priced weight_memory read"),
        ("weight_memory,erase,3,tool", "priced.csv:2: no action weight_memory erase; there are weight_memory read"),
        ("network,hop,3,tool", "noc.hop is priced, but the chip has no noc; leave the row out"),
    ],
)
def test_a_priced_table_that_cannot_be_is_said_in_one_line(line: str, said: str, tmp_path: Path):
    path = tmp_path / "priced.csv"
    path.write_text(f"component,action,energy_pj,source\n{line}\n", encoding="utf-8")
    with pytest.raises(CostError) as error:
        priced(plain(tmp_path), path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_chips_and_designs_without_such_actions_are_refused(tmp_path: Path):
    with pytest.raises(CostError, match="loihi_like states energies per operation"):
        action_counts(two_layers(), load_hardware("loihi_like"), 4)
    with pytest.raises(CostError, match="integer weights"):
        action_counts(two_layers(), plain(tmp_path), 32)
    with pytest.raises(CostError, match="no such file; expected a CSV table"):
        priced(plain(tmp_path), tmp_path / "none.csv")
