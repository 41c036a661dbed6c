"""Weights that do not fit: pinned in part, streamed through two halves of a buffer, tiled over output channels."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodels import Designs, Hardware, Workload, actions, breakdown, configured, estimate, floorline, load_hardware
from tests.costmodels.networks import example
from tests.costmodels.small import plain, plain_text, two_layers

PJ = 1e-12
BITS = [4, 2]


def linear(name: str, inputs: int, outputs: int, spikes: float, steps: int = 1) -> dict[str, object]:
    shape = {"kind": "linear", "in_channels": inputs, "out_channels": outputs}
    return shape | {"name": name, "spikes": spikes, "time_steps": steps, "channel_constants": 0}


def test_only_what_does_not_fit_is_fetched(tmp_path: Path):
    # 72 * 4 bit = 18 words = 288 bit; 640 * 2 bit = 80 words = 1280 bit; scales and constants of 14 channels, 16 bit
    # each, 448 bit; together 252 bytes
    roomy = estimate(two_layers(), plain(tmp_path, size=252), BITS)
    tight = estimate(two_layers(), plain(tmp_path, size=251), BITS)
    assert (float(roomy.room_bytes), float(tight.room_bytes)) == (0, -1)
    # one byte too many, and one byte of room to stream it through: 16 bit, in a burst of 512 bit at 5 pJ, which are
    # written into the weight memory word by word at 3 pJ; behind 125 us of work, in which DRAM moves 1000 bit
    assert (float(roomy.off_chip_bytes), float(tight.off_chip_bytes)) == (0, 2)
    extra = float(tight.energy_by_component["dram"]) / PJ
    assert extra == pytest.approx(512 * 5 + 32 * 3)
    assert float(tight.latency_s) == pytest.approx(float(roomy.latency_s)) == pytest.approx(125e-6)
    major = estimate(two_layers(), plain(tmp_path, "time_step_major", size=251), BITS)
    assert float(major.energy_by_component["dram"]) / PJ == pytest.approx(2 * extra)  # in each of two steps


def test_without_pinning_all_weights_are_fetched(tmp_path: Path):
    path = tmp_path / "all.yaml"
    path.write_text(plain_text(size=251).replace("dram:\n", "dram:\n  pinning: none\n"))
    cost = estimate(two_layers(), load_hardware(path), BITS)
    assert float(cost.off_chip_bytes) == 252
    # 2016 bit are 3.94 bursts; 1 MB/s is 8 bit per us: 416 bit of the convolution behind its 75 us, 400 of the head's
    # 1600 bit behind its 50 us.  The half of the buffer, 1004 bit, holds neither all of the head: its input of 120 / 16
    # words is read once more, for 7 pJ each, and behind the same 50 us: 15 us of them are its own spikes
    assert float(cost.energy_by_component["dram"]) / PJ == pytest.approx(2048 * 5 + 128 * 3)
    assert float(cost.latency_s) == pytest.approx((125 + 150) * 1e-6)
    table = floorline(two_layers(), load_hardware(path), BITS).set_index("layer")
    assert table["spike port"].tolist() == pytest.approx([6.25e-6, (15 + 7.5) * 1e-6])
    reread = (
        cost.energy_by_component["spikes"] - estimate(two_layers(), plain(tmp_path), BITS).energy_by_component["spikes"]
    )
    assert float(reread) / PJ == pytest.approx(7.5 * 7)
    table = breakdown(two_layers(), load_hardware(path), BITS)
    assert table[table["quantity"] == "energy_j"]["value"].sum() == pytest.approx(float(cost.energy_j), rel=1e-12)


def test_a_few_bytes_beyond_the_memory_cost_little():
    """2 672 bytes over 4 MiB: 21 376 bit at 8 pJ are 0.0002 mJ, as much for the room that they stream through; fetching
    all weights instead costs 0.29 mJ."""
    chip, work = load_hardware("generic_45nm"), example()
    fits = float(estimate(work, chip, 2).room_bytes) * 8
    size = chip.table["memories.weights.size"].value - fits
    whole = estimate(work, chip.with_constant("memories.weights.size", size), 2)
    over = estimate(work, chip.with_constant("memories.weights.size", size - 2672 * 8), 2)
    assert float(whole.off_chip_bytes - over.off_chip_bytes) == -2 * 2672
    assert 0.0003e-3 < float(over.energy_j - whole.energy_j) < 0.0005e-3
    assert over.latency_s == whole.latency_s


def test_nothing_overlaps_where_two_output_channels_do_not_fit(tmp_path: Path):
    """Two layers 256 -> 2 at 8 bit, 2064 bit for a channel with its scale: 400 bytes hold one and a half, 600 two.

    400 bytes: all 8256 bit stream, in pieces of 1600 bit: three for each layer, which reads its input twice more. 600
    bytes: 3456 bit too many, and as much again for their buffer; in pieces of 2400 bit, so that 2112 bit of the 3456
    that a second piece of both layers would hold stream, and as much of the input is read again.

    Reads of the input hide behind the work: 100 spikes are 100 words of weights and 16 + 16 words of spikes read and
    written, so that even 32 more fit into its 100 us. 20 spikes are 20 words of weights and 10 + 10 of spikes: each
    further read takes its 10 us.
    """
    for spikes, size, hidden, again in (
        *((100, 400, 0, 0), (100, 600, 2 * 100 * 0.4, 0)),
        *((20, 400, 0, 2 * 2 * 10), (20, 600, 2 * 20 * 0.4, 2 * 10 * 2112 / 3456)),
    ):
        work = Workload.from_table(pd.DataFrame([linear(name, 256, 2, spikes) for name in "ab"]))
        path = tmp_path / f"{size}.yaml"
        path.write_text(plain_text(size=size).replace("bandwidth: {value: 1,", "bandwidth: {value: 0.05,"))
        cost = estimate(work, load_hardware(path), 8)
        assert bool(cost.feasible)
        streamed = 8256 if size == 400 else 2 * 3456
        assert float(cost.off_chip_bytes) == streamed / 8
        # a layer's work: a word of weights per spike and us, behind which 0.4 bit per us may be fetched
        assert float(cost.latency_s) == pytest.approx((2 * spikes + (streamed - hidden) / 0.4 + again) * 1e-6)


def test_transfers_hide_only_behind_the_work_of_layers_that_stream():
    """B5: three layers 4096 -> 2048 of 4-bit weights in 4 MiB, 33 587 200 bit each with their scales.

    All but the memory streams, and as much again as the buffer takes; in 33 pieces of 128 KiB a layer, for each
    of which but the first the layer reads its input again while it works. On top of the layers' work come transfers
    that it does not hide.
    """
    chip, layer = load_hardware("generic_45nm"), 4096 * 2048 * 4 + 2048 * 16
    work = Workload.from_table(pd.DataFrame([linear(name, 4096, 2048, 2000) for name in "abc"]))
    cost, number, piece = estimate(work, chip, 4), chip.chip, 128 * 1024 * 8
    streamed = 3 * layer - number.weights.size + 2 * piece
    assert float(cost.off_chip_bytes) * 8 == streamed
    own = float(estimate(work, chip.with_constant("memories.weights.size", 1e12), 4).latency_s)
    waits = (streamed - own * number.dram_bandwidth) / number.dram_bandwidth
    words = actions(work, chip, 4)["spike_words_read"].sum() * 32
    port = floorline(work, chip.with_constant("memories.weights.size", 1e12), 4)["spike port"].sum()
    assert port + words / number.spikes.words_per_second(number.clock) < own  # all reads fit behind the work
    assert waits > 0
    assert bool(cost.feasible)
    assert float(cost.latency_s) == pytest.approx(own + waits, rel=1e-9)


def test_a_layer_larger_than_the_memory_is_tiled_over_its_output_channels():
    """75.25 kB hold no layer of 230 k weights; in halves of 16 kB it runs, and its input is read for every piece."""
    chip, work = load_hardware("tick_batched_28nm"), example()
    for bits in (1, 4, 8):
        cost = estimate(work, chip, Designs(bits, activation_bits=6))  # its accumulators have 24 bits
        assert not bool(cost.violations["layer_weights"])
        assert bool(cost.feasible)
    one = Workload.from_table(pd.DataFrame([linear("fc", 1024, 1024, 300)]))  # 131 072 bytes and 4 kB of scales
    large = chip.with_constant("memories.weights.size", 8e9)
    again = estimate(one, chip, 1).energy_by_component["spikes"] / estimate(one, large, 1).energy_by_component["spikes"]
    written = chip.chip.spikes.write / chip.chip.spikes.read
    assert 1 < again < (9 + written) / (1 + written)  # 9 pieces of 16 kB where all of it streams


@cache
def chips() -> dict[str, Hardware]:
    chip = load_hardware("generic_45nm")
    return {"tick_batched": chip, "time_step_major": configured(chip, {"dataflow": "time_step_major"})}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["tick_batched", "time_step_major"]),
    st.lists(st.tuples(st.integers(1, 64), st.integers(1, 64), st.floats(0.05, 1)), min_size=1, max_size=5),
    st.integers(0, 4),
    st.floats(0.1, 1.2),
    st.sampled_from([128, 1024, 8192]),
)
def test_one_more_byte_costs_a_burst_and_a_read_of_the_input_at_most(
    flow: str, shapes: list[tuple[int, int, float]], place: int, share: float, buffer: int
):
    steps, place = 2, place % len(shapes)
    rows = [linear(str(i), 8 * n, m, 8 * n * rate * steps, steps) for i, (n, m, rate) in enumerate(shapes)]
    work = Workload.from_table(pd.DataFrame(rows))
    chip = chips()[flow].with_constant("dram.buffer", buffer)
    stored = float(estimate(work, chip, 8).memory_by_component["weights"]) * 8
    chip = chip.with_constant("memories.weights.size", max(4096.0, round(stored * share / 8) * 8))
    for memory in ("states", "spikes"):
        chip = chip.with_constant(f"memories.{memory}.size", 1e9)
    numbers = chip.chip
    word = int(numbers.weights.word)
    wider = {"weights": work.columns["weights"][place] + word / 8}  # 8-bit weights in words
    more = [row | (wider if i == place else {"weights": work.columns["weights"][i]}) for i, row in enumerate(rows)]
    before, after = estimate(work, chip, 8), estimate(Workload.from_table(pd.DataFrame(more)), chip, 8)
    fetches = 1 if flow == "tick_batched" else steps
    per_bit = numbers.dram_energy + numbers.weights.write / word
    # the word goes through the buffer twice over (eq. 34): one read, and in halves of a word one for each of the two
    half = max(buffer, 2 * 16 * max(8 * n for n, _, _ in shapes)) / 2
    words = float(actions(work, chip, 8)["spike_words_read"][place]) * np.ceil(2 * word / half)
    longer, extra = float(after.latency_s - before.latency_s), float(after.energy_j - before.energy_j)
    burst = numbers.dram_burst * fetches
    most = burst * per_bit + words * numbers.spikes.read + numbers.leakage * max(0.0, longer)
    assert -1e-18 <= extra <= most + 1e-12 * float(before.energy_j)
    read_s = words / numbers.spikes.words_per_second(numbers.clock)
    assert longer <= burst / numbers.dram_bandwidth + read_s + 1e-12 * float(before.latency_s)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(18, 26))
def test_pinning_is_never_dearer_than_fetching_everything(seed: int, size: int):
    work, chip = example(), load_hardware("generic_45nm").with_constant("memories.weights.size", float(2**size))
    bits = np.random.default_rng(seed).choice([1, 2, 4, 8], len(work.weight_layers))
    dram = chip.file.dram.model_copy(update={"pinning": "none"})
    every = type(chip)(**{**vars(chip), "file": chip.file.model_copy(update={"dram": dram})})
    pinned, fetched = estimate(work, chip, bits), estimate(work, every, bits)
    assert float(pinned.latency_s) <= float(fetched.latency_s) * (1 + 1e-12)
    assert float(pinned.energy_j) <= float(fetched.energy_j) * (1 + 1e-12)
