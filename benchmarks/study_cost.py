"""What a study costs per trial: claim, proposal, measurement, state, beside an evaluation that costs next to nothing.

    OMP_NUM_THREADS=1 python benchmarks/study_cost.py [--trials 1000] [--groups 138] [--storage URL]

A search with random designs of a network whose evaluation is a stub, on the journal or on the storage of a URL.
Prints time of the processor and of the clock per trial over the whole search and over its last tenth, and which part of
the processor's goes to proposals and evaluations, and is not the study's.  Ends with one line of JSON.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from simulated_network import simulate

from dse.evaluation.evaluator import Evaluator, Subject
from dse.evaluation.measurement import Evaluation
from dse.exploration.loop import Loop
from dse.exploration.study import open_study
from dse.problem.by_form import ByForm
from dse.problem.design import Design, uniform
from dse.problem.problem import Problem
from dse.strategies import load

IMAGES, CLASSES = 50, 4


class Stub:
    """Logits that are always right, and spikes that follow the widths."""

    def run(self, images, weight_bits, *, time_steps=None, batch_size=None):
        logits = 2.0 * np.eye(CLASSES)[np.asarray(images) % CLASSES]
        return SimpleNamespace(logits=logits, spikes=np.full((2, 1), 10 * len(images) + int(sum(weight_bits))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--groups", type=int, default=138)
    parser.add_argument("--storage", help="an Optuna storage URL; by default a journal in a temporary folder")
    options = parser.parse_args()
    search = loop(simulate(0, groups=options.groups, low_fidelity_images=0).problem)
    with tempfile.TemporaryDirectory() as name:
        study = open_study(Path(name), {"benchmark": "study_cost"}, url=options.storage, name=f"cost-{time.time_ns()}")
        marks = [(time.process_time(), time.perf_counter())]
        with apart(search) as others:
            search.run(study, options.trials, lambda step: marks.append((time.process_time(), time.perf_counter())))
    cpu, wall = 1e3 * np.diff(np.array(marks), axis=0).T
    last = max(1, options.trials // 10)
    result = {
        "benchmark": "study_cost",
        "storage": "journal" if options.storage is None else options.storage.partition(":")[0],
        "trials": options.trials,
        "groups": options.groups,
        "cpu_ms": float(cpu.mean()),
        "cpu_ms_of_proposals_and_evaluations": 1e3 * sum(others) / options.trials,
        "wall_ms": float(wall.mean()),
        "last_cpu_ms": float(cpu[-last:].mean()),
        "last_wall_ms": float(wall[-last:].mean()),
    }
    print(f"{'':20}{'cpu ms':>10}{'wall ms':>10}")
    print(f"{'all trials':20}{result['cpu_ms']:10.1f}{result['wall_ms']:10.1f}")
    print(f"{'the last tenth':20}{result['last_cpu_ms']:10.1f}{result['last_wall_ms']:10.1f}")
    print(f"of that proposals and evaluations {result['cpu_ms_of_proposals_and_evaluations']:.1f} ms of the processor")
    print(json.dumps(result))


@contextmanager
def apart(search: Loop) -> Iterator[list[float]]:
    """Seconds of the processor that proposals and evaluations take while the block runs."""
    spent = list[float]()

    def timed(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            before = time.process_time()
            try:
                return real(*given, **named)
            finally:
                spent.append(time.process_time() - before)

        return call

    with (
        patch.object(search.sampler, "sample_relative", timed(search.sampler.sample_relative)),
        patch.object(Evaluator, "__call__", timed(Evaluator.__call__)),
    ):
        yield spent


def loop(problem: Problem) -> Loop:
    """A search loop with random designs and the stub."""
    layers, images = problem.space.layers, np.arange(IMAGES)
    runner = ByForm.single(Subject(Stub(), uniform(layers, 32, 1)), layers)
    evaluator = Evaluator(runner, images, images % CLASSES, IMAGES)

    def quantities(design: Design, evaluation: Evaluation) -> dict[str, float]:
        costs = problem.costs(problem.space.levels_of(design)[None])[0]
        return dict(zip(problem.objectives, (evaluation.drop, *map(float, costs)), strict=True))

    return Loop(problem, evaluator, quantities, "random", load("random")(problem, 0))


if __name__ == "__main__":
    main()
