"""One batch on its way through a program: every operation once, in order, on the kernels at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.engine.arithmetic import Affine
from sviT_models.engine.constants import Constants
from sviT_models.engine.convolution import EXACT_FLOAT32
from sviT_models.engine.exact_values import Codes, Sums, finished
from sviT_models.engine.exact_values import Value as Defined
from sviT_models.engine.forms import Form, Group, is_steps
from sviT_models.engine.kernel_protocol import Kernels
from sviT_models.engine.prepared_weights import Array, Prepared, Weights
from sviT_models.engine.program import Map, Operation, Program
from sviT_models.engine.streamed_sums import Later
from sviT_models.engine.values import BYTES, PLANES, Integers, Value, Weighted
from sviT_models.output import Output


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
Work = Mapping[type[Operation], Callable[..., Held]]


@dataclass(eq=False)
class Run:
    """One batch: its program, kernels and weights, what every kind of operation does with them, what operations gave so
    far, and spikes by neuron layer.
    """

    program: Program
    kernels: Kernels[Any, Any]
    weights: Weights
    batch: int
    work: Work
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
            self.held[operation.name] = self.work[type(operation)](self, operation)
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
            found = self.kernels.current(entry.sums, self.affine(entry, value), entry.rest)
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


def dtype_of(kind: object) -> torch.dtype:
    """In which integers are kept: bytes, or floats that hold them exactly."""
    assert isinstance(kind, Integers)
    if kind.stored == BYTES:
        return torch.uint8
    return torch.float32 if max(-kind.low, kind.high) < EXACT_FLOAT32 else torch.float64
