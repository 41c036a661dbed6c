"""Rank correlation, fronts and tornado tables against scipy, brute force and scenarios done by hand."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from costmodels import Candidates, CostError, Designs, Workload, estimate, load_hardware, stability, sweep
from costmodels.hardware.op_energy import op_tables
from costmodels.studies.ranking import kendall_tau, nondominated, regret
from costmodels.studies.variations import range_of, uncertain
from tests.costmodels.networks import cost_of, example, mixtures, own_designs


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=40))
def test_kendalls_tau_is_that_of_all_pairs_and_exactly_one_for_equal_rankings(pairs: list[tuple[int, int]]):
    a, b = np.array(pairs, dtype=float).T
    signs = np.array([[np.sign(x - y) for y in side for x in side] for side in (a, b)])
    untied = np.count_nonzero(signs, axis=1)
    ours = kendall_tau(a, b)
    if untied.all():
        assert ours == pytest.approx((signs[0] * signs[1]).sum() / np.sqrt(untied.prod()), abs=1e-11)
    else:
        assert ours == float(not untied.any())
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
    constants = result.scenarios[result.scenarios["kind"] == "constant"]
    changed = set(constants["constant"])
    assert changed == {*uncertain(chip), "compute.table"}
    assert "memories.weights.read" in changed
    assert "clock" not in changed  # a choice is no uncertainty
    assert len(constants) == 2 * len(uncertain(chip)) + len(op_tables()) - 1
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


def test_every_cost_has_a_tornado_whose_ends_are_sums_by_hand():
    chip, bits = load_hardware("generic_45nm"), mixtures(3)
    found = stability(Candidates.of(example(), bits), chip, reference=1)
    cost = estimate(example(), chip, bits[1])
    tables = {name: table.set_index("constant") for name, table in found.tornados.items()}
    assert set(tables) == {"memory_bytes", "energy_j", "latency_s", "power_w"}
    assert found.tornado.equals(found.tornados["energy_j"])
    # the reads of weights are one term of the energy, and the rate's share of the power
    key = "memories.weights.read"
    low, high = (tables["energy_j"].loc[key, end] / chip.table[key].shown()["value"] - 1 for end in ("low", "high"))
    own = chip.with_constant("wire", 0)  # without wires, a read takes the constant alone
    reads = estimate(example(), own, bits[1]).energy_by_component["weights"]
    for name, part in (("energy_j", reads / cost.energy_j), ("power_w", reads * chip.frame_rate / cost.power_w)):
        assert tables[name].loc[key, ["low_change", "high_change"]].tolist() == pytest.approx([low * part, high * part])
    assert tables["latency_s"].loc[key, ["low_change", "high_change"]].tolist() == [0, 0]
    # no constant changes what is stored, and the bandwidth changes the latency as in an estimate with it
    assert (tables["memory_bytes"][["low_change", "high_change"]] == 0).all(axis=None)
    slow, fast = (range_of(chip.table["dram.bandwidth"])[end] for end in (0, 1))
    ends = [estimate(example(), chip.with_constant("dram.bandwidth", x), bits[1]).latency_s for x in (slow, fast)]
    assert tables["latency_s"].loc["dram.bandwidth", ["low_change", "high_change"]].tolist() == pytest.approx(
        [end / cost.latency_s - 1 for end in ends]
    )


def test_stability_changes_forms_rates_and_steps_as_by_hand():
    chip, bits = load_hardware("generic_45nm"), mixtures(12)
    result = stability(Candidates.of(example(), bits), chip, reference=3)
    forms = result.scenarios[result.scenarios["kind"] == "form"]
    assert set(forms["constant"]) == {
        *("datapath", "control", "pinning", "wires", "utilisation", "firing rates", "time steps")
    }
    base = estimate(example(), chip, bits).energy_j
    unit = {key: {"value": value, "unit": "bit", "source": "t"} for key, value in FIXED.items()}
    fixed = estimate(example(), chip.with_datapath({"form": "fixed", **unit}), bits).energy_j
    rate = Workload.example("sdtv2_8_256", rate=0.2 * 1.2)
    by_hand = {
        ("datapath", "fixed, 8 x 16 bit"): fixed,
        ("firing rates", "x1.2"): estimate(rate, chip, bits).energy_j,
        ("time steps", "x2"): estimate(example(), chip, Designs(bits, time_steps=8)).energy_j,
        ("wires", "none"): estimate(example(), chip.with_constant("wire", 0), bits).energy_j,
    }
    for (name, change), values in by_hand.items():
        row = forms[(forms["constant"] == name) & (forms["change"] == change)].iloc[0]
        assert row["tau"] == pytest.approx(kendalltau(base, values).statistic)
        assert row["largest_change"] == pytest.approx((values / base)[np.argmax(np.abs(values / base - 1))])
        assert np.all(result.bands["low"] <= values * (1 + 1e-9))
        assert np.all(result.bands["high"] >= values * (1 - 1e-9))
    # one control energy per operation keeps that of the reference design
    control = forms[forms["constant"] == "control"].iloc[0]
    assert control["largest_change"] != pytest.approx(1, abs=1e-4)
    assert result.worst_tau == result.scenarios["tau"].min()
    assert result.worst_regret == result.scenarios["regret"].max() >= 0


FIXED = {"weight_bits": 8, "input_bits": 16}


def test_regret_is_against_the_best_design_that_loses_no_more():
    energy, loss = np.array([4.0, 3.0, 2.0, 1.0]), np.array([1.0, 1.0, 2.0, 0.5])
    assert regret(energy, loss, 1) == 2  # the last costs 1 at less loss
    assert regret(energy, loss, 3) == 0
    assert regret(energy, np.array([1.0, 1.0, 2.0, 3.0]), 0) == pytest.approx(1 / 3)


def test_a_ranking_that_says_nothing_is_called_so():
    same = stability(Candidates.of(example(), np.full((3, 138), 4)), load_hardware("generic_45nm"))
    assert same.worst_tau is None
    assert same.notes == ("the 3 designs cost the same: there is nothing to rank",)
    roomy = load_hardware("loihi_like").with_constant("memories.weights.size", 1e12)  # widths change no core
    flat = stability(Candidates.of(example(), mixtures(3)), roomy)
    assert flat.worst_tau is None
    assert "widths of weights enter no such cost on loihi_like" in flat.notes[1]
    nested = np.repeat(np.array([[2], [4]]), 138, axis=1)
    one = stability(Candidates.of(example(), nested), load_hardware("generic_45nm"))
    assert one.notes == ("one design is better in everything: a front of one stays one",)


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


def test_energy_has_a_band_whatever_is_ranked():
    chip, bits = load_hardware("generic_45nm"), mixtures(4)
    designs = Candidates.of(example(), bits)
    by_time, by_energy = (stability(designs, chip, objective=o, reference=0) for o in ("latency_s", "energy_j"))
    assert by_time.energy_bands.equals(by_energy.bands)
    assert by_energy.energy_bands.equals(by_energy.bands)
    assert (by_time.bands["value"] == estimate(example(), chip, bits).latency_s).all()
