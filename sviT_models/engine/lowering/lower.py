"""From a graph to its program: which arrays are computed, in which form, and what is left unfinished until it is used.

The rules for what a value is are those of `rules`; here they are applied to the graph alone, before there are weights.
"""

from __future__ import annotations

from dataclasses import replace

from sviT_models.engine.arithmetic import IMAGE_FRACTION
from sviT_models.engine.forms import Form, aligned, fresh, is_batch, is_steps, parts_of
from sviT_models.engine.lowering import matching
from sviT_models.engine.lowering.layers import as_map, layer, mapped, waits
from sviT_models.engine.lowering.products import combined, product, total
from sviT_models.engine.lowering.state import BYTE, Lowering
from sviT_models.engine.program import Add, Encode, Fire, MaxPool, Program
from sviT_models.engine.static_rules import LARGEST_NUMBER, factor_of, moved_bounds, stay_integers
from sviT_models.engine.values import BYTES, EXACT, Integers, Number, Value, Weighted, with_step
from sviT_models.graph.graph import Graph, Node
from sviT_models.graph.neurons import SpikingLaw

FORMED = ("reshape", "permute", "expand")


def lowered(graph: Graph) -> Program:
    """The program of a graph.

    graph  a captured network

    Raises ModelError, naming the node, for products whose sums float64 may not hold.
    """
    lowering = Lowering(graph)
    for node in graph.nodes[:-1]:
        lowering.held[node.name] = value(lowering, node)
    output = lowering.held[graph.nodes[-1].inputs[0]]
    return Program(graph, tuple(matching.kept(lowering.operations, output)), output)


def value(lowering: Lowering, node: Node) -> Value:
    """What a node gives."""
    given = [lowering.held[name] for name in node.inputs]
    if node.op not in ("norm", "conv"):
        given = [lowering.settled(value) for value in given]
    match node.op:
        case "pad" if waits(node, given[0]):
            rows = [parts_of(axis) for axis in node.shape[2:]]
            return replace(given[0], pad=node.name, form=Form((), (*given[0].form.axes[:2], *rows)))
        case "image":
            return image(lowering, node)
        case "neuron":
            return neuron(lowering, node, given[0])
        case "conv" | "linear":
            return layer(lowering, node, given[0])
        case "norm" if isinstance(given[0].kind, Weighted):
            shifted = replace(given[0].kind, unshifted=False)
            return replace(given[0], kind=shifted, norms=(*given[0].norms, node.name))
        case "scale" if not node.parameters and isinstance(given[0].kind, Integers):
            return replace(given[0], kind=with_step(given[0].kind, factor_of(node)))
        case "add" if node.attributes["factor"] == 1:
            return added(lowering, node, *given)
        case "product" | "matmul":
            return product(lowering, node, *given)
        case "sum" | "mean" if isinstance(given[0].kind, Integers):
            return total(lowering, node, given[0])
        case "max_pool":
            return max_pool(lowering, node, given[0])
    if node.op in FORMED and (form := formed(lowering, node, given[0])):
        kind = Number() if isinstance(given[0].kind, Weighted) else given[0].kind
        return replace(given[0], kind=kind, form=form)
    return lowering.general(node, *given)


def image(lowering: Lowering, node: Node) -> Value:
    """Channels last, steps first where the image has any."""
    form = fresh(node.shape)
    steps = [part for part in form.logical if is_steps(part)]
    batch = [part for part in form.logical if is_batch(part)]
    channels = list(form.axes[-3]) if len(form.axes) > 3 else []
    others = [part for part in form.logical if part not in (*steps, *batch, *channels)]
    kind = Integers(-LARGEST_NUMBER, LARGEST_NUMBER - 1, 2.0**-IMAGE_FRACTION, EXACT)
    return lowering.emit(Encode(node.name, (), kind, form.stored([*steps, *batch, *others, *channels])))


def formed(lowering: Lowering, node: Node, given: Value) -> Form | None:
    """The form after an operation that only moves."""
    if node.op == "permute":
        return given.form.permuted(node.attributes["axes"])
    if node.op == "reshape":
        return given.form.reshaped(node.shape)
    axes = ((),) * (len(node.shape) - len(given.form.axes)) + given.form.axes
    wanted = [tuple(factor for factor in axis if factor != 1) for axis in node.shape]
    if any(axis and tuple(part.size for part in axis) != w for axis, w in zip(axes, wanted, strict=True)):
        return None
    grown = tuple(axis or parts_of(w) for axis, w in zip(axes, wanted, strict=True))
    return Form(given.form.memory, grown)


def neuron(lowering: Lowering, node: Node, given: Value) -> Value:
    """Neurons take steps first; a spiking one gives all steps even of what is the same in all."""
    law = node.attributes["law"]
    given = lowering.steps_first(given)
    form = given.form
    if isinstance(law, SpikingLaw):
        steps = [part for part in form.axes[0] if is_steps(part)]
        if any(part not in steps for part in form.axes[0]):  # its first axis is more than time
            return lowering.general(node, given)
        form = form.stored((*steps, *(part for part in form.memory if part not in steps)))
        kind = Integers(0, 1, 1.0)
    else:
        kind = Integers(0, law.levels, 1 / law.divisor, BYTES if law.levels <= BYTE else EXACT)
    return lowering.emit(Fire(node.name, (given,), kind, form, node.path, law))


def added(lowering: Lowering, node: Node, first: Value, second: Value) -> Value:
    """Integers of one unit stay integers; membranes are finished as late as can be."""
    both = [v.kind for v in (first, second) if isinstance(v.kind, Integers)]
    together = aligned(first.form, second.form)
    if len(both) == 2 and stay_integers(node, [kind.step for kind in both]):
        bounds = moved_bounds(node, [(kind.low, kind.high) for kind in both])
        return combined(lowering, node, first, second, replace(both[0], low=bounds[0], high=bounds[1]), False)
    double = any(isinstance(v.kind, Number) and v.kind.double for v in (first, second))
    if both or double or together is None or together[0].axes != together[1].axes:
        return lowering.general(node, first, second)
    a, b = (replace(v, form=form) for v, form in zip((first, second), together, strict=True))
    if any(not is_steps(part) for form in together for part in form.missing):
        return lowering.general(node, first, second)
    if weighted(lowering, b) and not weighted(lowering, a):
        a, b = b, a
    a = lowering.steps_first(a)
    steps = tuple(p for p in b.form.memory if is_steps(p))
    others = tuple(p for p in a.form.memory if not is_steps(p))
    b = lowering.stored(b, (*steps, *others))
    every = steps or tuple(p for p in a.form.memory if is_steps(p))
    return lowering.emit(Add(node.name, (a, b), Number(), Form((*every, *others), together[0].axes)))


def weighted(lowering: Lowering, value: Value) -> bool:
    """Whether a value is the sums of a layer, if in other words."""
    return isinstance(lowering.operation(value.source).kind, Weighted)


def max_pool(lowering: Lowering, node: Node, given: Value) -> Value:
    """The largest of bytes; what else is pooled is finished first."""
    kind, a = given.kind, node.attributes
    square = [len(set(a[key])) == 1 for key in ("kernel", "stride", "padding", "dilation")]
    small = isinstance(kind, Integers) and kind.stored == BYTES
    if not small or not all(square) or a["dilation"][0] != 1 or a["ceil_mode"] or len(given.form.axes) != 4:
        return lowering.general(node, given)
    given, seen, lead = as_map(lowering, node, given)
    form = mapped(node, lead, given.form.axes[0], given.form.axes[1])
    sides = a["kernel"][0], a["stride"][0], a["padding"][0]
    return lowering.emit(MaxPool(node.name, (given,), given.kind, form, *sides, seen))
