"""The operations that have no form of their own in a program, as nodes on tensors in the order of the graph's axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sviT_models.engine.fixed_point.emission import shape_of
from sviT_models.engine.fixed_point.plan import Format
from sviT_models.engine.forms import Form
from sviT_models.engine.number_formats import EXACT
from sviT_models.engine.program import General, Value
from sviT_models.engine.program import Integers as Counted
from sviT_models.engine.rules import factor_of, norm_of
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Node

if TYPE_CHECKING:
    from sviT_models.engine.fixed_point.planner import Planner, Sums

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
    RULES[node.op](_Numbers(planner, operation, read))


class _Numbers:
    """An operation over integers and numbers, with what it takes in the order of the graph's axes."""

    def __init__(self, planner: Planner, operation: General, read: Sequence[tuple[str, Format]]) -> None:
        self.planner, self.operation, self.node = planner, operation, operation.node
        self.names, self.forms = [name for name, _ in read], [form for _, form in read]
        self.emission, self.output = planner.emission, operation.name
        self.shape = [self.sizes(value) for value in operation.inputs]

    def sizes(self, value: Value) -> list[int]:
        """Lengths of the axes of a value."""
        return shape_of(self.planner.program, value.form.axes)

    def logical(self, which: int = 0) -> str:
        """A tensor in the order of the axes."""
        name, value = self.names[which], self.operation.inputs[which]
        if value.form.memory == value.form.logical:
            return name
        return self.emission.arranged_logical(name, value.form, f"{self.output}:{which}")

    def moved(self, tensor: str, shape: Sequence[int], order: Sequence[int], output: str) -> str:
        """Axes in another order."""
        return self.emission.arrange(tensor, shape, order, [shape[i] for i in order], output)

    def stored(self, tensor: str, order: Sequence[int]) -> str:
        """A tensor that holds the axes of the result in another order, in the order of memory."""
        form = self.operation.form
        axes = [form.axes[i] for i in order]
        memory = tuple(part for axis in axes for part in axis)
        return self.emission.reordered(tensor, memory, form.memory, self.output)

    def give(self, form: Format) -> None:
        """What comes out."""
        self.planner.give(self.operation, form)

    @property
    def whole(self) -> bool:
        """Whether the result is integers that have no format."""
        return isinstance(self.operation.kind, Counted)

    def formatted(self, which: int, form: Format, factor: float = 1.0) -> str:
        """An input in the format of the stream of the result."""
        if self.forms[which] == form and factor == 1:
            return self.logical(which)
        source = self.logical(which)
        sums = self.planner.of_numbers(f"{self.output}:in{which}", self.forms[which])
        sums = replace(sums, gain=sums.gain * factor)
        name, _ = self.planner.rule(self.output, sums, form, form.high.bit_length() + 1)
        return self.emission.rescale(name, source, f"{self.output}:in{which}")

    def own_format(self) -> Format:
        """The format of the result."""
        return self.planner.format_of((self.output, ()))


def _along(one: _Numbers, gain: Floats, shift: Floats) -> None:
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


def _norm(one: _Numbers) -> None:
    gain, shift = norm_of(one.planner.program.graph, one.node)
    view = (-1, *[1] * (len(one.shape[0]) - 2))
    _along(one, gain.reshape(view), shift.reshape(view))


def _parameter(one: _Numbers, role: str) -> Floats:
    tensor = one.planner.program.graph.parameters[one.node.parameters[role]]
    found: Floats = tensor.double().numpy(force=True)
    return found


def _scale(one: _Numbers) -> None:
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


def _shift(one: _Numbers) -> None:
    offset = _parameter(one, "offset") if one.node.parameters else np.array(float(one.node.attributes["offset"]))
    _along(one, np.ones(()), offset)


def _add(one: _Numbers) -> None:
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


def _concat(one: _Numbers) -> None:
    form = one.forms[0] if one.whole else one.own_format()
    tensors = [one.logical(i) if one.whole else one.formatted(i, form) for i in range(len(one.names))]
    axis = one.node.attributes["axis"]
    one.emission.put("concat", one.output, inputs=tensors, shapes=one.shape, axis=axis % len(one.shape[0]))
    one.give(Format(min(f.low for f in one.forms), max(f.high for f in one.forms), form.step, form.fraction))


def _product(one: _Numbers) -> None:
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


def _reduced(one: _Numbers) -> None:
    axes = [axis % len(one.shape[0]) for axis in one.node.attributes["axes"]]
    terms = math.prod(one.shape[0][axis] for axis in axes)
    given = one.forms[0]
    one.emission.sum(one.logical(), one.shape[0], axes, one.output)
    step = given.step / terms if one.node.op == "mean" else given.step
    one.give(Format(given.low * terms, given.high * terms, step))


def _pool(one: _Numbers) -> None:
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
    if any(a["padding"]) or a["ceil_mode"]:
        raise ModelError(f"{node.name}: an average pool over windows of different sizes; there is no rule for it")
    count = math.prod(a["kernel"])
    return one.give(Format(given.low * count, given.high * count, given.step / count))


def _same(one: _Numbers) -> None:
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


def _cut(one: _Numbers) -> None:
    a, axis = one.node.attributes, one.node.attributes["axis"] % len(one.shape[0])
    start = a["index"] if one.node.op == "select" else a["start"]
    length = 1 if one.node.op == "select" else shape_of(one.planner.program, one.operation.form.axes)[axis]
    start = start % one.shape[0][axis] if one.shape[0][axis] > 0 else start
    keys = {"axis": axis, "start": start, "stop": start + length}
    one.emission.put("slice", one.output, input=one.logical(), shape=one.shape[0], **keys)
    one.give(one.forms[0])


def _pad(one: _Numbers) -> None:
    given = one.forms[0]
    value = round(one.node.attributes["value"] / given.step)
    one.emission.put("pad", one.output, **_padding(one.logical(), one.shape[0], one.node), value=value)
    one.give(Format(min(given.low, value), max(given.high, value), given.step, given.fraction))


def _padding(tensor: str, shape: Sequence[int], node: Node) -> dict[str, object]:
    sides = node.attributes["sides"]
    pairs = [sides[i : i + 2] for i in range(0, len(sides), 2)][::-1]
    return {"input": tensor, "shape": shape, "sides": [[0, 0]] * (len(shape) - len(pairs)) + pairs}


def _layer(one: _Numbers) -> None:
    """A layer over integers, whatever its kernel."""
    sums = one.planner.layer_sums(one.node.layer, one.operation, one.forms[0])
    _convolved(one.planner, one.operation, one.logical(), one.shape[0], sums)


def _convolved(planner: Planner, operation: General, tensor: str, shape: Sequence[int], sums: Sums) -> None:
    """The sums of a layer over a tensor in the order of the graph's axes."""
    node, rank = operation.node, len(shape)
    planner.give_sums(operation, sums)
    if node.op == "linear":
        planner.emission.conv(node.layer, sums.label, tensor, (1, 1), (1, 1), (0, 0), 1)
        return
    order = [0, *range(2, rank), 1]
    last = planner.emission.arrange(tensor, shape, order, [shape[i] for i in order], f"{operation.name}:last")
    a = node.attributes
    sides = {key: [*a[key], *[one] * (4 - rank)] for key, one in (("stride", 1), ("padding", 0), ("dilation", 1))}
    positions = [*shape[2:], *[1] * (4 - rank)]
    planner.emission.conv(node.layer, sums.label, last, positions, groups=a["groups"], **sides)


def _neuron(one: _Numbers) -> None:
    """Neurons whose first axis is more than time: as many steps as it is long."""
    one.planner.neurons(one.operation, one.logical(), one.forms[0], one.shape[0][0])


RULES: dict[str, Callable[[_Numbers], None]] = {
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
    planner.emission.put("pad", padded, **_padding(logical, shape, operation.node), value=0)
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
    _convolved(planner, operation, logical, shape_of(planner.program, given.form.axes), sums)


SUMMED: dict[str, Callable[[Planner, General], None]] = {
    "mean": _mean_of_sums,
    "pad": _pad_of_sums,
    "conv": _depthwise,
}
