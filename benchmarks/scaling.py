"""Designs per second of one and several workers, on a small and a larger network, and the share of everything else.

    python benchmarks/scaling.py [--workers 1 2 4] [--evaluations 24] [--images 200] [--networks small large]

Runs `svit-dse search --workers N` with random designs: one worker with one thread, N workers that share the machine's
threads, and one worker with all threads.  small: the shipped sdtv2_tiny on digits; large: sdtv2_small (3.5 M weights)
on glyphs with weights drawn at random, which takes as long as trained ones.  Designs per second count from the first
random design to the last.  `beside` is the share of their time that is not evaluation: proposals, storage, and
waiting for each other.  On a machine that does other work the figures say little.  Ends with one line of JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

import sviT_models
from dse.workflows.dashboard import opened
from sviT_models.checkpoints.files import save_checkpoint

CORES = len(os.sched_getaffinity(0))
THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SEARCH = """
checkpoint: {checkpoint}
data: {{name: {data}, search_images: {images}, verify_images: 50, fisher_images: 16, calibration_images: 16}}
quantization: {{method: nearest}}
search: {{strategy: random, evaluations: {evaluations}, widths: [4, 8]}}
budgets: {{drop: 90}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--evaluations", type=int, default=24)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--networks", nargs="+", choices=("small", "large"), default=["small", "large"])
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for network in options.networks:
            config = written(Path(name), network, options)
            runs = [(workers, min(workers, CORES)) for workers in options.workers] + [(1, CORES)]
            for workers, threads in dict.fromkeys(runs):
                out = Path(name) / f"{network}-{workers}-{threads}"
                rows.append({"network": network} | measured(config, out, workers, threads))
                base = next(row for row in rows if row["network"] == network)
                rows[-1]["times"] = rows[-1]["designs_per_s"] / base["designs_per_s"]
                print(
                    "{network:6}{workers:3} workers{threads:3} threads in all{designs_per_s:8.3f} designs/s"
                    "{times:6.2f} times{beside:6.1%} beside".format(**rows[-1]),
                    flush=True,
                )
    print(json.dumps({"benchmark": "scaling", "cores": CORES, "load": os.getloadavg()[0], "rows": rows}))


def written(folder: Path, network: str, options: argparse.Namespace) -> Path:
    """The configuration of a search."""
    checkpoint, data = "sdtv2_tiny_digits", "digits"
    if network == "large":
        torch.manual_seed(0)
        data, path = "glyphs", folder / "large.safetensors"
        classes = sviT_models.load_data("glyphs", "search", count=10).classes
        save_checkpoint(path, sviT_models.build("sdtv2_small", num_classes=len(classes)))
        checkpoint = str(path)
    config = folder / f"{network}.yaml"
    text = SEARCH.format(checkpoint=checkpoint, data=data, images=options.images, evaluations=options.evaluations)
    config.write_text(text, encoding="utf-8")
    return config


def measured(config: Path, out: Path, workers: int, threads: int) -> dict[str, float]:
    """Designs per second of a search, and the share of the workers' time that is not evaluation."""
    words = [sys.executable, "-m", "dse.cli", "search", str(config), "--out", str(out), "--no-report"]
    environment = os.environ | dict.fromkeys(THREADS, str(max(1, threads // workers)))
    subprocess.run([*words, "--workers", str(workers)], env=environment, check=True, capture_output=True)
    trials = [t for t in opened(out, None).get_trials(deepcopy=False) if t.user_attrs.get("origin") == "random"]
    ended = [t for t in trials if t.values is not None]
    first, last = min(t.datetime_start for t in ended), max(t.datetime_complete for t in ended)
    wall = (last - first).total_seconds()
    spent = sum(t.user_attrs["seconds"] for t in ended)
    return {
        "workers": workers,
        "threads": threads,
        "designs_per_s": len(ended) / wall,
        "beside": 1 - spent / (wall * workers),
    }


if __name__ == "__main__":
    main()
