"""Speed of the exact evaluator beside that of another commit, in pairs that take turns.

    git worktree add ../before COMMIT
    python benchmarks/evaluator_against.py ../before [--pairs 9] [--starts 3] [--threads 1] [--case NAME]

Each side is a process of its own with its checkout first on the import path; it builds the network, quantizes it and
warms up, and then runs one batch whenever it is asked.  Sides take turns, and which goes first alternates.  Where its
memory lies makes a process some percent faster or slower than another of the same code, so that both sides are started
anew after every `pairs` pairs.  Figures are the medians of all pairs' ratios, before / now: above one, this checkout is
faster; beside them stands the median of every start.  Processor time is what other programs on the machine disturb
least.  Logits and spikes of both sides are compared bit for bit.
Ends with one line of JSON.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

CASES = {  # name: network, pixels, time steps, images
    "sdtv2_8_512 224 px T=4": ("sdtv2_8_512", 224, 4, 2),
    "sdtv2_8_512 224 px T=1": ("sdtv2_8_512", 224, 1, 4),
    "sdtv2_tiny 32 px T=4": ("sdtv2_tiny", 32, 4, 500),
}
BITS = 4


def serve(case: str, threads: int) -> None:
    """Answer every line on stdin with the seconds of one batch, wall-clock and processor, and a hash of its results."""
    import torch
    from torch import nn

    import sviT_models

    torch.set_num_threads(threads)
    name, side, steps, images = CASES[case]
    # as in evaluator.py, which an older checkout cannot import: it knows today's modules
    torch.manual_seed(0)
    model = sviT_models.build(name, num_classes=10, time_steps=steps).eval()
    for module in model.modules():  # neurons that fire throughout
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias, 0.3, 0.5)
    engine = sviT_models.Engine(model, sviT_models.WeightBank(model), threads=threads)
    batch, bits = torch.randn(images, 3, side, side), [BITS] * len(engine.layers)
    engine.run(batch, bits)
    print("ready", flush=True)
    for _ in sys.stdin:
        start, busy = time.perf_counter(), time.process_time()
        found = engine.run(batch, bits)
        taken = time.perf_counter() - start, time.process_time() - busy
        digest = hashlib.sha256(found.logits.tobytes() + found.spikes.tobytes()).hexdigest()
        print(json.dumps([*taken, digest]), flush=True)


class Side:
    """A checkout's process."""

    def __init__(self, checkout: Path, case: str, threads: int):
        environment = os.environ | {"PYTHONPATH": str(checkout.resolve()), "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, __file__, "--serve", case, "--threads", str(threads)]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=checkout
        )

    def ready(self) -> None:
        """Wait until it is."""
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"{' '.join(map(str, self.process.args))}: ended with {self.process.wait()}")

    def run(self) -> tuple[float, float, str]:
        """Seconds, processor seconds, and a hash of the results, of one batch."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return tuple(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait()


Pair = tuple[tuple[float, float, str], tuple[float, float, str]]


def paired(before: Path, now: Path, case: str, threads: int, pairs: int) -> list[Pair]:
    """What both sides took in every pair, of one start of theirs."""
    sides = [Side(before, case, threads), Side(now, case, threads)]
    for side in sides:
        side.ready()
    found = []
    for pair in range(pairs):
        order = (0, 1) if pair % 2 == 0 else (1, 0)
        taken = {i: sides[i].run() for i in order}
        found.append((taken[0], taken[1]))
    for side in sides:
        side.close()
    return found


def compared(starts: list[list[Pair]]) -> dict[str, object]:
    """Ratios of one case."""
    found = [pair for start in starts for pair in start]
    wall, busy = ([a[i] / b[i] for a, b in found] for i in (0, 1))
    return {
        "ratio": statistics.median(wall),
        "ratio_cpu": statistics.median(busy),
        "ratios_cpu_of_starts": [round(statistics.median(a[1] / b[1] for a, b in start), 3) for start in starts],
        "seconds_before": statistics.median(a[1] for a, _ in found),
        "seconds_now": statistics.median(b[1] for _, b in found),
        "same_bits": len({digest for pair in found for *_, digest in pair}) == 1,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, nargs="?", help="a checkout of the other commit")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--case", choices=list(CASES), action="append", help="only this one; may be repeated")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.threads)
        return
    if given.before is None or not (given.before / "sviT_models").is_dir():
        raise SystemExit(f"{given.before}: no checkout; make one with git worktree add ../before COMMIT")
    now = Path(__file__).resolve().parent.parent
    print(f"{'':24}{'before / now':>14}{'of CPU time':>13}{'CPU s before':>14}{'now':>8}  same bits")
    figures = {}
    for case in given.case or CASES:
        starts = [paired(given.before, now, case, given.threads, given.pairs) for _ in range(given.starts)]
        row = figures[case] = compared(starts)
        print(
            f"{case:24}{row['ratio']:>14.3f}{row['ratio_cpu']:>13.3f}{row['seconds_before']:>14.3f}"
            f"{row['seconds_now']:>8.3f}  {'yes' if row['same_bits'] else 'no'}",
            flush=True,
        )
    print(
        json.dumps({"benchmark": "evaluator_against", "pairs": given.pairs, "starts": given.starts, "cases": figures})
    )


if __name__ == "__main__":
    main()
