"""Comparisons on the same silicon, hardware choices, rank stability, and why designs do not fit."""

import itertools
import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from costmodels import (
    Candidates,
    Cost,
    CostError,
    Designs,
    Hardware,
    Part,
    Workload,
    activation_width,
    activity_of,
    comparisons,
    configurations,
    configured,
    estimate,
    knobs,
    load_hardware,
    non_spiking,
    reasons,
    stability,
    sweep,
)
from costmodels.hardware.hardware import CHIPS
from costmodels.hardware.op_energy import op_tables
from costmodels.studies.stability import kendall_tau, nondominated, uncertain
from costmodels.workload.propagation import with_spikes
from tests.costmodels.small import plain, two_layers


@cache
def example() -> Workload:
    return Workload.example("sdtv2_8_256")


def _designs(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.array([2, 3, 4, 6, 8]), (count, 138))


def test_activation_width_tells_as_many_levels_apart():
    assert [activation_width(t) for t in (1, 2, 3, 4, 7, 8)] == [1, 2, 2, 3, 3, 4]


def test_the_non_spiking_equivalent_by_hand(tmp_path: Path):
    network = non_spiking(two_layers())
    # T = 2: activations of 2 bit, one pass; 10 spikes in 32 inputs, 20 in 64, each in an element of its own
    assert network.time_steps == 1
    assert network.columns["input_bits"].tolist() == [2, 2]
    assert network.columns["synops"].tolist() == [300, 200]
    cost = estimate(network, plain(tmp_path), [4, 2])
    # 4 x 2 bit multiplier and an addition of 4 + 2 + 5 bit; 2 x 2 bit and 2 + 2 + 6 bit
    assert float(cost.energy_by_component["compute"]) * 1e12 == pytest.approx(300 * (8 + 11) + 200 * (4 + 10))
    assert float(cost.energy_by_component["neurons"]) == 0
    dense = non_spiking(two_layers(), dense=True)
    assert dense.columns["synops"].tolist() == [1152, 640]


def test_a_reviewers_table_has_float_uniform_and_non_spiking_rows():
    table = comparisons(example(), load_hardware("generic_45nm"), _designs(1)[0], widths=(8, 4))
    rows = table.set_index("network")
    assert list(rows.index) == ["float"] + [
        f"{name}{suffix}"
        for name in ("uniform 8", "uniform 4", "design")
        for suffix in ("", " as QNN", " as dense QNN")
    ]
    assert rows.loc["float", "energy_saving"] == 0
    assert rows.loc["uniform 4", "memory_saving"] > rows.loc["uniform 8", "memory_saving"] > 0.7
    assert rows.loc["uniform 4 as dense QNN", "energy_j"] > rows.loc["uniform 4 as QNN", "energy_j"]
    direct = estimate(example(), load_hardware("generic_45nm"), 4)
    assert rows.loc["uniform 4", "energy_j"] == float(direct.energy_j)


def test_knobs_are_enumerated_exactly():
    chip = load_hardware("generic_45nm")
    values = knobs(chip)
    chips = configurations(chip)
    assert len(chips) == np.prod([len(v) for v in values.values()])
    assert [tuple(c.setting.values()) for c in chips] == list(itertools.product(*values.values()))
    # memories and op energies follow the setting
    small, large = (configured(chip, {"memories.weights.size": size}).chip.weights for size in (0.5, 8))
    assert small.read < large.read
    assert small.size * 16 == large.size
    assert configured(chip, {"node": 22}).chip.add_per_bit < chip.chip.add_per_bit


def test_the_best_chip_of_a_sweep_is_the_best_of_all():
    chip, bits = load_hardware("generic_45nm"), _designs(2)
    chip = configured(chip, {})
    table = sweep(
        Candidates.of(example(), Designs(bits, ("a", "b"))),
        chip,
        objectives=("energy_j", "energy_delay_js", "area_mm2"),
    )
    assert list(table["design"]) == ["a"] * 3 + ["b"] * 3
    for place, name in enumerate("ab"):
        costs = [estimate(example(), c.hardware, bits[place]) for c in configurations(chip)]
        feasible = [c for c in costs if bool(c.feasible)]
        best = table[(table["design"] == name)].set_index("objective")
        assert best.loc["energy_j", "energy_j"] == min(float(c.energy_j) for c in feasible)
        product = best.loc["energy_delay_js"]
        assert product["energy_j"] * product["latency_s"] == min(float(c.energy_j * c.latency_s) for c in feasible)
        assert best.loc["area_mm2", "area_mm2"] == min(float(c.area_mm2) for c in feasible)
        assert best["feasible"].all()
        assert best.loc["energy_j", "file_value"] == float(estimate(example(), chip, bits[place]).energy_j)


def test_a_chip_without_knobs_is_its_own_best():
    table = sweep(
        Candidates.of(two_layers(), np.array([[4, 4]])), load_hardware("seneca_like"), objectives=("energy_j",)
    )
    assert len(table) == 1
    assert table.loc[0, "gain"] == 0


def test_knob_mistakes_are_refused(tmp_path: Path):
    chip = load_hardware("generic_45nm")
    with pytest.raises(CostError, match=r"knobs: noc.hops is 3; the file has no such entry"):
        configured(chip, {"noc.hops": 3})
    with pytest.raises(CostError, match=r"knobs: \{clock: -1\} make no chip"):
        configured(chip, {"clock": -1})
    with pytest.raises(CostError, match=r"knobs: \{dataflow: warp\} make no chip: dataflow: unknown data flow 'warp'"):
        configured(chip, {"dataflow": "warp"})
    with pytest.raises(CostError, match="unknown objective 'beauty'"):
        sweep(Candidates.of(two_layers(), [[4, 4]]), chip, objectives=("beauty",))
    path = tmp_path / "many.yaml"
    text = (CHIPS / "generic_45nm.yaml").read_text()
    path.write_text(
        text.replace(
            "  processing_elements: [2048, 4096, 8192, 16384]", f"  processing_elements: {list(range(1, 900))}"
        )
    )
    with pytest.raises(CostError, match="at most 100000 are enumerated"):
        configurations(load_hardware(path))


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
    chip, bits = load_hardware("generic_45nm"), _designs(40)
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
    result = stability(Candidates.of(example(), _designs(5)), load_hardware("generic_45nm"))
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
        stability(Candidates.of(example(), _designs(1)), chip)
    with pytest.raises(CostError, match="unknown objective 'beauty'"):
        stability(Candidates.of(example(), _designs(2)), chip, objective="beauty")
    with pytest.raises(CostError, match=r"drop has shape \(3,\); expected \(2,\)"):
        stability(Candidates.of(example(), _designs(2)), chip, drop=[1, 2, 3])


def _own(count: int) -> Designs:
    """Designs with time steps, potentials and spikes of their own."""
    rng, work = np.random.default_rng(7), example()
    steps = rng.choice([1, 2, 4], count)
    shares = np.array([len([n for n in lif.split(";") if n]) for lif in work.texts["lif"]])
    neurons = np.array([work.columns["neurons"][r] / shares[r] for r in work.lif_rows])
    spikes = neurons * steps[:, None] * rng.uniform(0.05, 0.3, (count, len(neurons)))
    return Designs(_designs(count), tuple("abcdef"[:count]), steps, rng.integers(6, 17, (count, 77)), spikes)


def _alone(designs: Designs, place: int, chip: Hardware, work: Workload | None = None) -> Cost:
    own = {"state_bits": designs.state_bits[place], "spikes": designs.spikes[place]}
    one = Designs(designs.weight_bits[place], time_steps=int(designs.time_steps[place]), **own)
    return estimate(work or example(), chip, one)


def test_designs_bring_their_own_steps_potentials_and_spikes():
    chip, designs = load_hardware("generic_45nm"), _own(6)
    found = estimate(example(), chip, designs)
    for place in range(6):
        alone = _alone(designs, place, chip)
        assert found.energy_j[place] == alone.energy_j
        assert found.memory_bytes[place] == alone.memory_bytes
        assert found.feasible[place] == alone.feasible
    ranked = stability(Candidates.of(example(), designs), chip)
    doubled = chip.with_constant("memories.weights.read", 2 * chip.table["memories.weights.read"].value)
    base, changed = ([float(_alone(designs, i, h).energy_j) for i in range(6)] for h in (chip, doubled))
    row = ranked.scenarios.query("constant == 'memories.weights.read' and change == 'x2'").iloc[0]
    assert row["tau"] == pytest.approx(kendalltau(base, changed).statistic)
    table = sweep(
        Candidates.of(example(), designs).only([1, 4]), load_hardware("seneca_like"), objectives=("energy_j",)
    )
    assert list(table["design"]) == ["b", "e"]
    assert table["energy_j"].tolist() == [
        float(_alone(designs, i, load_hardware("seneca_like")).energy_j) for i in (1, 4)
    ]


def test_candidates_of_several_forms_are_costed_by_their_own_layer_tables():
    """Places 0, 2 and 4 have the fused network, the others the unfused one; another order changes nothing."""
    chip, fused = load_hardware("generic_45nm"), Workload.example("sdtv2_8_256", fused=True)
    unfused, few = _own(2), np.random.default_rng(3).choice([2, 4, 8], (3, len(fused.weight_layers)))
    parts = Part(fused, Designs(few, ("x", "y", "z")), np.array([4, 0, 2])), Part(example(), unfused, np.array([1, 3]))
    candidates = Candidates(parts)
    assert candidates.names == ("y", "a", "z", "b", "x")
    energies = candidates.costs(chip).energy_j
    assert energies[[4, 0, 2]].tolist() == [float(estimate(fused, chip, bits).energy_j) for bits in few]
    assert energies[[1, 3]].tolist() == [float(_alone(unfused, i, chip).energy_j) for i in range(2)]
    some = candidates.only([3, 0])
    assert some.names == ("b", "y")
    assert some.costs(chip).energy_j.tolist() == energies[[3, 0]].tolist()
    work, design = candidates.one(3)
    assert work is parts[1].workload
    assert estimate(work, chip, design).energy_j == energies[3]
    assert stability(candidates, chip).designs == 5
    with pytest.raises(CostError, match="do not fill the places 0 to N - 1"):
        Candidates((parts[0],))


def test_designs_are_checked():
    with pytest.raises(CostError, match="names has 3 entries; expected 2, one per design"):
        Designs(_designs(2), names=("a", "b", "c"))
    with pytest.raises(CostError, match=r"weight_bits \(2,\), time_steps \(3,\) do not broadcast"):
        Designs(_designs(2), time_steps=np.array([1, 2, 4]))
    with pytest.raises(CostError, match="takes the spikes of one design"):
        with_spikes(example(), np.zeros((2, 77)))
    chip, spikes = load_hardware("generic_45nm"), activity_of(example(), {})
    assert estimate(example(), chip, Designs(4, spikes=spikes)).energy_j == pytest.approx(
        float(estimate(example(), chip, 4).energy_j), rel=1e-12
    )
    with pytest.raises(CostError, match="comparisons take spikes per LIF layer"):
        comparisons(example(), chip, Designs(4, spikes=spikes))


def test_a_design_is_compared_at_its_own_activity():
    chip, designs = load_hardware("generic_45nm"), _own(1)
    table = comparisons(example(), chip, designs.only(0), widths=(4,)).set_index("network")
    assert table.loc["design", "energy_j"] == pytest.approx(float(_alone(designs, 0, chip).energy_j), rel=1e-12)
    assert table.loc["uniform 4", "energy_j"] == float(estimate(example(), chip, 4).energy_j)
    assert table.loc["design", "time_steps"] == designs.time_steps[0]


def test_designs_that_do_not_fit_say_why(tmp_path: Path):
    work = Workload.example("sdtv2_8_512")
    assert reasons(work, load_hardware("generic_45nm"), 4) == []
    why = reasons(work, load_hardware("generic_45nm"), 32)
    assert "32-bit weights; generic_45nm stores 1, 2, 3, 4, 5, 6, 7, 8, 16 bits" in why[0]
    assert why[1].startswith(
        "downsample4.encode_conv needs 11796480 bytes of weights; memories.weights.size is 4194304"
    )
    assert "lower the frame rate" in why[2]
    crowd = reasons(work, load_hardware("loihi_like"), 4)
    assert any(text.startswith("the layers need") and "cores is 128" in text for text in crowd)
    assert any("all potentials need" in text for text in crowd)
    assert any("all weights need" in text for text in crowd)
    # a memory smaller than one layer's weights is an answer, not an exception
    tiny = plain(tmp_path, size=20)
    cost = estimate(two_layers(), tiny, 4)
    assert not bool(cost.feasible)
    assert bool(cost.violations["layer_weights"])
    assert np.isfinite(float(cost.energy_j))
    assert any("head needs 320 bytes of weights" in text for text in reasons(two_layers(), tiny, 4))


def test_feature_maps_without_dram_must_fit(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    text = (tmp_path / plain(tmp_path, size=20).path).read_text()
    path.write_text(text[: text.index("dram:")])
    chip = load_hardware(path)
    why = reasons(two_layers(), chip, 1)
    assert any(text.startswith("the largest feature map needs 24 bytes") for text in why)
    assert any("or add dram" in text for text in why)


def test_reasons_are_for_one_design():
    with pytest.raises(CostError, match="reasons are for one design, not 2"):
        reasons(example(), load_hardware("generic_45nm"), np.full((2, 138), 4))
    assert isinstance(comparisons(example(), load_hardware("generic_22nm"), widths=()), pd.DataFrame)
