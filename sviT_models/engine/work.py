"""What every kind of operation does in the network with float32 potentials."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from sviT_models.engine.arithmetic import IMAGE_FRACTION, fixed_image
from sviT_models.engine.exact_values import Codes, Sums
from sviT_models.engine.firing import fire
from sviT_models.engine.forms import is_steps
from sviT_models.engine.prepared_weights import Array
from sviT_models.engine.program import (
    Add,
    Attend,
    Combine,
    Depthwise,
    Encode,
    Fire,
    General,
    HandOver,
    Layer,
    MaxPool,
    Operation,
    Raise,
    Reform,
    Total,
)
from sviT_models.engine.rules import Rules
from sviT_models.engine.run import Deferred, Held, Pending, Run, dtype_of, merged
from sviT_models.engine.static_rules import LARGEST_NUMBER
from sviT_models.engine.values import PLANES, Integers, Value


def encode(run: Run, operation: Encode) -> Array:
    """Integers of the images, in the order of memory."""
    order = operation.form.logical
    fixed = fixed_image(run.images.reshape(run.sizes(order)))
    return fixed.permute([order.index(part) for part in operation.form.memory]).contiguous()


def layer(run: Run, operation: Layer) -> Pending:
    """Sums, computed where they are used if the kernels can."""
    x, raised = run.seen(operation.inputs[0], operation.map)
    if raised and operation.geometry.padding:
        x = run.kernels.bordered(x, operation.geometry.padding)
    return Pending(run.kernels.later(run.weights[operation.name], x, raised))


def depthwise(run: Run, operation: Depthwise) -> Deferred:
    """Left to the hand-over behind it."""
    (given,) = operation.inputs
    seen = operation.map
    sums = run.sums(given)
    sums = sums.reshape(run.steps if seen.steps else 1, -1, seen.height, seen.width, seen.channels)
    return Deferred(run.weights[operation.name], sums)


def hand_over(run: Run, operation: HandOver) -> Array:
    """Bytes (3, ..., C)."""
    (given,) = operation.inputs
    entry, rule = run.held[given.source], run.constants.hand_over(given)
    if isinstance(entry, Deferred):
        return entry.layer.hand_over(run.kernels, merged(entry.sums), rule)
    return run.kernels.hand_over(entry.sums, rule)


def raised(run: Run, operation: Raise) -> Array:
    """Bytes (P, ...) of integers, or of numbers in 24 bits behind the point."""
    (given,) = operation.inputs
    assert isinstance(operation.kind, Integers)
    if isinstance(given.kind, Integers):
        entry = run.held[given.source]
        x = entry if isinstance(entry, Tensor) else run.kernels.tensor(entry)
    else:
        numbers = run.kernels.tensor(run.number(given)).double()
        x = (numbers * 2.0**IMAGE_FRACTION).round().clamp(-LARGEST_NUMBER, LARGEST_NUMBER - 1)
    planes = operation.kind.planes
    return run.kernels.split(x.to(torch.int32 if planes <= 4 else torch.int64), planes)


def add(run: Run, operation: Add) -> Pending | Array:
    """A membrane that the neurons finish, or one that is finished now where its sums are needed again."""
    first, second = operation.inputs
    if waits(run, operation, second) and not waits(run, operation, first):
        first, second = second, first
    rest = run.shaped(run.number(second), second.form)
    if waits(run, operation, first):
        return replace(run.held[first.source], value=first, rest=rest)
    return run.shaped(run.number(first), first.form) + rest


def waits(run: Run, operation: Add, value: Value) -> bool:
    """Whether a value is sums, in as many steps as the result, that nobody else needs."""
    entry = run.held[value.source]
    alone = run.program.last_use[value.source] == run.program.positions[operation.name]
    steps = [any(map(is_steps, form.memory)) for form in (value.form, operation.form)]
    return isinstance(entry, Pending) and entry.rest is None and alone and steps[0] == steps[1]


def combine(run: Run, operation: Combine) -> Array:
    """Integers element by element; parts that one lacks are the same along them."""
    large, small = operation.inputs
    dtype = dtype_of(operation.kind)
    sizes = run.sizes(large.form.memory)
    kept = [size if part in small.form.memory else 1 for part, size in zip(large.form.memory, sizes, strict=True)]
    a = run.kernels.tensor(run.held[large.source]).reshape(sizes).to(dtype)
    b = run.kernels.tensor(run.held[small.source]).reshape(kept).to(dtype)
    return run.shaped(run.kernels.array(a * b if operation.product else a + b), operation.form)


def total(run: Run, operation: Total) -> Array:
    """Integers summed over parts of their memory."""
    (given,) = operation.inputs
    memory = given.form.memory
    x = run.kernels.tensor(run.held[given.source]).reshape(run.sizes(memory))
    axes = [memory.index(part) for part in operation.parts]
    summed = x.sum(axes, dtype=dtype_of(operation.kind)) if axes else x.to(dtype_of(operation.kind))
    return run.shaped(run.kernels.array(summed.contiguous()), operation.form)


def attend(run: Run, operation: Attend) -> Array:
    """Counts (N, tokens, heads, channels), float32."""
    q, k, v = (run.held[value.source] for value in operation.inputs)
    spikes = all(isinstance(value.kind, Integers) and value.kind.high == 1 for value in operation.inputs)
    own, others = (math.prod(run.sizes(tokens)) for tokens in operation.tokens)
    lead, counts = math.prod(run.sizes(operation.lead)), (own, others, others)
    q, k, v = (x.reshape(lead, n, operation.heads, -1) for x, n in zip((q, k, v), counts, strict=True))
    return run.shaped(run.kernels.attend(q, k, v, spikes), operation.form)


def max_pool(run: Run, operation: MaxPool) -> Array:
    """Bytes (..., H', W', C)."""
    x, _ = run.seen(operation.inputs[0], operation.map)
    x = x.reshape(-1, *x.shape[-3:])
    sides = operation.kernel, operation.stride, operation.padding
    return run.shaped(run.kernels.max_pool(x, *sides), operation.form)


def reform(run: Run, operation: Reform) -> Array:
    """The same in another order of memory."""
    (given,) = operation.inputs
    planes = isinstance(given.kind, Integers) and given.kind.stored == PLANES
    entry = run.held[given.source] if isinstance(given.kind, Integers) else run.number(given)
    x = entry if isinstance(entry, Tensor) else run.kernels.tensor(entry)
    front = (len(x),) if planes else ()
    before, after = given.form.memory, operation.form.memory
    missing = [part for part in after if part not in before]
    x = x.reshape(*front, *run.sizes(before))[(..., *[None] * len(missing))]
    place = {part: i + len(front) for i, part in enumerate((*before, *missing))}
    order = [*range(len(front)), *(place[part] for part in after)]
    x = x.permute(order).expand(*front, *run.sizes(after)).contiguous()
    found = run.kernels.array(x)
    return found.reshape(*front, -1) if planes else run.shaped(found, operation.form)


def general(run: Run, operation: General) -> Held:
    """By the rules of the definition, on tensors in the order of the graph."""
    rules = Rules(run.program.graph, run.weights.integers, run.batch)
    given = [run.defined(value, operation.sums) for value in operation.inputs]
    found = rules.result(operation.node, given)
    if isinstance(found, Codes):
        return run.given(found.integers.to(dtype_of(operation.kind)), operation.form)
    if isinstance(found, Sums):
        sums = run.given(found.sums, operation.form)
        return Pending(sums.reshape(*sums.shape[:1], -1, 1, 1, len(found.low)))
    return run.given(found, operation.form)


WORK: dict[type[Operation], Callable[..., Held]] = {
    Encode: encode,
    Layer: layer,
    Depthwise: depthwise,
    HandOver: hand_over,
    Raise: raised,
    Add: add,
    Combine: combine,
    Total: total,
    Fire: fire,
    Attend: attend,
    MaxPool: max_pool,
    Reform: reform,
    General: general,
}
