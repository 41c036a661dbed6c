"""Latency of rows that work at the same time, against plain loops and the laws of a pipeline."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodels import Workload, actions, breakdown, estimate, load_hardware, reasons
from costmodels.equations.timing import pipeline

TIMES = st.lists(st.floats(0, 1e3), min_size=1, max_size=12)


@given(TIMES, st.integers(1, 20))
def test_a_pipeline_is_the_sum_over_steps_of_the_slowest_row_at_work(times: list[float], steps: int):
    by_hand = 0.0
    for step in range(len(times) + steps - 1):
        by_hand += max(times[row] / steps for row in range(len(times)) if 0 <= step - row < steps)
    assert pipeline(np.array(times), steps) == pytest.approx(by_hand, rel=1e-12, abs=1e-12)


@given(TIMES, st.integers(1, 20))
def test_a_pipeline_is_never_slower_than_its_rows_one_after_the_other(times: list[float], steps: int):
    total = float(pipeline(np.array(times), steps))
    assert total <= sum(times) * (1 + 1e-12)
    assert total >= max(times) * (1 - 1e-12)
    if steps == 1:  # nothing overlaps
        assert total == pytest.approx(sum(times), rel=1e-12)


def test_one_slow_layer_is_waited_for_once():
    """1000 x 1000 with 1000 spikes, then nine of 10 x 10 with 10; in one time step one layer works at a time."""
    rows = [{"name": "big", "kind": "linear", "in_channels": 1000, "out_channels": 1000, "spikes": 1000}]
    rows += [{"name": f"s{i}", "kind": "linear", "in_channels": 10, "out_channels": 10, "spikes": 10} for i in range(9)]
    chip = load_hardware("loihi_sanafe")

    def latency(part: list[dict]) -> float:
        work = Workload.from_table(pd.DataFrame(part).assign(time_steps=1))
        return float(estimate(work, chip, 8).latency_s)

    assert latency(rows) == pytest.approx(sum(latency([row]) for row in rows), rel=1e-12)


def test_a_frame_rate_is_met_by_the_slowest_row_of_a_pipeline():
    """Layers 200 -> 100 of 100, 200 and 100 spikes, T 1: 10 000 or 20 000 sums and 200 potentials on one core each.

    The latency is the sum of the three; a result comes after 20 200 cycles and a barrier of 1.8 us.
    """
    layer = {"kind": "linear", "in_channels": 200, "out_channels": 100, "time_steps": 1}
    rows = [layer | {"name": name, "spikes": spikes} for name, spikes in (("a", 100), ("b", 200), ("c", 100))]
    work, chip = Workload.from_table(pd.DataFrame(rows)), load_hardware("loihi_sanafe")
    cost = estimate(work, chip, 8)
    slowest, other = 20_200 / chip.chip.clock, 10_200 / chip.chip.clock
    assert float(cost.interval_s) == pytest.approx(slowest + 1.8e-6)
    assert float(cost.latency_s) == pytest.approx(slowest + 2 * other + 3 * 1.8e-6)
    between = 1 / float(cost.interval_s) * 0.99
    assert bool(estimate(work, chip, 8, frame_rate=between).feasible)
    assert between > 1 / float(cost.latency_s)
    assert not bool(estimate(work, chip, 8, frame_rate=between * 1.02).feasible)
    serial = load_hardware("generic_45nm")
    assert estimate(work, serial, 8).interval_s == estimate(work, serial, 8).latency_s


@given(TIMES, st.integers(1, 20))
def test_results_never_come_slower_than_one_inference_takes(times: list[float], steps: int):
    assert max(times) <= float(pipeline(np.array(times), steps)) * (1 + 1e-12)


def test_a_spike_is_sent_to_every_core_of_the_layer_that_reads_it():
    """100 -> 4096 takes four cores of 1024 neurons: 300 spikes are 1200 messages; 10 outputs on one core are 300."""
    chip = load_hardware("loihi_sanafe")
    for outputs, cores in ((4096, 4), (1024, 1), (10, 1)):
        layer = {"name": "fc", "kind": "linear", "in_channels": 100, "out_channels": outputs}
        work = Workload.from_table(pd.DataFrame([layer | {"spikes": 300, "time_steps": 4}]))
        message = chip.chip.message + chip.chip.hops * chip.chip.hop
        assert float(estimate(work, chip, 1).energy_by_component["noc"]) == pytest.approx(300 * cores * message)
        assert actions(work, chip, 1)["packets"].tolist() == [300 * cores]


def test_events_wait_in_a_queue_of_every_core_that_gets_them():
    """M11: 100 -> 4096 on four cores and 4096 -> 10 on one, 300 and 500 spikes in 4 steps, words of 32 bit.

    The first layer's input is a bitmap of 400 bit or 300 addresses of 7: 12.5 words for each core; 500 addresses of 12
    bit are 187.5 words. Each word is written into a queue and read from it, for 3 and 7 pJ. All queues exist at once,
    and at worst everything fires in a step: 4 x 100 + 4096 bit.
    """
    chip = load_hardware("loihi_sanafe")
    for name, joule in (("read", 7e-12), ("write", 3e-12)):
        chip = chip.with_constant(f"memories.spikes.{name}", joule)
    shapes = {"a": (100, 4096, 300), "b": (4096, 10, 500)}
    rows = [
        {"name": name, "kind": "linear", "in_channels": n, "out_channels": m, "spikes": s, "time_steps": 4}
        for name, (n, m, s) in shapes.items()
    ]
    work = Workload.from_table(pd.DataFrame(rows))
    cost = estimate(work, chip, 1)
    assert float(cost.energy_by_component["spikes"]) == pytest.approx((4 * 12.5 + 187.5) * 10e-12)
    assert float(cost.memory_by_component["buffers"]) == (400 + 4096) / 8
    held = breakdown(work, chip, 1).query("quantity == 'memory_bytes' and component == 'buffers'")
    assert held["value"].tolist() == [50, 512]
    counts = actions(work, chip, 1)
    assert counts["buffer_bits"].tolist() == [400, 4096]
    assert counts["spike_words_written"].tolist() == [50, 187.5]
    small = chip.with_constant("memories.spikes.size", 4000)
    tight = estimate(work, small, 1)
    assert bool(tight.violations["buffers"])
    assert float(tight.off_chip_bytes) == (4496 - 4000) / 8
    assert "the event queues need 562 bytes; memories.spikes.size is 500 bytes" in " ".join(reasons(work, small, 1))
