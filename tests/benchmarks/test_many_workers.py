"""The simulation of many workers is within what queues of one server allow."""

from argparse import Namespace
from itertools import pairwise

import pytest
from many_workers import HANDED, simulated

FREE = Namespace(ask=0.0, claim=0.0, tell=0.0, read=0.0)
COSTS = Namespace(ask=0.27, claim=0.04, tell=0.02, read=1e-4)


def test_one_worker_takes_the_sum_of_its_times():
    row = simulated(1, 3.0, COSTS)
    # one after the other: evaluation, claim, proposal, result and a look at one trial; 2000 times that scatter by 0.3
    assert 1 / row["designs_per_s"] == pytest.approx(3.0 + 0.04 + 0.27 + 0.02 + 1e-4, rel=0.02)
    assert row["stale"] == 0


def test_without_costs_workers_do_what_they_can():
    row = simulated(64, 300.0, FREE)
    assert row["of_ideal"] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("workers", [64, 1000])
def test_no_number_of_workers_passes_the_rate_of_proposals(workers):
    rate = simulated(workers, 3.0, COSTS)["designs_per_s"]
    # the next one sees that it is its turn, claims and proposes: one design in that time
    assert rate == pytest.approx(1 / (HANDED + 0.04 + 0.27), rel=0.01)


def test_more_workers_are_never_slower_and_more_is_under_way():
    rows = [simulated(workers, 30.0, COSTS) for workers in (1, 4, 16, 64, 256)]
    for fewer, more in pairwise(rows):
        assert more["designs_per_s"] > 0.98 * fewer["designs_per_s"]
        assert more["stale"] >= fewer["stale"] - 1
