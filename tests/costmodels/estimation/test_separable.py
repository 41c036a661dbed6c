"""Additive tables against the costs of designs: exact where weights fit, elsewhere within the bound of eq. 86."""

import dataclasses
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodels import Hardware, Workload, configured, estimate, load_hardware, separable_tables
from costmodels.equations.energy import fetch_per_bit
from costmodels.hardware.hardware import resolve

FLOWS = ("tick_batched", "time_step_major")
OPTIONS = (1, 2, 4, 8)
QUANTITIES = ("energy_j", "latency_s", "power_w", "memory_bytes")


@cache
def chip_of(flow: str, pinning: str) -> Hardware:
    """A generic chip with roomy memories for states and spikes."""
    chip = configured(load_hardware("generic_45nm"), {"dataflow": flow})
    for memory in ("states", "spikes"):
        chip = chip.with_constant(f"memories.{memory}.size", 1e9)
    dram = chip.file.dram.model_copy(update={"pinning": pinning})
    return dataclasses.replace(chip, file=chip.file.model_copy(update={"dram": dram}))


@cache
def pipelined_chip() -> Hardware:
    """64 event-driven cores with DRAM behind them, so small that wide weights of a layer take several."""
    cores, dram = load_hardware("seneca_like"), load_hardware("generic_45nm").file.dram
    chip = resolve(cores.file.model_copy(update={"dram": dram}), cores.name, cores.path, cores.sha256)
    return chip.with_constant("memories.weights.size", 64 * 4096)


def network(shapes: list[tuple[int, int, float]], steps: int = 2) -> Workload:
    rows = [
        {"name": str(i), "kind": "linear", "in_channels": 8 * n, "out_channels": m, "spikes": 8 * n * rate * steps}
        for i, (n, m, rate) in enumerate(shapes)
    ]
    return Workload.from_table(pd.DataFrame(rows).assign(time_steps=steps))


NETWORKS = st.lists(st.tuples(st.integers(1, 64), st.integers(1, 64), st.floats(0.05, 1)), min_size=1, max_size=5)


def options(work: Workload) -> np.ndarray:
    return np.repeat(np.array(OPTIONS)[:, None], len(work.weight_layers), axis=1)


@settings(max_examples=40, deadline=None)
@given(
    *(st.sampled_from(FLOWS), st.sampled_from(["partial", "none"]), NETWORKS, st.floats(0.02, 1.1)),
    *(st.sampled_from([128, 1024, 8192]), st.integers(0, 2**32 - 1)),
)
def test_the_cost_of_a_design_lies_within_the_bound_of_its_tables(
    flow: str, pinning: str, shapes: list[tuple[int, int, float]], share: float, buffer: int, seed: int
):
    work, places = network(shapes), np.random.default_rng(seed).integers(0, len(OPTIONS), len(shapes))
    chip = chip_of(flow, pinning).with_constant("dram.buffer", buffer)
    least = float(estimate(work, chip, 1).memory_by_component["weights"]) * 8
    most = float(estimate(work, chip, 8).memory_by_component["weights"]) * 8
    chip = chip.with_constant("memories.weights.size", max(4096.0, least + share * (most - least)))
    cost = estimate(work, chip, np.array(OPTIONS)[places], frame_rate=7)
    streams = bool(cost.room_bytes < 0)
    tables = separable_tables(work, chip, options(work), streamed=streams, frame_rate=7)
    for name in QUANTITIES:
        total = tables.offsets[name] + tables.tables[name][np.arange(len(places)), places].sum()
        exact, below, above = float(getattr(cost, name)), tables.below[name], tables.above[name]
        assert below >= 0 <= above
        assert total - below - 1e-9 * exact <= exact <= total + above + 1e-9 * exact, name
        if not streams:
            assert below == above == 0
        elif pinning == "none":  # whole bursts are all that the tables leave out
            assert below == 0
            assert above <= chip.chip.dram_burst * 2 * fetch_per_bit(chip.chip) * max(1, 7)
    assert tables.below["memory_bytes"] == tables.above["memory_bytes"] == 0


@settings(max_examples=60, deadline=None)
@given(NETWORKS, st.sampled_from(["states", "spikes"]), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_what_spills_on_a_pipelined_chip_lies_within_the_bound_of_its_tables(
    shapes: list[tuple[int, int, float]], memory: str, share: float, seed: int
):
    """Narrow weights have narrower sums and take fewer cores with a queue each: less spills than the tables say."""
    work, places = network(shapes), np.random.default_rng(seed).integers(0, len(OPTIONS), len(shapes))
    needed = estimate(work, pipelined_chip(), 8).memory_by_component["states" if memory == "states" else "buffers"]
    chip = pipelined_chip().with_constant(f"memories.{memory}.size", max(1.0, share * 8 * float(needed)))
    cost = estimate(work, chip, np.array(OPTIONS)[places], frame_rate=7)
    tables = separable_tables(work, chip, options(work), frame_rate=7)
    dynamic = float(cost.energy_j - cost.energy_by_component["leakage"])
    for name, exact in (("dynamic_j", dynamic), ("power_w", float(cost.power_w))):
        total = tables.offsets[name] + tables.tables[name][np.arange(len(places)), places].sum()
        assert total - tables.below[name] - 1e-9 * exact <= exact <= total + 1e-9 * exact, name
        assert tables.above[name] == 0
    if share == 1 and memory == "spikes":  # all queues fit at the widest
        assert tables.below == tables.above


def test_queues_that_spill_by_hand():
    """Two layers of 512 x 64 on cores of 4096 bit: weights, scales and biases take 65 at 8 bits, 33 at 4.

    Every core has a queue for the 512 inputs of one time step, but no input has more than 64 outputs to go to. With no
    memory for queues, all are written to DRAM and read again in each of two steps.
    """
    work = network([(64, 64, 0.5), (64, 64, 0.5)])
    chip = pipelined_chip().with_constant("memories.spikes.size", 1.0)
    tables = separable_tables(work, chip, options(work), frame_rate=7)
    less = 2 * 512 * (64 - 33)
    assert tables.below["dynamic_j"] == pytest.approx(2 * 2 * less * chip.chip.dram_energy)
    assert tables.below["power_w"] == pytest.approx(7 * tables.below["dynamic_j"])


def test_the_bound_by_hand():
    """One layer of 512 x 64 at 8 bits on 20 000 bytes, through a buffer of 8192 bit in bursts of 512.

    With 64 scales and constants 264 192 bit are stored, 104 192 too many; 112 384 bit stream, in 220 bursts. The tables
    count 112 384: what a burst is short of, and what is read again for further pieces, they leave out.
    """
    work = network([(64, 64, 0.2)], steps=1)
    chip = chip_of("tick_batched", "partial").with_constant("dram.buffer", 8192)
    chip = chip.with_constant("memories.weights.size", 160_000)
    numbers = chip.chip
    buffer = 2 * 512 * 16  # two output channels at 16 bit are wider than 8192 bit
    cost = estimate(work, chip, 8)
    assert float(cost.off_chip_bytes) * 8 == 264_192 - 160_000 + buffer
    tables = separable_tables(work, chip, np.array([[4], [8]]), streamed=True)
    joule = fetch_per_bit(numbers)
    words = float(cost.energy_by_component["spikes"])
    assert tables.above["dynamic_j"] >= numbers.dram_burst * joule
    assert tables.above["dynamic_j"] - numbers.dram_burst * joule < 40 * words  # ceil(264 192 / 8192) - 1 reads more
    # at 4 bits 133 120 bit fit; a design that streams may exceed the memory by as little as nothing
    assert tables.below["dynamic_j"] == pytest.approx(buffer * joule)
    wide = separable_tables(work, chip, np.array([[8], [8]]), streamed=True)
    assert wide.below["dynamic_j"] == 0  # every design exceeds it by more than the buffer
