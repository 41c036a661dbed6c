"""One batch on its way through a program: every operation once, in order, on the kernels at hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.engine.arithmetic import IMAGE_FRACTION, fixed_image
from sviT_models.engine.constants import Affine, Constants
from sviT_models.engine.convolution import EXACT_FLOAT32
from sviT_models.engine.forms import Form, Group, is_steps
from sviT_models.engine.prepared_weights import Array, Prepared, Weights
from sviT_models.engine.program import (
    BYTES,
    PLANES,
    Add,
    Attend,
    Combine,
    Depthwise,
    Encode,
    Fire,
    General,
    HandOver,
    Integers,
    Layer,
    Map,
    MaxPool,
    Operation,
    Program,
    Raise,
    Reform,
    Total,
    Value,
    Weighted,
)
from sviT_models.engine.rules import LARGEST_NUMBER, Codes, Rules, Sums, finished
from sviT_models.engine.rules import Value as Defined
from sviT_models.engine.streamed_sums import Later
from sviT_models.graph.neurons import Law, SpikingLaw
from sviT_models.output import Output

ROW = 4096  # elements, at most, that neurons without channels of their own are taken together
COMMON = SpikingLaw().tau, True, ">=", "zero", False  # the neurons of most published networks


@dataclass(frozen=True, eq=False)
class Pending:
    """Sums that nobody has finished yet: a layer's (T or 1, ..., C), added to `rest` where there is one.

    `value` says whose constants they take; None: those of the value that asks.
    """

    sums: Array | Later
    value: Value | None = None
    rest: Array | None = None

    def computed(self) -> Pending:
        """The same with nothing left to compute."""
        return replace(self, sums=self.sums.whole()) if isinstance(self.sums, Later) else self


@dataclass(frozen=True, eq=False)
class Deferred:
    """A depthwise layer over sums (T or 1, images, H, W, C) that has not run yet."""

    layer: Prepared
    sums: Array


Held = Any  # an array, Pending or Deferred


@dataclass(eq=False)
class Run:
    """One batch: its program, kernels and weights, what its operations gave so far, and spikes by neuron layer."""

    program: Program
    kernels: Any
    weights: Weights
    batch: int
    held: dict[str, Held] = field(default_factory=dict)
    spikes: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.steps = self.program.graph.time_steps
        self.constants = Constants(self.program, self.weights)

    def begin(self, images: Tensor) -> None:
        """Take the images (B, ...)."""
        self.images = images

    def go(self, first: int = 0, last: int | None = None) -> None:
        """Run the operations from one to before another."""
        for position, operation in enumerate(self.program.operations[first:last], first):
            self.held[operation.name] = WORK[type(operation)](self, operation)
            for name in self.program.released[position]:
                self.held.pop(name, None)

    def branch(self, weights: Weights, plan: Any = None) -> Run:
        """A run of another design, which a fixed-point network has a `plan` of, that goes on from here."""
        held = {name: value.computed() if isinstance(value, Pending) else value for name, value in self.held.items()}
        self.held = held
        changed = {} if plan is None else {"plan": plan}
        other = replace(self, weights=weights, held=dict(held), spikes=dict(self.spikes), **changed)
        other.images = self.images
        return other

    def logits(self) -> NDArray[np.float32]:
        """Logits (B, classes), once all operations have run."""
        numbers = finished(self.defined(self.program.output, False)).float()
        found: NDArray[np.float32] = numbers.numpy(force=True)
        return found

    def output(self) -> Output:
        """What the finished batch gives; spikes of the neuron layers in the order in which they fire."""
        fired = [self.spikes[path] for path in self.program.neurons]
        steps = max((len(counts) for counts in fired), default=1)
        spikes = np.stack([np.pad(counts, (0, steps - len(counts))) for counts in fired]) if fired else np.zeros((0, 1))
        return Output(self.logits(), spikes.astype(np.int64))

    # what operations take

    def sizes(self, parts: Group) -> tuple[int, ...]:
        """Lengths of parts."""
        return tuple(part.length(self.steps, self.batch) for part in parts)

    def shaped(self, x: Array, form: Form) -> Array:
        """An array with time as its first axis, which has one entry where there is none."""
        has_steps = bool(form.memory) and is_steps(form.memory[0])
        return x.reshape(self.steps if has_steps else 1, -1)

    def sums(self, value: Value) -> Array:
        """A layer's sums, computed."""
        entry = self.held[value.source]
        if isinstance(entry, Deferred):
            sums = entry.layer.depthwise(self.kernels, merged(entry.sums))
            entry = Pending(sums.reshape(*entry.sums.shape))
        entry = self.held[value.source] = entry.computed()
        return entry.sums

    def affine(self, entry: Pending, value: Value) -> Affine:
        """The constants of what is pending."""
        return self.constants.affine(entry.value or value)

    def number(self, value: Value) -> Array:
        """Membrane inputs, float32 (or what the mean over a head's sums gives)."""
        entry = self.held[value.source]
        if isinstance(entry, Deferred):
            self.sums(value)
            entry = self.held[value.source]
        if isinstance(entry, Pending):
            entry = entry.computed()
            gain, shift = self.affine(entry, value)
            found = self.kernels.current(entry.sums, gain, shift, entry.rest)
            if not isinstance(self.program.by_name[value.source].kind, Weighted):
                self.held[value.source] = found
            return found
        if isinstance(value.kind, Integers):
            integers = self.kernels.tensor(entry).double()
            return self.kernels.array((integers * self.constants.step(value)).float())
        return entry

    def seen(self, value: Value, seen: Map) -> tuple[Array, bool]:
        """Bytes (P, T or 1, images, H, W, C) that a layer sees, and whether they are raised."""
        assert isinstance(value.kind, Integers)
        raised = value.kind.stored == PLANES
        x = self.held[value.source]
        steps = self.steps if seen.steps else 1
        return x.reshape(len(x) if raised else 1, steps, -1, seen.height, seen.width, seen.channels), raised

    def defined(self, value: Value, sums: bool) -> Defined:
        """A value as the definition has it."""
        entry = self.held[value.source]
        if isinstance(value.kind, Weighted) and sums:
            whole = self.logical(self.kernels.tensor(self.sums(value)).double(), value.form)
            ends = self.constants.extremes(value)
            return Sums(whole, *self.constants.affine(value), value.kind.axis, *ends, value.kind.unshifted)
        if isinstance(value.kind, Integers):
            kind = value.kind
            if kind.stored == PLANES:
                raised = np.full(entry.shape[-1], 2.0 ** (8 * len(entry) - 1))
                entry = self.kernels.merge(entry, raised)
            integers = self.logical(self.kernels.tensor(entry), value.form).double()
            return Codes(integers, self.constants.step(value), kind.low, kind.high, kind.step is not None)
        return self.logical(self.kernels.tensor(self.number(value)), value.form)

    def logical(self, x: Tensor, form: Form) -> Tensor:
        """An array in the order of the graph's axes."""
        order, missing = form.logical, form.missing
        x = x.reshape(self.sizes(form.memory))[(..., *[None] * len(missing))]
        place = {part: i for i, part in enumerate((*form.memory, *missing))}
        x = x.permute([place[part] for part in order]).expand(self.sizes(order))
        return x.reshape([int(np.prod(self.sizes(axis))) for axis in form.axes])

    def given(self, x: Tensor, form: Form) -> Array:
        """A tensor of the graph's axes in the order of memory."""
        order = form.logical
        x = x.reshape(self.sizes(order)).permute([order.index(part) for part in form.memory])
        return self.shaped(self.kernels.array(x.contiguous()), form)


def merged(x: Array) -> Array:
    """An array with its first two axes as one."""
    return x.reshape(-1, *x.shape[2:])


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
    rest = run.shaped(run.number(second), second.form)
    entry = run.held[first.source]
    position = run.program.positions[operation.name]
    if isinstance(entry, Pending) and entry.rest is None and run.program.last_use[first.source] == position:
        return replace(entry, value=first, rest=rest)
    return run.shaped(run.number(first), first.form) + rest


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


def dtype_of(kind: object) -> torch.dtype:
    """In which integers are kept: bytes, or floats that hold them exactly."""
    assert isinstance(kind, Integers)
    if kind.stored == BYTES:
        return torch.uint8
    return torch.float32 if max(-kind.low, kind.high) < EXACT_FLOAT32 else torch.float64


def fire(run: Run, operation: Fire) -> Array:
    """Spikes (T, ...), or levels."""
    (given,) = operation.inputs
    entry, law = run.held[given.source], operation.law
    if isinstance(entry, Deferred) or (operation.keep == "sums" and isinstance(entry, Pending)):
        run.sums(given)
        entry = run.held[given.source]
    if not is_common(law):
        return other_law(run, operation)
    assert isinstance(law, SpikingLaw)
    sums, rest = entry, None
    if isinstance(entry, Pending):
        (gain, shift), sums, rest = run.affine(entry, given), entry.sums, entry.rest
    else:
        sums = run.shaped(entry, given.form)
        channels = row_of(sums.shape[1])
        sums = run.kernels.plain_sums(sums.reshape(len(sums), -1, 1, 1, channels))
        gain, shift = run.constants.flat(given, channels)
    keep = operation.keep == "number" and isinstance(entry, Pending)
    spikes, counts, kept = run.kernels.fire(sums, gain, shift, rest, law.threshold, run.steps, keep)
    if kept is not None:
        run.held[given.source] = kept
    run.spikes[operation.path] = run.spikes.get(operation.path, 0) + counts
    return spikes


def is_common(law: Law) -> bool:
    """Whether neurons are the ones that the kernels have a pass for."""
    if not isinstance(law, SpikingLaw):
        return False
    return (law.tau, law.decay_input, law.fires_at, law.reset, law.delayed) == COMMON


def other_law(run: Run, operation: Fire) -> Array:
    """Neurons of any law."""
    (given,) = operation.inputs
    numbers = run.number(given)
    if operation.keep == "number" and not isinstance(given.kind, Integers):
        run.held[given.source] = numbers
    x = run.kernels.tensor(run.shaped(numbers, given.form)).float()
    law = operation.law
    if isinstance(law, SpikingLaw):
        out = law.fire(x.expand(run.steps, -1))
        counts = out.count_nonzero(dim=1)
    else:
        out = (law.fire(x).double() * law.divisor).round()
        counts = out.reshape(1, -1).count_nonzero(dim=1)
    run.spikes[operation.path] = run.spikes.get(operation.path, 0) + counts.numpy(force=True)
    return run.kernels.array(out.to(dtype_of(operation.kind)).contiguous())


def row_of(elements: int) -> int:
    """The largest divisor of a number of elements that is at most `ROW`."""
    return next(size for size in range(min(ROW, elements), 0, -1) if elements % size == 0)


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
