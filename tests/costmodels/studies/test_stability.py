"""Rank correlation, fronts and tornado tables against scipy, brute force and scenarios done by hand."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from costmodels import Candidates, CostError, estimate, load_hardware, stability, sweep
from costmodels.hardware.op_energy import op_tables
from costmodels.studies.stability import kendall_tau, nondominated, uncertain
from tests.costmodels.networks import cost_of, example, mixtures, own_designs


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=40))
def test_kendalls_tau_equals_scipys_and_is_exactly_one_for_equal_rankings(pairs: list[tuple[int, int]]):
    a, b = np.array(pairs, dtype=float).T
    ours = kendall_tau(a, b)
    if len(set(a)) > 1 and len(set(b)) > 1:
        assert ours == pytest.approx(kendalltau(a, b).statistic, abs=1e-12)
    else:
        assert ours == float(len(set(a)) == len(set(b)) == 1)
    assert kendall_tau(a, 2 * a + 1) == 1


@settings(max_examples=60)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=25))
def test_nondominated_equals_brute_force(rows: list[tuple[int, int, int]]):
    points = np.array(rows, dtype=float)
    brute = [not any(np.all(q <= p) and np.any(q < p) for q in points) for p in points]
    assert nondominated(points).tolist() == brute


def test_stability_changes_every_uncertain_constant_and_every_op_table():
    chip, bits = load_hardware("generic_45nm"), mixtures(40)
    drop = np.random.default_rng(1).random(40)
    result = stability(Candidates.of(example(), bits), chip, drop=drop)
    changed = set(result.scenarios["constant"])
    assert changed == {*uncertain(chip), "compute.table"}
    assert "memories.weights.read" in changed
    assert "clock" not in changed  # a choice is no uncertainty
    assert len(result.scenarios) == 2 * len(uncertain(chip)) + len(op_tables()) - 1
    assert result.scenarios["tau"].between(-1, 1).all()
    assert result.worst_tau == result.scenarios["tau"].min()
    # against one scenario done by hand
    doubled = chip.with_constant("memories.weights.read", 2 * chip.table["memories.weights.read"].value)
    base, changed_energy = (estimate(example(), h, bits).energy_j for h in (chip, doubled))
    row = result.scenarios.query("constant == 'memories.weights.read' and change == 'x2'").iloc[0]
    assert row["tau"] == pytest.approx(kendalltau(base, changed_energy).statistic)
    memory = estimate(example(), chip, bits).memory_bytes
    front = nondominated(np.stack([drop, memory, base], 1))
    assert result.front == tuple(np.flatnonzero(front))
    kept = nondominated(np.stack([drop, memory, changed_energy], 1))[front]
    assert row["front_kept"] == kept.mean()
    json.dumps(result.record())


def test_the_tornado_uses_stated_ranges_and_is_sorted():
    result = stability(Candidates.of(example(), mixtures(5)), load_hardware("generic_45nm"))
    table = result.tornado.set_index("constant")
    assert table.loc["dram.energy", ["low", "high", "range"]].tolist() == [3.9, 40, "stated"]
    span = (table["high_change"] - table["low_change"]).abs()
    assert span.is_monotonic_decreasing
    table = table.drop(index="dram.bandwidth")  # more of it costs less
    assert (table["low_change"] <= 1e-12).all()
    assert (table["high_change"] >= -1e-12).all()


def test_stability_checks_its_arguments():
    chip = load_hardware("generic_45nm")
    with pytest.raises(CostError, match="has 1 design; expected at least 2 designs"):
        stability(Candidates.of(example(), mixtures(1)), chip)
    with pytest.raises(CostError, match="unknown objective 'beauty'"):
        stability(Candidates.of(example(), mixtures(2)), chip, objective="beauty")
    with pytest.raises(CostError, match=r"drop has shape \(3,\); expected \(2,\)"):
        stability(Candidates.of(example(), mixtures(2)), chip, drop=[1, 2, 3])


def test_designs_bring_their_own_steps_potentials_and_spikes():
    chip, designs = load_hardware("generic_45nm"), own_designs(6)
    found = estimate(example(), chip, designs)
    for place in range(6):
        alone = cost_of(designs, place, chip)
        assert found.energy_j[place] == alone.energy_j
        assert found.memory_bytes[place] == alone.memory_bytes
        assert found.feasible[place] == alone.feasible
    ranked = stability(Candidates.of(example(), designs), chip)
    doubled = chip.with_constant("memories.weights.read", 2 * chip.table["memories.weights.read"].value)
    base, changed = ([float(cost_of(designs, i, h).energy_j) for i in range(6)] for h in (chip, doubled))
    row = ranked.scenarios.query("constant == 'memories.weights.read' and change == 'x2'").iloc[0]
    assert row["tau"] == pytest.approx(kendalltau(base, changed).statistic)
    table = sweep(
        Candidates.of(example(), designs).only([1, 4]), load_hardware("seneca_like"), objectives=("energy_j",)
    )
    assert list(table["design"]) == ["b", "e"]
    assert table["energy_j"].tolist() == [
        float(cost_of(designs, i, load_hardware("seneca_like")).energy_j) for i in (1, 4)
    ]
