"""Many designs that differ in few layers: what they have in common is computed once.

The base runs operation by operation; before one runs, every design whose first difference lies in it takes what is held
there and goes on alone. So only one intermediate state is held for each batch, however many designs there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from threading import Lock

import torch
from torch import Tensor

from sviT_models.engine.engine import Engine
from sviT_models.engine.fixed_point.plan import Plan
from sviT_models.engine.fixed_point.plan_cache import Widths
from sviT_models.engine.program import Fire, General, Operation, Program
from sviT_models.engine.workers import joined
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
    done, counting = 0, Lock()

    def count(more: int) -> None:
        nonlocal done
        if progress is not None:
            with counting:
                done += more
                progress(done, len(designs) * len(images))

    program = engine.program(images, time_steps)
    widths = [engine.bits(bits) for bits in designs]
    for bits in widths:
        engine.weights(program, bits)  # refuses widths that do not exist before anything runs
    plans: list[Plan | None] = [None] * len(designs)
    if state_bits is not None:
        if len(state_bits) != len(designs):
            raise ModelError(f"state_bits has {len(state_bits)} entries for {len(designs)} designs; give one for each")
        pairs = zip(designs, state_bits, strict=True)
        plans = [engine.plan(images, bits, states, activation_bits, time_steps) for bits, states in pairs]
    work = partial(_worked, engine, _Designs(program, widths, plans), count)
    batches = list(engine.each(program, images, work, evenly(len(images), engine.threads, batch_size)))
    return (joined(parts) for parts in zip(*batches, strict=True))


@dataclass(frozen=True, eq=False)
class _Designs:
    """The designs of a sweep: widths of layers and plans, and where each leaves the base."""

    program: Program
    widths: Sequence[Mapping[str, int]]
    plans: Sequence[Plan | None]

    @cached_property
    def leaving(self) -> list[list[int]]:
        """See `_leaving`."""
        return _leaving(self.program, self.widths, self.plans)


def _leaving(program: Program, widths: Sequence[Mapping[str, int]], plans: Sequence[Plan | None]) -> list[list[int]]:
    """For every operation the designs that first differ from the base there; at the end those that do nowhere.

    The formats of fixed-point numbers follow from the network's ranges and the widths of their own layers and neurons,
    which all designs share up to there: so what reaches the first operation that differs is the same number for number.
    """
    leaving: list[list[int]] = [[] for _ in range(len(program.operations) + 1)]
    for design, (bits, plan) in enumerate(zip(widths, plans, strict=True)):
        differing = {layer for layer, width in bits.items() if width != widths[0][layer]}
        neurons: set[str] = set()
        if plan is not None and plans[0] is not None:
            neurons = {name for name, state in plan.states.items() if state != plans[0].states[name]}
        places = (
            i
            for i, operation in enumerate(program.operations)
            if not differing.isdisjoint(operation.layers) or _fires(operation) in neurons
        )
        leaving[next(places, len(program.operations))].append(design)
    return leaving


def _fires(operation: Operation) -> str:
    """The neuron layer of an operation, if it is one."""
    if isinstance(operation, General):
        return operation.node.path if operation.node.op == "neuron" else ""
    return operation.path if isinstance(operation, Fire) else ""


@torch.no_grad()
def _worked(engine: Engine, designs: _Designs, count: Callable[[int], None], batch: Tensor) -> list[Output]:
    """One batch through all designs: the base operation by operation, the others from where they differ."""
    program, widths, plans = designs.program, designs.widths, designs.plans
    outputs: dict[int, Output] = {}
    run = engine.start(program, widths[0], batch, plans[0])
    for position in range(len(program.operations)):
        for design in designs.leaving[position]:
            alone = run.branch(engine.weights(program, widths[design]), plans[design])
            alone.go(position)
            outputs[design] = alone.output()
            count(len(batch))
        run.go(position, position + 1)
    same = run.output()
    count((len(widths) - len(outputs)) * len(batch))
    return [outputs.get(design, same) for design in range(len(widths))]


def evenly(images: int, threads: int, batch_size: int | None) -> int | None:
    """The largest batch of at most `batch_size` images for which all threads finish together: a sweep's take long."""
    if batch_size is None:
        return None
    rounds = -(-images // (threads * max(batch_size, 1)))
    return max(1, -(-images // (threads * rounds)))
