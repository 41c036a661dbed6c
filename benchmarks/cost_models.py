"""Speed of the cost models: a million designs of sdtv2_8_512 in one call, one design, and a plain Python loop.
    python benchmarks/cost_models.py [--designs 1000000]

The loop is the second implementation that the tests compare with (tests/costmodels/oracle.py): one design, one layer
after the other. Everything runs on one core, and the results of both are compared. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

import costmodels

sys.path[0] = str(Path(__file__).parents[1])  # for the second implementation, which the tests hold
oracle = importlib.import_module("tests.costmodels.oracle")

WIDTHS = np.array([2, 3, 4, 5, 6, 8], dtype=np.uint8)
OBJECTIVES = ("energy_j", "memory_bytes", "latency_s", "power_w")


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # Linux counts in kB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=1_000_000)
    count = parser.parse_args().designs
    work, chip = costmodels.Workload.example("sdtv2_8_512"), costmodels.load_hardware("generic_45nm")
    layers = len(work.weight_layers)
    designs = WIDTHS[np.random.default_rng(0).integers(0, len(WIDTHS), (count, layers), dtype=np.uint8)]

    many = []
    for _ in range(3):
        start = time.process_time()
        cost = costmodels.estimate(work, chip, designs, components=False)
        many.append(time.process_time() - start)
    peak = peak_gb()
    seconds = float(np.median(many))
    pipelined = costmodels.load_hardware("seneca_like")
    start = time.process_time()
    costmodels.estimate(work, pipelined, designs, components=False)
    pipelined_s = time.process_time() - start

    single = []
    for design in designs[:300]:
        start = time.process_time()
        costmodels.estimate(work, chip, design)
        single.append(time.process_time() - start)
    single_ms = min(single) * 1e3  # other processes only add, as timeit says

    rows, constants = oracle.layers_of(work), oracle.constants_of(chip)
    few = designs[: min(count, 500)].tolist()
    start = time.process_time()
    slow = [oracle.naive(rows, constants, chip.dataflow, chip.weight_widths, bits, work.time_steps) for bits in few]
    naive_ms = (time.process_time() - start) / len(few) * 1e3
    worst = max(np.max(np.abs(getattr(cost, o)[: len(few)] / [s[o] for s in slow] - 1)) for o in OBJECTIVES)

    ratio = naive_ms * 1e-3 / (seconds / count)
    print(f"{count} designs x {layers} layers, all objectives: {seconds:.2f} s on one core, peak memory {peak:.2f} GB")
    print(f"the same on {pipelined.name}, whose layers work at the same time: {pipelined_s:.1f} s")
    print(f"one design: {single_ms:.2f} ms with components; plain Python loop: {naive_ms:.2f} ms")
    print(f"per design {ratio:.0f} times faster than the loop; largest relative difference {worst:.1e}")
    figures = {
        "benchmark": "costmodels",
        "designs": count,
        "layers": layers,
        "seconds": round(seconds, 3),
        "pipelined_seconds": round(pipelined_s, 2),
        "single_ms": round(single_ms, 3),
        "naive_ms": round(naive_ms, 3),
        "ratio_naive": round(ratio),
        "largest_difference": float(f"{worst:.1e}"),
        "peak_rss_gb": round(peak, 3),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
