"""What every kind of operation does in the fixed-point network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.engine.fixed_point.firing import fire
from sviT_models.engine.fixed_point.operations import Interpreter
from sviT_models.engine.fixed_point.run import FixedRun, Tensors
from sviT_models.engine.prepared_weights import Array
from sviT_models.engine.program import Add, Depthwise, Encode, Fire, General, HandOver, Operation, Raise
from sviT_models.engine.run import Deferred, Held, Pending, dtype_of
from sviT_models.engine.values import Integers as Counted
from sviT_models.engine.values import Weighted
from sviT_models.engine.work import WORK


def encode(run: FixedRun, operation: Encode) -> Tensor:
    """The image in one byte."""
    order, form = operation.form.logical, run.plan.image
    scaled = run.images.reshape(run.sizes(order)).to(torch.float64, copy=True)
    fixed = scaled.div_(form.step).add_(0.5).floor_().clamp_(form.low, form.high).to(torch.int32)
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
    sums = run.kernels.clipped(run.sums(given), run.plan.handed[operation.name])
    sums = sums.reshape(run.steps if seen.steps else 1, -1, seen.height, seen.width, seen.channels)
    return Deferred(run.weights[operation.name], sums)


def hand_over(run: FixedRun, operation: HandOver) -> Array:
    """Two bytes (2, ..., C)."""
    (given,) = operation.inputs
    entry, rule = run.held[given.source], run.plan.handed[operation.name]
    if isinstance(entry, Deferred):
        run.sums(given)
        entry = run.held[given.source]
    return run.kernels.narrow(entry.sums, rule)


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


def general(run: FixedRun, operation: General) -> Held:
    """By the operations of the interpreter."""
    plan = run.plan
    sums = plan.streams.takes_sums(operation)
    numbers = [run.tensor(value, sums) for value in operation.inputs]
    if operation.name in plan.handed:
        rule = plan.handed[operation.name]
        narrowed = rule.of(torch.from_numpy(numbers[0].reshape(-1, 1)))
        numbers[0] = narrowed.long().numpy()
    machine = Interpreter(plan.constants, Tensors(run))
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
