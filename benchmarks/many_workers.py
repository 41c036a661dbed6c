"""Where a search with up to 1000 workers, or a million trials, stops getting faster: a simulation.

    python benchmarks/many_workers.py [--ask 0.2] [--claim 0.04] [--tell 0.02] [--read 0.0001] [--evaluations 3 30 300]

Workers evaluate, tell, and ask.  Proposals are made one after the other, as in a search, because a worker proposes when
every trial with a lower number has its proposal; so do writes of one storage.  A worker also reads what others wrote.

    ask    processor time of a proposal [s]: benchmarks/long_study.py, or 0.005 for strategies without a model
    claim  of the storage, between claim and proposal [s]; tell: of a result [s]: benchmarks/study_cost.py
    read   of one trial of another worker [s]: opening in benchmarks/long_study.py, per trial

Prints, for every mean time of an evaluation (s, log-normal, scatter 0.3): designs per second as a share of what the
workers could do if nothing stood between them, how busy proposals and storage are, how many designs are under way when
one is proposed (stale information), and from how many workers on more of them add less than half of their evaluations.
Then how long studies of a million and of a thousand trials open.  Ends with one line of JSON.
"""

import argparse
import heapq
import json

import numpy as np

from dse.exploration.claims import TURN_PAUSE

SCATTER = 0.3
HANDED = TURN_PAUSE / 2  # s until who is next sees that it is its turn
WORKERS = (1, 4, 16, 64, 256, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ask", type=float, default=0.2)
    parser.add_argument("--claim", type=float, default=0.04)
    parser.add_argument("--tell", type=float, default=0.02)
    parser.add_argument("--read", type=float, default=1e-4)
    parser.add_argument("--evaluations", type=float, nargs="+", default=[3.0, 30.0, 300.0])
    options = parser.parse_args()
    print(f"{'evaluation':>12}{'workers':>9}{'designs/s':>11}{'of ideal':>10}{'asking':>9}{'storage':>9}{'stale':>8}")
    rows, most = [], {}
    for seconds in options.evaluations:
        for workers in WORKERS:
            rows.append(row := simulated(workers, seconds, options))
            shares = f"{row['of_ideal']:>10.0%}{row['asking']:>9.0%}{row['storage']:>9.0%}"
            print(f"{seconds:>10g} s{workers:>9}{row['designs_per_s']:>11.3g}{shares}{row['stale']:>8.1f}")
        most[f"{seconds:g}"] = int(1 + seconds / (options.ask + options.claim + HANDED))
    print("workers beyond which proposals are the limit: " + ", ".join(f"{n} at {s} s" for s, n in most.items()))
    opening = {"open_a_million_s": 1e6 * options.read, "open_a_thousand_s": 1e3 * options.read}
    print(f"a study of a million trials opens in {opening['open_a_million_s']:.0f} s of the processor, ", end="")
    print(f"one of a thousand in {opening['open_a_thousand_s']:.2f} s")
    print(json.dumps({"benchmark": "many_workers", **vars(options), "rows": rows, "limit": most, **opening}))


def simulated(workers: int, seconds: float, costs: argparse.Namespace, trials: int = 4000) -> dict[str, float]:
    """A search by so many workers, events in order of time; figures of its second half."""
    rng, turn, disk = np.random.default_rng(workers), 0.0, 0.0
    ready = [(0.0, worker, False) for worker in range(workers)]
    told, busy_ask, busy_disk, start = 0, 0.0, 0.0, 0.0
    trials = max(trials, 8 * workers)
    while told < trials:
        now, worker, measured = heapq.heappop(ready)
        if measured:  # the result is written
            disk = max(disk, now) + costs.tell
            busy_disk, told, now = busy_disk + costs.tell, told + 1, disk
            if told == trials // 2:
                start, busy_ask, busy_disk = now, 0.0, 0.0
        now += costs.read * workers  # what the others wrote since its last look
        begun = now if now >= turn else turn + HANDED
        disk = max(disk, begun) + costs.claim
        turn = max(disk, begun + costs.ask + costs.claim)
        busy_ask, busy_disk = busy_ask + turn - begun, busy_disk + costs.claim
        heapq.heappush(ready, (turn + seconds * float(np.exp(SCATTER * rng.normal() - SCATTER**2 / 2)), worker, True))
    wall = disk - start
    rate = (trials - trials // 2) / wall
    return {
        "workers": workers,
        "evaluation_s": seconds,
        "designs_per_s": rate,
        "of_ideal": rate / (workers / seconds),
        "asking": min(busy_ask / wall, 1.0),
        "storage": min(busy_disk / wall, 1.0),
        "stale": min(workers - 1.0, rate * seconds),
    }


if __name__ == "__main__":
    main()
