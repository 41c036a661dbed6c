"""One batch on its way through the fixed-point network: what `Run` does, on integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.engine.fixed_point.operations import Interpreter
from sviT_models.engine.fixed_point.plan import Plan
from sviT_models.engine.kernels.fixed_point import clipped, fire_fixed, narrow, rescaled
from sviT_models.engine.number_formats import GUARD, Rescale, State
from sviT_models.engine.prepared_weights import Array
from sviT_models.engine.program import (
    PLANES,
    Add,
    Depthwise,
    Encode,
    Fire,
    General,
    HandOver,
    Operation,
    Raise,
    Value,
    Weighted,
)
from sviT_models.engine.program import Integers as Counted
from sviT_models.engine.run import WORK, Deferred, Held, Pending, Run, dtype_of, row_of

LARGEST = 2**31


@dataclass(eq=False)
class FixedRun(Run):
    """A Run with the constants of `plan`; numbers are integers in the formats that it says.

    `emitted`, if given, takes what every neuron layer emits, by the tensor of the plan, in the order of its memory.
    """

    plan: Plan = field(kw_only=True)
    emitted: dict[str, NDArray[np.int64]] | None = field(default=None, kw_only=True)

    def go(self, first: int = 0, last: int | None = None) -> None:
        """See Run."""
        for position, operation in enumerate(self.program.operations[first:last], first):
            self.held[operation.name] = FIXED[type(operation)](self, operation)
            for name in self.program.released[position]:
                self.held.pop(name, None)

    def number(self, value: Value) -> Array:
        """The integers that stand for numbers, in the format of their stream where they have one."""
        entry = self.held[value.source]
        if isinstance(value.kind, Counted):
            return entry
        key = self.plan.streams.key(value)
        rule = self.plan.rounded.get(key) if key == (value.source, value.norms) else None
        if isinstance(entry, Pending) and entry.rest is not None and entry.value is not None:
            rule = self.plan.rounded[self.plan.streams.key(entry.value)]
        if rule is None or isinstance(entry, _Rounded):
            return entry.numbers if isinstance(entry, _Rounded) else entry
        if isinstance(entry, Pending | Deferred):
            sums, rest = self.sums(value), getattr(entry, "rest", None)
        else:
            sums, rest = self.shaped(entry, value.form), None
        found = self.rounded(sums, rest, rule)
        if rest is not None:
            self.held[value.source] = found
        return found

    def rounded(self, sums: Array, rest: Array | None, rule: Rescale) -> Array:
        """Sums through a rule, added to numbers of the same format, clipped to it."""
        x = rescaled(self.kernels.tensor(sums), rule)
        if rest is not None:
            x = x + self.kernels.tensor(rest).reshape(len(rest), *x.shape[1:])
        return self.kernels.array(x.clamp(rule.low, rule.high).to(torch.int32))

    def tensor(self, value: Value, sums: bool) -> NDArray[np.int64]:
        """What the operations of the interpreter take."""
        entry = self.sums(value) if sums else self.number(value)
        if isinstance(value.kind, Counted) and value.kind.stored == PLANES:
            entry = self.kernels.merge(entry, np.full(entry.shape[-1], 2.0 ** (8 * len(entry) - 1)))
        found: NDArray[np.int64] = self.kernels.tensor(entry).numpy(force=True).astype(np.int64)
        return found

    def logits(self) -> NDArray[np.float32]:
        """See Run."""
        value, rule = self.program.output, self.plan.logits
        if rule is not None and self.plan.streams.sums(self.program.by_name[value.source]):
            x = rescaled(self.kernels.tensor(self.sums(value)), rule).clamp(rule.low, rule.high)
        elif rule is not None:
            numbers = self.kernels.tensor(self.number(value))
            x = rescaled(numbers.reshape(-1, 1), rule).clamp(rule.low, rule.high)
        else:
            x = self.kernels.tensor(self.number(value)).double()
        found: NDArray[np.float32] = (
            (self.logical(x, value.form) * 2.0**-self.plan.logit_fraction).float().numpy(force=True)
        )
        return found

    def fired(self, operation: Operation, path: str, spikes: Any, counts: NDArray[np.int64]) -> None:
        """Note what a layer of neurons emits."""
        self.spikes[path] = self.spikes.get(path, 0) + counts
        if self.emitted is not None:
            self.emitted[self.plan.tensors[operation.name]] = (
                self.kernels.tensor(spikes).numpy(force=True).astype(np.int64)
            )


@dataclass(frozen=True, eq=False)
class _Rounded:
    """Numbers of a stream in the place of the sums that they were."""

    numbers: Array


def encode(run: FixedRun, operation: Encode) -> Tensor:
    """The image in one byte."""
    order, form = operation.form.logical, run.plan.image
    scaled = torch.floor(run.images.reshape(run.sizes(order)).double() / form.step + 0.5)
    fixed = scaled.clamp(form.low, form.high).to(torch.int32)
    return fixed.permute([order.index(part) for part in operation.form.memory]).contiguous()


def raised(run: FixedRun, operation: Raise) -> Array:
    """Bytes (P, ...) of integers or numbers."""
    (given,) = operation.inputs
    entry = run.number(given)
    x = entry if isinstance(entry, Tensor) else run.kernels.tensor(entry)
    form, planes = run.plan.formats[operation.name], 1
    while not -(2 ** (8 * planes - 1)) <= form.low <= form.high < 2 ** (8 * planes - 1):
        planes += 1
    return run.kernels.split(x.to(torch.int32 if planes <= 4 else torch.int64), planes)


def depthwise(run: FixedRun, operation: Depthwise) -> Deferred:
    """Over sums that are shifted to the right."""
    (given,) = operation.inputs
    seen = operation.map
    sums = clipped(run.kernels, run.sums(given), run.plan.handed[operation.name])
    sums = sums.reshape(run.steps if seen.steps else 1, -1, seen.height, seen.width, seen.channels)
    return Deferred(run.weights[operation.name], sums)


def hand_over(run: FixedRun, operation: HandOver) -> Array:
    """Two bytes (2, ..., C)."""
    (given,) = operation.inputs
    entry, rule = run.held[given.source], run.plan.handed[operation.name]
    if isinstance(entry, Deferred):
        run.sums(given)
        entry = run.held[given.source]
    return narrow(run.kernels, entry.sums, rule)


def add(run: FixedRun, operation: Add) -> Pending | Array:
    """Numbers of a stream; those that are sums until now are finished by the neurons."""
    which = run.plan.streams.fused.get(operation.name)
    if which is not None:
        value, other = operation.inputs[which], operation.inputs[1 - which]
        rest = run.kernels.tensor(run.shaped(run.number(other), other.form)).to(torch.int32)
        return replace(run.held[value.source], value=value, rest=run.kernels.array(rest))
    form = run.plan.formats[operation.name]
    first, second = (run.kernels.tensor(run.shaped(run.number(v), v.form)) for v in operation.inputs)
    return run.kernels.array((first + second).clamp(form.low, form.high).to(torch.int32))


def fire(run: FixedRun, operation: Fire) -> Array:
    """Spikes (T, ...), or levels."""
    (given,) = operation.inputs
    firing, plan = run.plan.firing[operation.name], run.plan
    stream = not isinstance(given.kind, Counted) and plan.streams.key(given) in plan.streams.name_of
    entry = run.held[given.source]
    if isinstance(entry, Deferred) or (isinstance(entry, Pending) and operation.keep and not stream):
        run.sums(given)
        entry = run.held[given.source]
    if firing.state is None or not firing.state.common:
        return plain_fire(run, operation, stream)
    rule, rest, keep = firing.rule, None, False
    if isinstance(entry, Pending):
        if rule is None:
            rule, rest = plan.rounded[plan.streams.key(entry.value or given)], entry.rest
            keep = operation.keep == "number"
        if operation.keep == "sums":
            entry = run.held[given.source] = entry.computed()
        sums = entry.sums
    else:
        x = run.shaped(run.number(given), given.form)
        sums = run.kernels.plain_sums(x.reshape(len(x), -1, 1, 1, row_of(x.shape[1])))
        rule = rule or unchanged(firing.state.input_fraction - firing.left)
    spikes, counts, kept = fire_fixed(run.kernels, sums, rule, rest, firing.state, run.steps, keep)
    if kept is not None:
        run.held[given.source] = _Rounded(kept)
    run.fired(operation, operation.path, spikes, counts)
    return spikes


def unchanged(fraction: int) -> Rescale:
    """The rule that leaves numbers as they are."""
    one = np.ones(1, np.int64)
    return Rescale(one, 0 * one, 0 * one, -LARGEST, LARGEST, fraction)


def plain_fire(run: FixedRun, operation: Fire, stream: bool) -> Array:
    """Neurons of any law."""
    (given,) = operation.inputs
    firing, entry = run.plan.firing[operation.name], run.held[given.source]
    if isinstance(entry, Pending) and not stream:
        x = run.kernels.tensor(run.sums(given))
    else:
        x = run.kernels.tensor(run.number(given)).double()
        x = x if firing.rule is None else x.reshape(-1, 1)
        if operation.keep == "number" and isinstance(entry, Pending):
            run.held[given.source] = _Rounded(run.number(given))
    if firing.rule is not None:
        x = rescaled(x, firing.rule).clamp(firing.rule.low, firing.rule.high)
    x = run.kernels.tensor(run.shaped(run.kernels.array(x.contiguous()), given.form))
    out = x if firing.state is None else spikes_of(x, firing.state, firing.left, run.steps)
    counts = (x.reshape(1, -1) if firing.state is None else out).count_nonzero(dim=1)
    found = run.kernels.array(out.to(dtype_of(operation.kind)).contiguous())
    run.fired(operation, operation.path, found, counts.numpy(force=True))
    return found


def spikes_of(x: Tensor, state: State, left: int, steps: int) -> Tensor:
    """Spikes (T, n) of neurons of any law, driven by integers x (T or 1, n) in float64, as docs/integer-network.md."""
    leak, guard = state.leak, 2.0**GUARD
    places = guard * 2.0**leak.shift
    low, high = -(2.0 ** (state.bits - 1)), 2.0 ** (state.bits - 1) - 1
    x = torch.floor(x * 2.0**left + (0.5 if left < 0 else 0.0)).expand(steps, *x.shape[1:])
    v, owed, found = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
    for current in x:
        if state.delayed and not state.subtract:
            v = v * (1 - owed)
        u = v * guard * leak.kept + current * leak.taken
        if state.delayed and state.subtract:
            u = u - owed * state.threshold * places
        owed = (u > state.threshold * places if state.strict else u >= state.threshold * places).double()
        if not state.delayed:
            u = u - owed * state.threshold * places if state.subtract else u * (1 - owed)
        v = torch.floor(u / places + 0.5).clamp(low, high)
        found.append(owed)
    return torch.stack(found)


def general(run: FixedRun, operation: General) -> Held:
    """By the operations of the interpreter."""
    plan = run.plan
    sums = plan.streams.takes_sums(operation)
    numbers = [run.tensor(value, sums) for value in operation.inputs]
    if operation.name in plan.handed:
        rule = plan.handed[operation.name]
        narrowed = rescaled(torch.from_numpy(numbers[0].reshape(-1, 1)), rule).clamp(rule.low, rule.high)
        numbers[0] = narrowed.long().numpy()
    machine = Interpreter(plan.constants, _Tensors(run))
    machine.values.update(zip(plan.reads[operation.name], numbers, strict=True))
    for node in plan.own[operation.name]:
        machine.run(node)
    found = machine.values[plan.tensors[operation.name]]
    if operation.node.op == "neuron":
        spikes = found.reshape((*run.sizes(operation.form.axes[0]), -1))
        counts = counted(spikes, plan.firing[operation.name].state is not None)
        run.fired(operation, operation.node.path, run.kernels.array(torch.from_numpy(spikes)), counts)
    made = torch.from_numpy(found.astype(np.float64)).to(run.kernels.device)
    if isinstance(operation.kind, Weighted):
        channels = made.shape[-1]
        made = run.kernels.tensor(run.shaped(run.kernels.array(made), operation.form))
        return Pending(run.kernels.array(made.reshape(len(made), -1, 1, 1, channels)))
    if isinstance(operation.kind, Counted):
        made = made.to(dtype_of(operation.kind))
    elif plan.streams.sums(operation):
        return Pending(run.kernels.array(made.reshape(1, -1, 1, 1, made.shape[-1])))
    return run.shaped(run.kernels.array(made), operation.form)


def counted(spikes: NDArray[np.int64], steps: bool) -> NDArray[np.int64]:
    """Elements that are not zero, in each of the first axis's entries or in all."""
    found: NDArray[np.int64] = np.count_nonzero(spikes.reshape(len(spikes) if steps else 1, -1), axis=1)
    return found


class _Tensors(dict[str, NDArray[np.int64]]):
    """The constants of a plan and the codes of layers, by the names that an export has for them."""

    def __init__(self, run: FixedRun) -> None:
        super().__init__()
        self.run = run

    def __missing__(self, name: str) -> NDArray[np.int64]:
        owner, _, part = name.rpartition(".")
        if part == "weight":
            return codes_of(self.run.weights.integers[owner])
        found: NDArray[np.int64] = getattr(self.run.plan.rescales[owner], part)
        return found


def codes_of(weight: Any) -> NDArray[np.int64]:
    """The codes (O, C / groups, k, l) of a layer; linear and one-dimensional ones have sides of 1."""
    shape = weight.digits[0].shape
    codes: NDArray[np.int64] = weight.codes().reshape((*shape, *[1] * (4 - len(shape))))
    return codes


FIXED: dict[type[Operation], Callable[..., Held]] = {
    **WORK,
    Encode: encode,
    Depthwise: depthwise,
    HandOver: hand_over,
    Raise: raised,
    Add: add,
    Fire: fire,
    General: general,
}
