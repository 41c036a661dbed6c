"""Operations without a form of their own over a layer's sums, which stay unfinished."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sviT_models.engine.fixed_point.emission import Kernel, shape_of
from sviT_models.engine.forms import Form
from sviT_models.engine.program import General
from sviT_models.graph.graph import Node

if TYPE_CHECKING:
    from sviT_models.engine.fixed_point.planner import Planner
    from sviT_models.engine.fixed_point.sums import Sums


def padding_of(tensor: str, shape: Sequence[int], node: Node) -> dict[str, object]:
    """What a node of the plan says of zeros around a tensor."""
    sides = node.attributes["sides"]
    pairs = [sides[i : i + 2] for i in range(0, len(sides), 2)][::-1]
    return {"input": tensor, "shape": shape, "sides": [[0, 0]] * (len(shape) - len(pairs)) + pairs}


def convolved(planner: Planner, operation: General, tensor: str, shape: Sequence[int], sums: Sums) -> None:
    """The sums of a layer over a tensor in the order of the graph's axes."""
    node, rank = operation.node, len(shape)
    planner.give_sums(operation, sums)
    if node.op == "linear":
        planner.emission.conv(node.layer, sums.label, tensor, (1, 1), Kernel())
        return
    order = [0, *range(2, rank), 1]
    last = planner.emission.arrange(tensor, shape, order, [shape[i] for i in order], f"{operation.name}:last")
    a = node.attributes
    sides = {key: [*a[key], *[one] * (4 - rank)] for key, one in (("stride", 1), ("padding", 0), ("dilation", 1))}
    positions = [*shape[2:], *[1] * (4 - rank)]
    planner.emission.conv(node.layer, sums.label, last, positions, Kernel(**sides, groups=a["groups"]))


def _mean_of_sums(planner: Planner, operation: General) -> None:
    """A layer's sums added over axes that are not its channels."""
    (given,) = operation.inputs
    before, tensor = planner.seen(given), planner.plan.tensors[given.source]
    planner.plan.reads[operation.name] = [tensor]
    planner.emission.begin(operation.name)
    shape, axes = shape_of(planner.program, given.form.axes), operation.node.attributes["axes"]
    axes = [axis % len(shape) for axis in axes]
    terms = math.prod(shape[axis] for axis in axes)
    low, high = planner.plan.largest[before.label]
    planner.plan.largest[before.label] = low * terms, high * terms
    logical = _logical(planner, operation, tensor, given.form)
    output = f"{before.label}:sums" if planner.streams.uses[given.source] == 1 else f"{operation.name}:sums"
    planner.emission.sum(logical, shape, axes, output, before.label)
    gain = before.gain / terms if operation.node.op == "mean" else before.gain
    sums = replace(before, gain=gain, low=before.low * terms, high=before.high * terms)
    planner.sums[operation.name], planner.plan.tensors[operation.name] = sums, output


def _logical(planner: Planner, operation: General, tensor: str, form: Form) -> str:
    if form.memory == form.logical:
        return tensor
    return planner.emission.arranged_logical(tensor, form, f"{operation.name}:0")


def _pad_of_sums(planner: Planner, operation: General) -> None:
    """Zeros around a layer's sums."""
    (given,) = operation.inputs
    sums, tensor = planner.seen(given), planner.plan.tensors[given.source]
    planner.plan.reads[operation.name] = [tensor]
    planner.emission.begin(operation.name)
    logical, shape = _logical(planner, operation, tensor, given.form), shape_of(planner.program, given.form.axes)
    padded = f"{operation.name}:padded"
    planner.emission.put("pad", padded, **padding_of(logical, shape, operation.node), value=0)
    output = f"{operation.name}:sums"
    planner.emission.reordered(padded, operation.form.logical, operation.form.memory, output)
    planner.sums[operation.name], planner.plan.tensors[operation.name] = sums, output


def _depthwise(planner: Planner, operation: General) -> None:
    """A depthwise layer of any kernel over a layer's sums."""
    (given,) = operation.inputs
    tensor, _, sums = planner.narrowed(operation)
    planner.plan.reads[operation.name] = [tensor]
    planner.emission.begin(operation.name)
    logical = _logical(planner, operation, tensor, given.form)
    convolved(planner, operation, logical, shape_of(planner.program, given.form.axes), sums)


SUMMED: dict[str, Callable[[Planner, General], None]] = {
    "mean": _mean_of_sums,
    "pad": _pad_of_sums,
    "conv": _depthwise,
}
