"""Sums that rows of spikes share: a two-layer network by hand, published densities, and what tables must know."""

from dataclasses import replace
from pathlib import Path

import architectures
import numpy as np
import pandas as pd
import pytest

from costmodels import CostError, Workload, actions, estimate, load_hardware
from tests.costmodels.small import CONV, HEAD, plain, two_layers

PJ = 1e-12
BITS = [4, 2]


def measured(left: tuple[float, float] = (120, 200), sums: tuple[float, float] = (64, 0)) -> Workload:
    """The two layers of small.py, of whose 300 and 200 operations `left` remain."""
    rows = [dict(row) for row in (CONV, HEAD)]
    for row, operations, moved in zip(rows, left, sums, strict=True):
        row |= {"product_synops": operations, "product_sums": moved}
    return Workload.from_table(pd.DataFrame(rows))


def test_energy_by_hand(tmp_path: Path):
    part = estimate(measured(), plain(tmp_path, "product_sparsity"), BITS).energy_by_component
    pj = {name: float(value) / PJ for name, value in part.items()}
    # the accumulators of test_by_hand: 9 and 8 bit, 1 pJ per bit
    assert pj["compute"] == pytest.approx(120 * 9 + 200 * 8)
    # every operation that is left fetches: a run of 4 weights of 4 bit is a word, one of 10 of 2 bit takes two
    assert pj["weights"] == pytest.approx(7 * (120 / 4 * 1 + 200 / 10 * 2))
    # 64 sums of 9 bit, one per word of 16 bit, read (7 pJ) and written (3 pJ); registers 0.1 pJ per bit
    assert pj["sums"] == pytest.approx(64 * (7 + 3) + 0.1 * (120 * 9 + 200 * 8 + 96 * 2 * 8))


def test_with_nothing_to_reuse_it_adds_as_tick_batched_does(tmp_path: Path):
    own, other = plain(tmp_path, "product_sparsity"), plain(tmp_path)
    work = measured(left=(300, 200), sums=(0, 0))
    for column in ("additions", "multiplications", "spike_words_read", "register_bits"):
        assert actions(work, own, BITS)[column].equals(actions(work, other, BITS)[column]), column


def test_what_is_left_follows_the_spikes_of_a_design(tmp_path: Path):
    chip, work = plain(tmp_path, "product_sparsity"), measured()
    twice = work.with_time_steps(4)
    assert actions(twice, chip, BITS)["additions"].tolist() == [240, 400]
    kept = Workload.from_table(work.table())
    assert actions(kept, chip, BITS).equals(actions(work, chip, BITS))


def test_tables_without_the_measurement_are_refused(tmp_path: Path):
    with pytest.raises(CostError) as error:
        estimate(two_layers(), plain(tmp_path, "product_sparsity"), BITS)
    assert "needs the columns product_synops and product_sums" in str(error.value)
    assert "svit-dse profile --products" in str(error.value)
    with pytest.raises(CostError, match=r":2: product_synops is 301; at most the 300 of synops"):
        measured(left=(301, 200))


def test_published_densities_give_the_published_ratio_of_operations(tmp_path: Path):
    """SpikeBERT: bit density 13.19 %, product density 1.23 %, 11 times fewer operations (abstract)."""
    work = architectures.spikebert()
    dense = float((work.columns["macs"] * work.time_steps).sum())
    bit, product = (
        actions(work, plain(tmp_path, flow, 10**9), 8)["additions"].sum()
        for flow in ("tick_batched", "product_sparsity")
    )
    assert bit / dense == pytest.approx(0.1319)
    assert product / dense == pytest.approx(0.0123)
    assert bit / product == pytest.approx(11, rel=0.1)


def test_the_order_of_published_architectures():
    rows = architectures.table()
    assert [row.name for row in rows] == ["Eyeriss", "PTB", "SATO", "MINT", "Prosperity"]
    published, modelled = ([getattr(row, name) for row in rows] for name in ("published_mj", "modelled_mj"))
    assert published == sorted(published, reverse=True)
    assert modelled == sorted(modelled, reverse=True)
    assert modelled[0] / published[0] == pytest.approx(1, abs=0.05)  # dense: no density enters
    assert all(0.6 < ours / theirs < 1.5 for ours, theirs in zip(modelled, published, strict=True))
    page = (Path(__file__).parents[3] / "docs" / "validation.md").read_text(encoding="utf-8")
    for row in rows:
        assert architectures.line(row) in page


def test_the_shipped_chip_saves_with_what_the_profile_counts():
    """The same table with and without reuse: three operations of ten are left, and sums are moved for them."""
    work, chip = Workload.example("sdtv2_8_256"), load_hardware("prosperity_28nm")
    with pytest.raises(CostError, match="product_sparsity of prosperity_28nm needs the columns product_synops"):
        estimate(work, chip, 8)
    reused = ~work.geometry.multibit & work.geometry.has_weights
    costs = []
    for share in (1.0, 0.3):
        columns = {"product_share": np.where(reused, share, 1.0), "product_sums_share": np.full(work.rows, 0.05)}
        costs.append(estimate(replace(work, columns={**work.columns, **columns}), chip, 8))
    before, after = (cost.energy_by_component for cost in costs)
    for name in ("compute", "weights"):
        spent = float(before[name])
        assert 0.3 * spent < float(after[name]) < spent
    assert float(costs[1].latency_s) < float(costs[0].latency_s)


def test_power_on_the_chip_and_the_causes_why_it_is_below_the_published_one():
    """What docs/validation.md says, from the parts of the model at SpikeBERT's densities; nothing is tuned.

    Of 128 adders at 500 MHz each takes one operation per cycle, so that 5.35e8 operations take 8.36 ms. A cycle's 128
    sums of 18 bits are 19 words of 128 bits. The first layer has 2304 channels of 768 bytes with 4 bytes of scale and
    constant, which stream in pieces of 8 KiB.
    """
    published = architectures.PUBLISHED["Prosperity"].power_w
    work, chip = architectures.spikebert(), load_hardware("prosperity_28nm")
    cost = estimate(work, chip, 8)
    part, latency = {name: float(value) for name, value in cost.energy_by_component.items()}, float(cost.latency_s)
    leaks = part["leakage"] / latency
    dynamic = sum(part.values()) - part["dram"] - part["leakage"]
    left = float(work.columns["synops"].sum()) * architectures.PRODUCT / architectures.BIT
    busy = left / 128 / 500e6
    assert busy == pytest.approx(8.36e-3, rel=1e-3)
    sums = 19 * (chip.chip.states.read + chip.chip.states.write) * 500e6
    pieces = np.ceil(2304 * 772 * 8 / (8 * 1024 * 8))
    assert published > dynamic / busy + leaks + sums  # clock, wires, search and special functions are not modelled
    page = (Path(__file__).parents[3] / "docs" / "validation.md").read_text(encoding="utf-8")
    modelled = dynamic / latency + leaks
    for said in (
        f"{1e3 * modelled:.0f} mW of {1e3 * published:.0f} mW",
        f"| as modelled; {1e3 * leaks:.0f} mW of it are leakage | {1e3 * modelled:.0f} |",
        f"| in the time that the operations alone take | {1e3 * (dynamic / busy + leaks):.0f} |",
        f"for every operation | {1e3 * (dynamic / busy + leaks + sums):.0f} |",
        f"takes {latency / busy:.0f} times the time of its operations",
        f"{pieces:.0f} pieces of the first layer",
    ):
        assert said in page, said


@pytest.mark.parametrize(
    ("chip", "key", "said"),
    [
        ("generic_45nm", "compute.control_factor", "Colonnade"),
        ("generic_22nm", "compute.control_factor", "Colonnade"),
        ("seneca_like", "compute.control_per_operation", "SENECA"),
    ],
)
def test_control_is_a_factor_of_fixed_functions_and_an_energy_of_programmable_cores(chip: str, key: str, said: str):
    table = load_hardware(chip).table
    assert [name for name in table if name.startswith("compute.control")] == [key]
    assert said in table[key].source
