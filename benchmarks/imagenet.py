"""Time and memory of the exact evaluator at ImageNet's size, and the hours of a search that follow.

    python benchmarks/imagenet.py [--network sdtv2_8_512] [--steps 1 2 4] [--images 8] [--rounds 3] [--threads 1]

A network with generated weights runs generated images of 224 px as its fixed-point network, 4-bit weights and 8-bit
membrane potentials, a process of its own for every number of time steps.  Times are medians of processor time and of
the clock; memory is the peak of the process.  Weights are rounded to nearest: the rounding decides how long the
preparation takes and not how long an image does.  Hours are those of the images that a search of 100 designs and the
verification of six candidates run (docs/imagenet.md), divided by the measured rate.
Ends with one line of JSON.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch
from evaluator import network

import sviT_models

SIDE, WEIGHT_BITS, STATE_BITS = 224, 4, 8
CALIBRATION = 4  # images
SEARCHES = {  # images that run, see docs/imagenet.md
    "every design on 8 000 images, six candidates on 21 000": 100 * 8_000 + 6 * 21_000 + 8_000,
    "designs on 216 images each in turn": 100 * 216 + 6 * 21_000 + 8_000,
    "and candidates race, on 45 % of their images": 100 * 216 + round(0.45 * 6 * 21_000) + 8_000,
}


def measure(name: str, steps: int, images: int, rounds: int, threads: int) -> dict[str, float]:
    """Seconds of preparation, and seconds and peak memory of evaluations, in this process."""
    torch.set_num_threads(threads)
    began = time.perf_counter()
    model = network(name, steps)
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(images, 3, SIDE, SIDE, generator=generator)
    bank = sviT_models.WeightBank(model, images=batch[:CALIBRATION])
    engine = sviT_models.Engine(model, bank, threads=threads)
    bits = [WEIGHT_BITS] * len(engine.layers)
    engine.plan(batch, bits, STATE_BITS)
    prepared = time.perf_counter() - began
    engine.run(batch, bits, state_bits=STATE_BITS)
    walls, busy = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        engine.run(batch, bits, state_bits=STATE_BITS)
        walls.append(time.perf_counter() - wall)
        busy.append(time.process_time() - cpu)
    return {
        "time_steps": steps,
        "preparation_s": prepared,
        "seconds_per_1000": statistics.median(walls) / images * 1000,
        "cpu_seconds_per_1000": statistics.median(busy) / images * 1000,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,  # Linux counts in kB
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="sdtv2_8_512")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        print(json.dumps(measure(given.network, given.steps[0], given.images, given.rounds, given.threads)))
        return
    rows = []
    print(f"{given.network}, {SIDE} px, {given.threads} thread(s), per 1000 images:")
    for steps in given.steps:
        options = {"network": given.network, "steps": steps, "images": given.images, "rounds": given.rounds}
        words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        command = [sys.executable, __file__, "--alone", "--threads", str(given.threads), *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        rows.append(row)
        print(
            f"  T = {steps}: {row['seconds_per_1000']:.0f} s ({row['cpu_seconds_per_1000']:.0f} s of CPU), "
            f"{row['peak_gb']:.2f} GB; prepared in {row['preparation_s']:.0f} s",
            flush=True,
        )
    hours = {
        what: {str(row["time_steps"]): count / 1000 * row["cpu_seconds_per_1000"] / 3600 for row in rows}
        for what, count in SEARCHES.items()
    }
    for what, by_steps in hours.items():
        print(f"  {what}: " + ", ".join(f"T = {steps} {value:.1f} h" for steps, value in by_steps.items()))
    print(json.dumps({"benchmark": "imagenet", "network": given.network, "rows": rows, "hours": hours}))


if __name__ == "__main__":
    main()
