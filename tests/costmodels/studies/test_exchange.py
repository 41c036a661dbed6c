"""Action counts priced by hand give the model's energy, and a priced table becomes a chip."""

from pathlib import Path

import pandas as pd
import pytest

from costmodels import (
    CostError,
    Workload,
    accelergy,
    action_counts,
    breakdown,
    estimate,
    load_hardware,
    priced,
    write_hardware,
)
from tests.costmodels.small import plain, two_layers


def total(table: pd.DataFrame) -> float:
    return float((table["count"] * table["energy_pj"]).sum()) * 1e-12


@pytest.mark.parametrize("flow", ["tick_batched", "time_step_major", "event_driven"])
@pytest.mark.parametrize("size", [4096, 40])
def test_counts_times_prices_are_the_energy(tmp_path: Path, flow: str, size: int):
    """In memories of 40 bytes weights stream, and maps and potentials spill."""
    work, chip = two_layers(), plain(tmp_path, flow, size)
    table = action_counts(work, chip, [4, 2])
    assert total(table) == pytest.approx(float(estimate(work, chip, [4, 2]).energy_j), rel=1e-12)
    assert not table.duplicated(["layer", "component", "action"]).any()


@pytest.mark.parametrize("name", ["generic_45nm", "seneca_like", "loihi_like", "literature_45nm", "tick_batched_28nm"])
def test_counts_of_the_largest_example_add_up_too(name: str):
    work, chip = Workload.example("sdtv2_8_256"), load_hardware(name)
    table = action_counts(work, chip, 4)
    assert set(table["layer"]) <= set(work.names)
    assert total(table) == pytest.approx(float(estimate(work, chip, 4).energy_j), rel=1e-9)
    parts = breakdown(work, chip, 4)
    by_layer = parts[parts["quantity"] == "energy_j"].groupby("layer")["value"].sum()
    mine = (table["count"] * table["energy_pj"] * 1e-12).groupby(table["layer"]).sum()
    pd.testing.assert_series_equal(mine, by_layer, check_names=False, rtol=1e-9)


def test_control_leakage_and_dram_by_hand(tmp_path: Path):
    table = action_counts(two_layers(), plain(tmp_path, size=40), [4, 2]).set_index(["component", "action"])
    # control factor 2: as much as the arithmetic of the operations and of the neurons' three additions of 8 bit
    control = table.loc[("control", "operation")]
    assert control["count"].tolist() == [300 + 32 * 2, 200 + 64 * 2]
    assert control["energy_pj"].tolist() == pytest.approx(
        [(300 * 9 + 64 * 24) / (300 + 64), (200 * 8 + 128 * 24) / (200 + 128)]
    )
    leaks = table.loc[("weight_memory", "leak_second")]
    cost = estimate(two_layers(), plain(tmp_path, size=40), [4, 2])
    assert leaks["count"].sum() == pytest.approx(float(cost.latency_s))
    assert leaks["energy_pj"].tolist() == pytest.approx([2e6, 2e6])  # 2 uW
    moved = table.loc[("dram", "transfer_bit")]
    assert moved["energy_pj"].tolist() == pytest.approx([5, 5])
    assert moved["count"].sum() * 5e-12 < float(cost.energy_by_component["dram"])  # and writes into the memory


def test_the_counts_as_accelergy_reads_them(tmp_path: Path):
    table = action_counts(two_layers(), plain(tmp_path), [4, 2])
    tree = accelergy({"mine": table})["action_counts"]
    first = tree["local"][0]
    assert first["name"].startswith("mine.stem.conv.")
    counted = {(e["name"], a["name"]): a["counts"] for e in tree["local"] for a in e["action_counts"]}
    assert counted["mine.head.weight_memory", "read"] == 40
    assert len(counted) == len(table)


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


def test_prices_of_control_leakage_and_dram_go_into_the_file(tmp_path: Path):
    chip, path = plain(tmp_path), tmp_path / "priced.csv"
    rows = [("control", "operation", 3.0), ("logic", "leak_second", 5e6), ("dram", "transfer_bit", 7.0)]
    rows += [("weight_memory", "leak_second", 1e6)]
    table = pd.DataFrame(
        [(*row, "another estimator") for row in rows], columns=["component", "action", "energy_pj", "source"]
    )
    table.to_csv(path, index=False)
    write_hardware(priced(chip, path), tmp_path / "mine.yaml")
    mine = load_hardware(tmp_path / "mine.yaml")
    found = {key: mine.table[key].value for key in ("logic_leakage", "dram.energy", "memories.weights.leakage")}
    assert found == pytest.approx({"logic_leakage": 5e-6, "dram.energy": 7e-12, "memories.weights.leakage": 1e-6})
    assert "compute.control_factor" not in mine.table
    control = estimate(two_layers(), mine, [4, 2]).energy_by_component["control"]
    assert float(control) == pytest.approx(3e-12 * (300 + 200 + 96 * 2))


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


def test_float_designs_and_missing_tables_are_refused(tmp_path: Path):
    with pytest.raises(CostError, match="integer weights"):
        action_counts(two_layers(), plain(tmp_path), 32)
    with pytest.raises(CostError, match="no such file; expected a CSV table"):
        priced(plain(tmp_path), tmp_path / "none.csv")
