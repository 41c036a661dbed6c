"""What a chip may choose: an adder tree, a still image once, zero weights skipped, DRAM's own power; each by hand."""

import tempfile
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodels import CostError, Hardware, Workload, actions, estimate, load_hardware
from tests.costmodels.small import plain, plain_text, two_layers

PJ = 1e-12
BITS = [4, 2]
TREE = 'table: horowitz\n  reduction_inputs: {value: 4, unit: "1", source: test}'


def chip(folder: Path, old: str, new: str, dataflow: str = "tick_batched") -> Hardware:
    text = plain_text(dataflow)
    assert old in text
    (folder / "own.yaml").write_text(text.replace(old, new), encoding="utf-8")
    return load_hardware(folder / "own.yaml")


def linear(spikes: float, steps: int = 1, **more: object) -> Workload:
    layer = {"name": "fc", "kind": "linear", "in_channels": 16, "out_channels": 10, "spikes": spikes}
    return Workload.from_table(pd.DataFrame([layer | {"time_steps": steps} | more]))


def test_an_adder_tree_writes_its_register_once(tmp_path: Path):
    """16 inputs that all fire into 10 outputs, 4-bit weights, trees of four inputs; sums of 4 + 4 bits.

    Four products are two additions of 5 bits, one of 6, and one of 8 into the register, which is written once.
    """
    part = estimate(linear(16), chip(tmp_path, "table: horowitz", TREE), 4).energy_by_component
    assert float(part["compute"]) / PJ == pytest.approx(160 / 4 * (2 * 5 + 6 + 8))
    potentials = 16 * 8 * 0.1  # the layer's neurons keep theirs in registers
    assert float(part["sums"]) / PJ == pytest.approx(160 / 4 * 8 * 0.1 + potentials)
    without = estimate(linear(16), plain(tmp_path), 4).energy_by_component
    assert float(without["compute"]) / PJ == pytest.approx(160 * 8)
    assert float(without["sums"]) / PJ == pytest.approx(160 * 8 * 0.1 + potentials)


def test_an_adder_of_a_tree_rests_where_no_input_is_a_spike(tmp_path: Path):
    """Half of the inputs fire: of 40 trees, an adder of two inputs works in 3 of 4, one of four in 15 of 16."""
    part = estimate(linear(8), chip(tmp_path, "table: horowitz", TREE), 4).energy_by_component
    assert float(part["compute"]) / PJ == pytest.approx(40 * (2 * 5 * 3 / 4 + (6 + 8) * 15 / 16))
    assert float(part["sums"]) / PJ == pytest.approx(40 * 8 * 0.1 * 15 / 16 + 16 * 8 * 0.1)


@cache
def with_and_without_tree(inputs: int) -> tuple[Hardware, Hardware]:
    """Chips that differ in an adder tree; to read their files takes longer than all examples."""
    with tempfile.TemporaryDirectory() as folder:
        return chip(Path(folder), "table: horowitz", TREE.replace("4", str(inputs), 1)), plain(Path(folder))


@given(st.floats(0.5, 16), st.sampled_from([2, 4, 8, 16]))
def test_a_tree_never_writes_more_than_one_register_per_operation(spikes: float, inputs: int):
    found = [actions(linear(spikes), each, 4)["register_bits"][0] for each in with_and_without_tree(inputs)]
    assert found[0] <= found[1] * (1 + 1e-9)


def test_a_still_image_is_computed_once(tmp_path: Path):
    """An image of 32 numbers through 1000 multiplications per step: with two steps half of all of that row's work."""
    image = {"input": "multibit", "input_bits": 8, "spikes": 64, "synops": 2000, "neurons": 0, "lif": ""}
    image |= {"lif_spikes": 0}
    work, once = two_layers(**image), "dataflow: tick_batched\nstill_image: once"
    saves = chip(tmp_path, "dataflow: tick_batched", once)
    pair = [actions(work, each, BITS).iloc[0] for each in (plain(tmp_path), saves)]
    assert pair[0]["weight_words"] == pair[1]["weight_words"]  # fetched once for all steps in either case
    for count in ("multiplications", "register_bits", "spike_words_read", "rescales", "buffer_bits"):
        every, first = (float(each[count]) for each in pair)
        if count == "buffer_bits":  # with the next layer's input, which is held for both steps: 64 spikes each
            every, first = every - 128, first - 128
        assert first == pytest.approx(every / 2), count
        assert every > 0
    assert pair[1]["spike_words_written"] == pytest.approx(pair[0]["spike_words_written"] / 2)
    later = [actions(work, each, BITS).iloc[1] for each in (plain(tmp_path), saves)]
    pd.testing.assert_series_equal(*later)
    assert estimate(two_layers(), saves, BITS).energy_j == estimate(two_layers(), plain(tmp_path), BITS).energy_j


def test_zero_weights_are_skipped_where_the_chip_says_it_can(tmp_path: Path):
    """A quarter of the weights is left: 160 operations become 40; all weights are read and stored as before."""
    skips = chip(tmp_path, "table: horowitz", "table: horowitz\n  zero_weights: skipped")
    pruned, whole = linear(16, nonzero=0.25), linear(16)
    part, full = (estimate(work, skips, 4).energy_by_component for work in (pruned, whole))
    assert float(part["compute"]) / PJ == pytest.approx(40 * 8)
    assert float(part["sums"]) / PJ == pytest.approx(40 * 8 * 0.1 + 16 * 8 * 0.1)
    assert part["weights"] == full["weights"]
    assert estimate(pruned, skips, 4).memory_bytes == estimate(whole, skips, 4).memory_bytes
    assert estimate(pruned, plain(tmp_path), 4).energy_j == estimate(whole, plain(tmp_path), 4).energy_j


def test_zeros_of_integer_weights_count_at_their_width(tmp_path: Path):
    """Of 160 operations 40 happen at 2 bits, 120 at 4, and at 8, which the table lacks, 128 as without a width."""
    skips = chip(tmp_path, "table: horowitz", "table: horowitz\n  zero_weights: skipped")
    work = linear(16, nonzero=0.8, nonzero_2=0.25, nonzero_4=0.75)
    part = estimate(work, skips, [[2], [4], [8]]).energy_by_component
    growth = 4  # of sums over 16 inputs
    assert part["compute"] / PJ == pytest.approx([40 * (2 + growth), 120 * (4 + growth), 128 * (8 + growth)])
    work.table().to_csv(tmp_path / "layers.csv", index=False)
    again = Workload.from_csv(tmp_path / "layers.csv")
    assert (
        estimate(again, skips, [[2], [4], [8]]).energy_j.tolist()
        == estimate(work, skips, [[2], [4], [8]]).energy_j.tolist()
    )
    assert estimate(work, plain(tmp_path), 4).energy_j == estimate(linear(16), plain(tmp_path), 4).energy_j


def test_an_adder_tree_rests_more_where_weights_are_zero(tmp_path: Path):
    """Half of the inputs fire and half of the weights are not zero: a product in four, so one of two in 1 - 9/16."""
    text = TREE.replace("4", "2", 1) + "\n  zero_weights: skipped"
    part = estimate(linear(8, nonzero_4=0.5), chip(tmp_path, "table: horowitz", text), 4).energy_by_component
    assert float(part["compute"]) / PJ == pytest.approx(80 * 7 / 16 * (5 + 8))


def test_a_spike_of_attention_meets_zeros_where_the_chip_does_not_skip_them(tmp_path: Path):
    """K of 4 channels and 9 tokens fires 12 times; 20 of 12 x 4 products with V meet a spike; sums of 1 + 4 bits."""
    head = {"name": "fc", "kind": "linear", "in_channels": 4, "out_channels": 4, "in_width": 9, "spikes": 1}
    shape = {"kind": "attention", "in_channels": 4, "in_width": 9, "out_channels": 4, "out_width": 4, "fan_in": 9}
    shape |= {"macs": 4 * 4 * 9, "spikes": 12, "synops": 20, "name": "kv", "lif_spikes": 24, "neurons": 72}
    work = Workload.from_table(pd.DataFrame([head, shape]).assign(time_steps=1))
    every = chip(tmp_path, "table: horowitz", "table: horowitz\n  attention_zeros: added")
    pairs, met = (actions(work, each, 4)["additions"].tolist()[1] for each in (plain(tmp_path), every))
    assert (pairs, met) == (20, 48)
    one, other = (estimate(work, each, 4).energy_by_component for each in (plain(tmp_path), every))
    assert float(other["compute"] - one["compute"]) / PJ == pytest.approx((48 - 20) * (1 + 4))


def test_dram_draws_power_of_its_own(tmp_path: Path):
    """2 mW of refresh and standby, whatever is transferred: on top of every power, and times the latency."""
    own = "dram:\n  background: {value: 2, unit: mW, source: test}"
    draws, cost = chip(tmp_path, "dram:", own), estimate(two_layers(), plain(tmp_path), BITS)
    more = estimate(two_layers(), draws, BITS)
    assert float(more.power_w - cost.power_w) == pytest.approx(2e-3)
    assert float(more.energy_j - cost.energy_j) == pytest.approx(2e-3 * float(cost.latency_s))


@pytest.mark.parametrize(
    ("dataflow", "old", "new", "message"),
    [
        (
            "tick_batched",
            "table: horowitz",
            TREE.replace("4", "6", 1),
            "reduction_inputs is 6; expected a power of two",
        ),
        (
            "event_driven",
            "table: horowitz",
            TREE,
            "compute.reduction_inputs: data flow event_driven adds spike by spike",
        ),
        (
            "time_step_major",
            "dataflow: time_step_major",
            "dataflow: time_step_major\nstill_image: once",
            "still_image: ",
        ),
        ("tick_batched", "table: horowitz", "table: horowitz\n  zero_weights: gone", "zero_weights is 'gone'"),
        ("tick_batched", "table: horowitz", "table: horowitz\n  attention_zeros: x", "attention_zeros is 'x'"),
        (
            "event_driven",
            "dataflow: event_driven",
            "dataflow: event_driven\nclock_gating: between_inferences",
            "clock_gating: data flow event_driven must accept spikes at any time; leave it out",
        ),
    ],
)
def test_choices_that_cannot_be_are_one_line(tmp_path: Path, dataflow: str, old: str, new: str, message: str):
    with pytest.raises(CostError, match=message) as caught:
        chip(tmp_path, old, new, dataflow)
    assert "\n" not in str(caught.value)
    assert "own.yaml:" in str(caught.value)


def test_a_share_of_weights_is_at_most_one():
    with pytest.raises(CostError, match="layer table:2: nonzero is 2; expected a share, 0 to 1"):
        linear(1, nonzero=2)
    with pytest.raises(CostError, match=r"layer table:2: nonzero_3 is 1\.5; expected a share, 0 to 1"):
        linear(1, nonzero_3=1.5)
