"""Many designs that differ in few layers: what they have in common is computed once.

The base runs piece by piece; before a piece runs, every design whose first difference lies in it takes what stands
there and goes on alone. So only one intermediate state is held for each batch, however many designs there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock

import torch
from torch import Tensor

from sviT_models.engine.batch import Run, Sums
from sviT_models.engine.engine import Engine, joined
from sviT_models.engine.fixed_point.batch import FixedRun
from sviT_models.engine.fixed_point.plan_cache import Widths
from sviT_models.engine.prepared_weights import Weights
from sviT_models.errors import ModelError
from sviT_models.output import Output


def sweep(
    engine: Engine,
    images: Tensor,
    designs: Sequence[Sequence[int]],
    *,
    state_bits: Sequence[Widths] | None = None,
    activation_bits: Widths | None = None,
    time_steps: int | None = None,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Output]:
    """What `engine.run` gives for each of `designs` (D, L) on `images` (N, 3, H, W), in their order and bit for bit.

    engine      the network and its weight bank
    time_steps  time steps to run; default: the network's own
    batch_size  images in memory at a time; default: the engine's choice

    The first design is the base; the cost of another is what comes after the first layer in which it differs. Changing
    one of 138 layers at a time costs about 40 forward passes on an SDTv2, as most layers lie behind most operations.
    `state_bits`, one entry per design, makes all of them fixed-point networks; a design may then differ from the base
    in weights, in potentials or in both. `activation_bits` are the same for all. `progress(done, total)` hears of
    designs times images, from the engine's threads, one at a time.
    Raises ModelError as `Engine.run`, without any design, and for another number of state widths than of designs.
    """
    if not len(designs):
        raise ModelError("a sweep needs at least one design")
    steps = engine.steps(time_steps)
    weights = [engine.weights(bits) for bits in designs]
    if state_bits is None:
        begin = [partial(engine.start, steps, w) for w in weights]
    else:
        if len(state_bits) != len(weights):
            raise ModelError(f"state_bits has {len(state_bits)} entries for {len(weights)} designs; give one for each")
        chosen = zip(weights, state_bits, strict=True)
        begin = [engine.fixed(images, w, steps, states, activation_bits) for w, states in chosen]
    first = _first_differences(engine, weights, [start() for start in begin])
    leaving: list[list[int]] = [[] for _ in range(len(engine.segments) + 1)]
    for design, segment in enumerate(first):
        leaving[segment].append(design)

    done, counting = 0, Lock()

    def count(more: int) -> None:
        nonlocal done
        if progress is not None:
            with counting:
                done += more
                progress(done, len(designs) * len(images))

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

    batches = list(engine.each(images, work, evenly(len(images), engine.threads, batch_size)))
    return (joined(parts) for parts in zip(*batches, strict=True))


def evenly(images: int, threads: int, batch_size: int | None) -> int | None:
    """The largest batch of at most `batch_size` images for which all threads finish together: a sweep's take long."""
    if batch_size is None:
        return None
    rounds = -(-images // (threads * max(batch_size, 1)))
    return max(1, -(-images // (threads * rounds)))


def _first_differences(engine: Engine, weights: Sequence[Weights], runs: Sequence[Run]) -> list[int]:
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
        if isinstance(run, FixedRun):
            base = runs[0].plan.states
            differing += [of_neurons(name) for name, state in run.plan.states.items() if state != base[name]]
        found.append(min(differing, default=len(engine.segments)))
    return found
