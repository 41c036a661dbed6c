"""Sweeps over designs of the fixed-point network, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sviT_models.engine.batch import Sums
from sviT_models.engine.fixed_point.batch import FixedRun
from sviT_models.engine.fixed_point.plan_cache import Widths
from sviT_models.engine.prepared_weights import Weights
from sviT_models.output import Output

if TYPE_CHECKING:
    from sviT_models.engine.engine import Engine


def worker(
    engine: Engine,
    images: Tensor,
    designs: Sequence[Sequence[int]],
    state_bits: Sequence[Widths],
    activation_bits: Widths | None,
    time_steps: int | None,
    count: Callable[[int], None],
) -> Callable[[Tensor], list[Output]]:
    """What runs a batch through all designs."""
    steps = engine.steps(time_steps)
    weights = [engine.fixed_weights(bits) for bits in designs]
    chosen = zip(weights, state_bits, strict=True)
    begin = [engine.fixed(images, w, steps, states, activation_bits) for w, states in chosen]
    first = _first_differences(engine, weights, [start() for start in begin])
    leaving: list[list[int]] = [[] for _ in range(len(engine.segments) + 1)]
    for design, segment in enumerate(first):
        leaving[segment].append(design)

    @torch.no_grad()
    def work(batch: Tensor) -> list[Output]:
        outputs: dict[int, Output] = {}
        run, state = begin[0](), batch
        for i, segment in enumerate(engine.segments):
            if leaving[i] and isinstance(state, Sums):
                state = state.computed()
            for design in leaving[i]:
                alone = replace(begin[design](), spikes=dict(run.spikes))
                outputs[design] = engine.finish(alone, state, i)
                count(len(batch))
            state = segment.run(run, state)
        same = engine.output(state, run)
        count((len(weights) - len(outputs)) * len(batch))
        return [outputs.get(design, same) for design in range(len(weights))]

    return work


def _first_differences(engine: Engine, weights: Sequence[Weights], runs: Sequence[FixedRun]) -> list[int]:
    """The segment in which each design first differs from the first one; the number of segments where in none.

    A segment's constants follow from the widths inside it and from the ranges, which all designs share: so what reaches
    the first segment that differs is the same number for number.
    """
    place = {layer: i for i, segment in enumerate(engine.segments) for layer in segment.layers}
    paths = [(getattr(segment, "path", ""), i) for i, segment in enumerate(engine.segments)]

    def of_neurons(name: str) -> int:
        inside = [(len(path), i) for path, i in paths if path and name.startswith(f"{path}.")]
        return max(inside)[1] if inside else len(engine.segments) - 1  # the last neurons stand before the heads

    found = []
    for own, run in zip(weights, runs, strict=True):
        differing = [place[layer] for layer, bits in own.bits.items() if bits != weights[0].bits[layer]]
        base = runs[0].plan.states
        differing += [of_neurons(name) for name, state in run.plan.states.items() if state != base[name]]
        found.append(min(differing, default=len(engine.segments)))
    return found
