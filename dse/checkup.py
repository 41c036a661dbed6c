"""What a configuration means before anything long is started."""

from __future__ import annotations

import time
from typing import Any

from dse.config import Config
from dse.design import uniform
from dse.quantity import show
from dse.workbench import prepare


def checkup(config: Config) -> dict[str, Any]:
    """Size of the space, cost of one evaluation and the estimated time of the search, measured by one evaluation."""
    start = time.perf_counter()
    bench = prepare(config)
    evaluator = bench.evaluator(bench.images)
    prepared = time.perf_counter() - start
    width = max(config.search.widths)
    design = uniform(bench.layers, width, bench.time_steps)
    evaluator(design)  # the first evaluation also rounds the weights and compiles the kernels
    again = uniform(bench.layers, min(config.search.widths), bench.time_steps)
    before = evaluator.seconds
    evaluator(again)
    seconds = evaluator.seconds - before
    cost = bench.costing().columns([bench.float_design, design])
    space, layers = bench.space, len(bench.layers)
    memory, energy = (
        [show(float(v), unit) for v in a] for a, unit in ((cost["memory_bytes"], "B"), (cost["energy_j"], "J"))
    )
    budget = config.search.evaluations
    return {
        "network": f"{bench.model.config.name}, {layers} weight layers, {sum(bench.weights.values()):,} weights",
        "time steps": bench.time_steps,
        "images per evaluation": evaluator.images,
        "float top-1": f"{evaluator.float.top1:.2%} +- {evaluator.float.top1_stderr:.2%}",
        "design space": f"{len(space.dimensions)} choices, 10^{space.log10_size:.0f} designs",
        "chip": f"{bench.hardware.name}, weight widths {', '.join(map(str, bench.hardware.weight_widths))}",
        "memory": f"{memory[0]} as float, {memory[1]} at {width} bits",
        "energy per inference": f"{energy[0]} as float, {energy[1]} at {width} bits",
        "one evaluation": f"{seconds:.2f} s",
        "estimated search time": f"{prepared + seconds * budget:.0f} s for {budget} evaluations",
    }
