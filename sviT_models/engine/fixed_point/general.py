"""The operations that have no form of their own in a program, as nodes on tensors in the order of the graph's axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sviT_models.engine.fixed_point.emission import shape_of
from sviT_models.engine.fixed_point.general_sums import SUMMED, convolved, padding_of
from sviT_models.engine.fixed_point.operands import Operands
from sviT_models.engine.fixed_point.plan import Format
from sviT_models.engine.fixed_point.planned_neurons import neurons
from sviT_models.engine.number_formats import EXACT
from sviT_models.engine.program import General
from sviT_models.engine.static_rules import factor_of, norm_of, window_of
from sviT_models.errors import ModelError

if TYPE_CHECKING:
    from sviT_models.engine.fixed_point.planner import Planner

Floats = NDArray[np.float64]


def planned(planner: Planner, operation: General) -> None:
    """Append what an operation does to a plan.

    Raises ModelError, naming the node, where there is no rule for it.
    """
    node = operation.node
    if planner.streams.takes_sums(operation):
        SUMMED[node.op](planner, operation)
        return
    read = [planner.number(value) for value in operation.inputs]
    planner.plan.reads[operation.name] = [tensor for tensor, _ in read]
    planner.emission.begin(operation.name)
    if node.op not in RULES:
        raise ModelError(f"{node.name}: {node.op} has no rule in the integer network")
    RULES[node.op](Operands(planner, operation, read))


def _along(one: Operands, gain: Floats, shift: Floats) -> None:
    """Constants along some axes, given as arrays that are broadcast to the result from the right."""
    shape, rank = one.shape[0], len(one.shape[0])
    gain, shift = (a.reshape((1,) * (rank - a.ndim) + a.shape) for a in np.broadcast_arrays(gain, shift))
    axes = [i for i in range(rank) if gain.shape[i] > 1]
    order = [*(i for i in range(rank) if i not in axes), *axes]
    tensor = one.moved(one.logical(), shape, order, f"{one.output}:last")
    given, form = one.forms[0], one.own_format()
    sums = one.planner.of_numbers(one.output, given)
    sums = replace(sums, gain=gain.reshape(-1) * given.step, shift=shift.reshape(-1))
    name, _ = one.planner.rule(one.output, sums, form, form.high.bit_length() + 1)
    scaled = one.emission.rescale(name, tensor, f"{one.output}:scaled")
    one.stored(scaled, order)
    one.give(form)


def _norm(one: Operands) -> None:
    gain, shift = norm_of(one.planner.program.graph, one.node)
    view = (-1, *[1] * (len(one.shape[0]) - 2))
    _along(one, gain.reshape(view), shift.reshape(view))


def _parameter(one: Operands, role: str) -> Floats:
    tensor = one.planner.program.graph.parameters[one.node.parameters[role]]
    found: Floats = tensor.double().numpy(force=True)
    return found


def _scale(one: Operands) -> None:
    if one.node.parameters:
        return _along(one, _parameter(one, "factor"), np.zeros(()))
    given, factor = one.forms[0], factor_of(one.node)
    mantissa, exponent = math.frexp(factor)
    known = given.fraction is not None and mantissa == 0.5
    one.stored(one.logical(), range(len(one.shape[0])))
    return one.give(
        Format(given.low, given.high, given.step * factor, given.fraction - exponent + 1)
        if known and given.fraction is not None
        else Format(given.low, given.high, given.step * factor)
    )


def _shift(one: Operands) -> None:
    offset = _parameter(one, "offset") if one.node.parameters else np.array(float(one.node.attributes["offset"]))
    _along(one, np.ones(()), offset)


def _add(one: Operands) -> None:
    factor = one.node.attributes["factor"]
    if one.whole:
        tensors, form = [one.logical(0), one.logical(1)], one.forms[0]
        low, high = (sum(getattr(f, end) for f in one.forms) for end in ("low", "high"))
        one.emission.combine("add", list(zip(tensors, _aligned(one.shape), strict=True)), one.output)
        return one.give(Format(low, high, form.step))
    form = one.own_format()
    tensors = [one.formatted(0, form), one.formatted(1, form, factor)]
    one.emission.added(list(zip(tensors, _aligned(one.shape), strict=True)), form, one.output)
    return one.give(form)


def _aligned(shapes: Sequence[list[int]]) -> list[list[int]]:
    rank = max(map(len, shapes))
    return [[1] * (rank - len(shape)) + shape for shape in shapes]


def _concat(one: Operands) -> None:
    form = one.forms[0] if one.whole else one.own_format()
    tensors = [one.logical(i) if one.whole else one.formatted(i, form) for i in range(len(one.names))]
    axis = one.node.attributes["axis"]
    one.emission.put("concat", one.output, inputs=tensors, shapes=one.shape, axis=axis % len(one.shape[0]))
    one.give(Format(min(f.low for f in one.forms), max(f.high for f in one.forms), form.step, form.fraction))


def _product(one: Operands) -> None:
    tensors = [one.logical(0), one.logical(1)]
    read = list(zip(tensors, _aligned(one.shape), strict=True))
    a, b = one.forms
    matrices = one.node.op == "matmul"
    summed = one.shape[0][-1] if matrices else 1
    ends = [summed * x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    if max(map(abs, ends)) >= EXACT:
        raise ModelError(f"{one.node.name}: its sums may pass 2^53; take narrower activations")
    if matrices:
        one.emission.products("matmul", list(zip(tensors, one.shape, strict=True)), one.output)
    else:
        one.emission.combine("multiply", read, one.output)
    one.give(Format(min(ends), max(ends), a.step * b.step))


def _reduced(one: Operands) -> None:
    axes = [axis % len(one.shape[0]) for axis in one.node.attributes["axes"]]
    terms = math.prod(one.shape[0][axis] for axis in axes)
    given = one.forms[0]
    one.emission.sum(one.logical(), one.shape[0], axes, one.output)
    step = given.step / terms if one.node.op == "mean" else given.step
    one.give(Format(given.low * terms, given.high * terms, step))


def _pool(one: Operands) -> None:
    node, given, a = one.node, one.forms[0], one.node.attributes
    if len(a["kernel"]) != 2 or len(one.shape[0]) != 4:
        raise ModelError(f"{node.name}: {node.op} of one dimension has no rule in the integer network")
    order = [0, 2, 3, 1]
    tensor = one.moved(one.logical(), one.shape[0], order, f"{one.output}:last")
    _, channels, *positions = one.shape[0]
    out = shape_of(one.planner.program, one.operation.form.axes)[2:]
    sides = {key: a.get(key, [1, 1]) for key in ("kernel", "stride", "padding", "dilation")}
    how = "max" if node.op == "max_pool" else "sum"
    where = {"positions": positions, "channels": channels, "out": out}
    one.emission.put("pool", f"{one.output}:pooled", how=how, input=tensor, **sides, **where)
    one.stored(f"{one.output}:pooled", order)
    if how == "max":
        return one.give(given)
    count = window_of(node)
    return one.give(Format(given.low * count, given.high * count, given.step / count))


def _same(one: Operands) -> None:
    """Re-shaping: the elements of the axes in the order that the node says."""
    node, shape, form = one.node, one.shape[0], one.forms[0]
    tensor, rank = one.logical(), len(one.shape[0])
    out = shape_of(one.planner.program, one.operation.form.axes)
    if node.op == "permute":
        one.moved(tensor, shape, node.attributes["axes"], one.output)
    elif node.op == "expand":
        one.emission.arrange(tensor, [1] * (len(out) - rank) + shape, range(len(out)), out, one.output)
    else:
        one.emission.arrange(tensor, shape, range(rank), shape, one.output)
    one.give(form)


def _cut(one: Operands) -> None:
    a, axis = one.node.attributes, one.node.attributes["axis"] % len(one.shape[0])
    start = a["index"] if one.node.op == "select" else a["start"]
    length = 1 if one.node.op == "select" else shape_of(one.planner.program, one.operation.form.axes)[axis]
    start = start % one.shape[0][axis] if one.shape[0][axis] > 0 else start
    keys = {"axis": axis, "start": start, "stop": start + length}
    one.emission.put("slice", one.output, input=one.logical(), shape=one.shape[0], **keys)
    one.give(one.forms[0])


def _pad(one: Operands) -> None:
    given = one.forms[0]
    value = round(one.node.attributes["value"] / given.step)
    one.emission.put("pad", one.output, **padding_of(one.logical(), one.shape[0], one.node), value=value)
    one.give(Format(min(given.low, value), max(given.high, value), given.step, given.fraction))


def _layer(one: Operands) -> None:
    """A layer over integers, whatever its kernel."""
    sums = one.planner.layer_sums(one.node.layer, one.operation, one.forms[0])
    convolved(one.planner, one.operation, one.logical(), one.shape[0], sums)


def _neuron(one: Operands) -> None:
    """Neurons whose first axis is more than time: as many steps as it is long."""
    neurons(one.planner, one.operation, one.logical(), one.forms[0], one.shape[0][0])


RULES: dict[str, Callable[[Operands], None]] = {
    "norm": _norm,
    "scale": _scale,
    "shift": _shift,
    "add": _add,
    "concat": _concat,
    "product": _product,
    "matmul": _product,
    "sum": _reduced,
    "mean": _reduced,
    "max_pool": _pool,
    "average_pool": _pool,
    "reshape": _same,
    "permute": _same,
    "expand": _same,
    "select": _cut,
    "slice": _cut,
    "pad": _pad,
    "conv": _layer,
    "linear": _layer,
    "neuron": _neuron,
}
