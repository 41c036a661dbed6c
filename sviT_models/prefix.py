"""Many designs that differ in few layers: what they have in common is computed once.

The base runs piece by piece; before a piece runs, every design whose first difference lies in it takes what stands
there and goes on alone.  So only one intermediate state is held for each batch, however many designs there are.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sviT_models.engine import Engine, joined
from sviT_models.errors import ModelError
from sviT_models.output import Output
from sviT_models.segments import Run, Sums


def sweep(
    engine: Engine,
    images: Tensor,
    designs: Sequence[Sequence[int]],
    *,
    time_steps: int | None = None,
    batch_size: int | None = None,
) -> Iterator[Output]:
    """What `engine.run` gives for each of `designs` (D, L) on `images` (N, 3, H, W), in their order and bit for bit.

    The first design is the base; the cost of another is what comes after the first layer in which it differs.  Changing
    one of 138 layers at a time costs about 40 forward passes on an SDTv2, as most layers lie behind most operations.
    Raises ModelError as `Engine.run`, and without any design.
    """
    if not len(designs):
        raise ModelError("a sweep needs at least one design")
    steps = engine.steps(time_steps)
    weights = [engine.weights(bits) for bits in designs]
    place = {layer: i for i, segment in enumerate(engine.segments) for layer in segment.layers}
    base = weights[0].bits
    first = [
        min((place[layer] for layer, bits in w.bits.items() if bits != base[layer]), default=len(engine.segments))
        for w in weights
    ]
    leaving: list[list[int]] = [[] for _ in range(len(engine.segments) + 1)]
    for design, segment in enumerate(first):
        leaving[segment].append(design)

    @torch.no_grad()
    def work(batch: Tensor) -> list[Output]:
        outputs: dict[int, Output] = {}
        run, state = engine.start(steps, weights[0]), batch
        for i, segment in enumerate(engine.segments):
            if leaving[i] and isinstance(state, Sums):
                state = state.computed()
            for design in leaving[i]:
                alone = Run(steps, run.kernels, weights[design], dict(run.spikes))
                outputs[design] = engine.finish(alone, state, i)
            state = segment.run(run, state)
        same = engine.output(state, run)
        return [outputs.get(design, same) for design in range(len(weights))]

    batches = list(engine.each(images, work, batch_size))
    return (joined(parts) for parts in zip(*batches, strict=True))
