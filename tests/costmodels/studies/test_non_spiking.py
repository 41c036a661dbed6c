"""Comparisons on the same chip: float, uniform widths, and the equivalent non-spiking network."""

from pathlib import Path

import pandas as pd
import pytest

from costmodels import Workload, actions, activation_width, comparisons, estimate, load_hardware, non_spiking
from tests.costmodels.networks import cost_of, example, mixtures, own_designs
from tests.costmodels.small import HEAD, plain, two_layers


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


def test_attention_of_integers_has_the_width_of_its_products():
    """3-bit K, V and Q over 196 tokens, heads of 32: 3 + 3 + 8 bit for K^T V, then 3 + 14 + 5 bit."""
    work, chip = example(), load_hardware("generic_45nm")
    table = actions(non_spiking(work), chip, 4).set_index("layer")
    rows = table.loc[["block3.0.attn.kv", "block3.0.attn.qkv"]]
    assert rows["sum_bits"].tolist() == [14, 22]
    channels, tokens, word = 256, 196, chip.chip.spikes.word
    assert rows["spike_words_written"].tolist() == [2 * channels * tokens * 3 / word, channels * tokens * 3 / word]
    # a spiking attention counts: V has 1 bit and K^T V up to 196
    counted = actions(work, chip, 4).set_index("layer").loc[rows.index, "sum_bits"]
    assert counted.tolist() == [1 + 8, 8 + 5]


def test_operands_of_attention_may_have_different_widths():
    row = {"kind": "attention", "input": "multibit", "in_channels": 4, "in_width": 9, "spikes": 1, "time_steps": 1}
    first = row | {"name": "kv", "input_bits": 2, "out_channels": 4, "fan_in": 9, "macs": 36}
    second = row | {"name": "qkv", "input_bits": 5, "out_channels": 4, "fan_in": 4, "macs": 36}
    work = Workload.from_table(pd.DataFrame([HEAD | {"time_steps": 1}, first, second]))
    assert work.geometry.operand_bits.tolist()[1:] == [2, 2 + 2 + 4]
    widths = actions(work, load_hardware("generic_45nm"), 4)["sum_bits"]
    assert widths.tolist()[1:] == [2 + 2 + 4, 5 + 8 + 2]


def test_a_reviewers_table_has_float_uniform_and_non_spiking_rows():
    table = comparisons(example(), load_hardware("generic_45nm"), mixtures(1)[0], widths=(8, 4))
    rows = table.set_index("network")
    assert list(rows.index) == ["float"] + [
        f"{name}{suffix}"
        for name in ("uniform 8", "uniform 4", "design")
        for suffix in ("", " as QNN", " as dense QNN")
    ]
    assert rows.loc["float", "energy_saving"] == 0
    assert "has 32-bit weights; generic_45nm stores" in rows.loc["float", "reasons"][0]
    assert [bool(why) for why in rows["reasons"]] == [not fits for fits in rows["feasible"]]
    assert rows.loc["uniform 4", "memory_saving"] > rows.loc["uniform 8", "memory_saving"] > 0.65
    assert rows.loc["uniform 4 as dense QNN", "energy_j"] > rows.loc["uniform 4 as QNN", "energy_j"]
    direct = estimate(example(), load_hardware("generic_45nm"), 4)
    assert rows.loc["uniform 4", "energy_j"] == float(direct.energy_j)


def test_a_design_is_compared_at_its_own_activity():
    chip, designs = load_hardware("generic_45nm"), own_designs(1)
    table = comparisons(example(), chip, designs.only(0), widths=(4,)).set_index("network")
    assert table.loc["design", "energy_j"] == pytest.approx(float(cost_of(designs, 0, chip).energy_j), rel=1e-12)
    assert table.loc["uniform 4", "energy_j"] == float(estimate(example(), chip, 4).energy_j)
    assert table.loc["design", "time_steps"] == designs.time_steps[0]
