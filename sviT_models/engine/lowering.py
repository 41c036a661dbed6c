"""From a graph to its program: which arrays are computed, in which form, and what is left unfinished until it is used.

The rules for what a value is are those of `rules`; here they are applied to the graph alone, before there are weights.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from sviT_models.engine import matching
from sviT_models.engine.arithmetic import IMAGE_FRACTION
from sviT_models.engine.convolution import Geometry
from sviT_models.engine.forms import Form, Group, Part, aligned, fresh, is_batch, is_steps, parts_of, positions
from sviT_models.engine.program import (
    BYTES,
    EXACT,
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
    Kind,
    Layer,
    Map,
    MaxPool,
    Number,
    Operation,
    Program,
    Raise,
    Reform,
    Total,
    Value,
    Weighted,
    with_step,
)
from sviT_models.engine.rules import (
    LARGEST_ACTIVATION,
    LARGEST_NUMBER,
    factor_of,
    moved_bounds,
    product_bounds,
    stay_integers,
    takes_sums,
)
from sviT_models.graph.graph import TIME, Graph, Node, sizes
from sviT_models.graph.neurons import SpikingLaw

BYTE = 255
FORMED = ("reshape", "permute", "expand")
STEP = Part(TIME)


def lowered(graph: Graph) -> Program:
    """The program of a graph.

    graph  a captured network

    Raises ModelError, naming the node, for products whose sums float64 may not hold.
    """
    lowering = _Lowering(graph)
    for node in graph.nodes[:-1]:
        lowering.held[node.name] = lowering.value(node)
    output = lowering.held[graph.nodes[-1].inputs[0]]
    return Program(graph, tuple(matching.kept(lowering.operations, output)), output)


class _Lowering:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.held: dict[str, Value] = {}
        self.operations: list[Operation] = []
        self.made: dict[tuple[str, object], Value] = {}  # forms that a value has been brought into before
        self.products = matching.attentions(graph)
        self.waiting: dict[str, tuple[Node, Value, Value]] = {}

    def emit(self, operation: Operation) -> Value:
        """Append an operation; its result."""
        self.operations.append(operation)
        return operation.value

    def value(self, node: Node) -> Value:
        """What a node gives."""
        given = [self.held[name] for name in node.inputs]
        if node.op not in ("norm", "conv"):
            given = [self.settled(value) for value in given]
        match node.op:
            case "pad" if self.waits(node, given[0]):
                rows = [parts_of(axis) for axis in node.shape[2:]]
                return replace(given[0], pad=node.name, form=Form((), (*given[0].form.axes[:2], *rows)))
            case "image":
                return self.image(node)
            case "neuron":
                return self.neuron(node, given[0])
            case "conv" | "linear":
                return self.layer(node, given[0])
            case "norm" if isinstance(given[0].kind, Weighted):
                kind = replace(given[0].kind, unshifted=False)
                return replace(given[0], kind=kind, norms=(*given[0].norms, node.name))
            case "scale" if not node.parameters and isinstance(given[0].kind, Integers):
                return replace(given[0], kind=with_step(given[0].kind, factor_of(node)))
            case "add" if node.attributes["factor"] == 1:
                return self.added(node, *given)
            case "product" | "matmul":
                return self.product(node, *given)
            case "sum" | "mean" if isinstance(given[0].kind, Integers):
                return self.total(node, given[0])
            case "max_pool":
                return self.max_pool(node, given[0])
        if node.op in FORMED and (form := self.formed(node, given[0])):
            kind = Number() if isinstance(given[0].kind, Weighted) else given[0].kind
            return replace(given[0], kind=kind, form=form)
        return self.general(node, *given)

    @staticmethod
    def waits(node: Node, given: Value) -> bool:
        """Whether a padding is left to the layer behind it: one of zeros, on sums that zeros leave as they are."""
        kind = given.kind
        return isinstance(kind, Weighted) and kind.unshifted and not node.attributes["value"] and len(node.shape) == 4

    def image(self, node: Node) -> Value:
        """Channels last, steps first where the image has any."""
        form = fresh(node.shape)
        steps = [part for part in form.logical if is_steps(part)]
        batch = [part for part in form.logical if is_batch(part)]
        channels = list(form.axes[-3]) if len(form.axes) > 3 else []
        others = [part for part in form.logical if part not in (*steps, *batch, *channels)]
        kind = Integers(-LARGEST_NUMBER, LARGEST_NUMBER - 1, 2.0**-IMAGE_FRACTION, EXACT)
        return self.emit(Encode(node.name, (), kind, form.stored([*steps, *batch, *others, *channels])))

    def formed(self, node: Node, given: Value) -> Form | None:
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

    def stored(self, value: Value, order: Group) -> Value:
        """A value with this order of memory."""
        if value.form.memory == order:
            return value
        key = value.source, (value.norms, value.kind, tuple(map(id, order)))
        if key not in self.made:
            name = f"{value.source}:form{len(self.made)}"
            kind = Number() if isinstance(value.kind, Weighted) else value.kind
            self.made[key] = self.emit(Reform(name, (value,), kind, value.form.stored(order)))
        return replace(self.made[key], form=value.form.stored(order))

    def steps_first(self, value: Value) -> Value:
        """A value whose time, where it has any in memory, comes first there."""
        steps = [part for part in value.form.memory if is_steps(part)]
        others = [part for part in value.form.memory if not is_steps(part)]
        return self.stored(value, (*steps, *others))

    def neuron(self, node: Node, given: Value) -> Value:
        """Neurons take steps first; a spiking one gives all steps even of what is the same in all."""
        law = node.attributes["law"]
        given = self.steps_first(given)
        form = given.form
        if isinstance(law, SpikingLaw):
            steps = [part for part in form.axes[0] if is_steps(part)]
            if any(part not in steps for part in form.axes[0]):  # its first axis is more than time
                return self.general(node, given)
            form = form.stored((*steps, *(part for part in form.memory if part not in steps)))
            kind = Integers(0, 1, 1.0)
        else:
            kind = Integers(0, law.levels, 1 / law.divisor, BYTES if law.levels <= BYTE else EXACT)
        return self.emit(Fire(node.name, (given,), kind, form, node.path, law))

    def seen(self, node: Node, value: Value) -> tuple[Value, Map, Group] | None:
        """A layer's input with channels last behind its positions, how it is seen, and the parts in front of them.

        None where the positions are no map of one or two axes.
        """
        axes = value.form.axes
        channels, places = (axes[-1], axes[:-1]) if node.op == "linear" else (axes[1], axes[2:])
        inside = tuple(part for axis in places for part in axis) if node.op != "linear" else ()
        memory = value.form.memory
        inner = (*inside, *channels)
        lead = tuple(part for part in memory if part not in inner)
        steps = tuple(part for part in lead if is_steps(part))
        lead = (*steps, *(part for part in lead if part not in steps))
        value = self.stored(value, (*lead, *inner))
        if node.op == "linear":  # positions behind the batch are rows
            rows = positions(part for part in lead if not any(map(is_batch, lead[lead.index(part) :])))
            return value, Map(bool(steps), rows, 1, positions(channels)), lead
        height, width = (positions(axis) for axis in ((*places, ()) if len(places) == 1 else places))
        return value, Map(bool(steps), height, width, positions(channels)), lead

    def layer(self, node: Node, given: Value) -> Value:
        """A layer over integers, over the sums of the layer before, or over numbers, which become integers."""
        kind = given.kind
        if isinstance(kind, Weighted):
            made = self.graph.parameters[node.parameters["weight"]].shape[0]
            channels = positions(given.form.axes[kind.axis])
            if takes_sums(node, channels, made, kind.unshifted):
                return self.depthwise(node, given)
            given = self.handed_over(self.settled(given))
        geometry = _geometry(node, self.graph.parameters[node.parameters["weight"]])
        if geometry is None:
            return self.general(node, given)
        given = self.raised(given)
        assert isinstance(given.kind, Integers)
        given, seen, lead = self.seen(node, given)
        axes, form = given.form.axes, given.form
        if node.op == "linear":
            made = parts_of(node.shape[-1])
            form = Form((*lead, *made), (*axes[:-1], made))
        else:
            made, rows = parts_of(node.shape[1]), [parts_of(axis) for axis in node.shape[2:]]
            form = Form((*lead, *(p for axis in rows for p in axis), *made), (axes[0], made, *rows))
        weighted = Weighted((*given.kind.layers, node.layer), _axis(node), "bias" not in node.parameters)
        return self.emit(Layer(node.name, (given,), weighted, form, node.layer, geometry, seen))

    def handed_over(self, given: Value) -> Value:
        """Sums as the 24-bit integers that the next layer sees."""
        assert isinstance(given.kind, Weighted)
        key = given.source, ("handed over", given.norms)
        if key not in self.made:
            kind = Integers(-LARGEST_ACTIVATION, LARGEST_ACTIVATION - 1, None, PLANES, given.kind.layers)
            name = f"{given.source}:handed" + (f"{len(self.made)}" if given.norms else "")
            self.made[key] = self.emit(HandOver(name, (given,), kind, given.form))
        return replace(self.made[key], form=given.form)

    def raised(self, given: Value) -> Value:
        """Integers as bytes; numbers become integers in 24 bits behind the point."""
        kind = given.kind
        if isinstance(kind, Integers) and kind.stored in (BYTES, PLANES):
            return given
        if isinstance(kind, Number):
            kind = Integers(-LARGEST_NUMBER, LARGEST_NUMBER - 1, 2.0**-IMAGE_FRACTION)
        assert isinstance(kind, Integers)
        key = given.source, ("raised", given.norms, type(given.kind))
        if key not in self.made:
            name = f"{given.source}:raised{len(self.made)}"
            self.made[key] = self.emit(Raise(name, (given,), replace(kind, stored=PLANES), given.form))
        return replace(self.made[key], form=given.form, kind=replace(kind, stored=PLANES))

    def depthwise(self, node: Node, given: Value) -> Value:
        """A depthwise layer over sums; one of 3x3 with a border of one, of its own or of a `pad`, is zero-padded."""
        assert isinstance(given.kind, Weighted)
        a, weight = node.attributes, self.graph.parameters[node.parameters["weight"]]
        border = a["padding"][0] + (self.border(given.pad) if given.pad else 0)
        geometry = _geometry(node, weight)
        if geometry is None or weight.shape[2:] != (3, 3) or geometry.stride != 1 or border != 1:
            return self.general(node, self.settled(given))
        made, rows = given.form.axes[1], [parts_of(axis) for axis in node.shape[2:]]
        before = self.operation(given.source).form
        lead = before.memory[: len(before.memory) - sum(len(axis) for axis in before.axes[1:])]
        form = Form((*lead, *(p for axis in rows for p in axis), *made), (given.form.axes[0], made, *rows))
        kind = Weighted((*given.kind.layers, node.layer), 1)
        height, width = (positions(axis) for axis in rows)
        seen = Map(any(map(is_steps, lead)), height, width, positions(made))
        return self.emit(Depthwise(node.name, (given,), kind, form, node.layer, seen))

    def border(self, pad: str) -> int:
        """Width of the border that a padding node adds all around; -1 for any other."""
        node = self.graph.by_name[pad]
        sides = node.attributes["sides"]
        return sides[0] if len(sides) == 4 and len(set(sides)) == 1 else -1

    def settled(self, given: Value) -> Value:
        """A value whose padding has been carried out."""
        if not given.pad:
            return given
        key = given.source, ("padded", given.pad)
        if key not in self.made:
            before = self.operation(given.source).value
            self.made[key] = self.general(self.graph.by_name[given.pad], before)
        return replace(self.made[key], kind=given.kind, norms=given.norms)

    def added(self, node: Node, first: Value, second: Value) -> Value:
        """Integers of one unit stay integers; membranes are finished as late as can be."""
        both = [v.kind for v in (first, second) if isinstance(v.kind, Integers)]
        together = aligned(first.form, second.form)
        if len(both) == 2 and stay_integers(node, [kind.step for kind in both]):
            bounds = moved_bounds(node, [(kind.low, kind.high) for kind in both])
            return self.combined(node, first, second, replace(both[0], low=bounds[0], high=bounds[1]), False)
        double = any(isinstance(v.kind, Number) and v.kind.double for v in (first, second))
        if both or double or together is None or together[0].axes != together[1].axes:
            return self.general(node, first, second)
        a, b = (replace(v, form=form) for v, form in zip((first, second), together, strict=True))
        if any(not is_steps(part) for form in together for part in form.missing):
            return self.general(node, first, second)
        if self.weighted(b) and not self.weighted(a):
            a, b = b, a
        a = self.steps_first(a)
        steps = tuple(p for p in b.form.memory if is_steps(p))
        others = tuple(p for p in a.form.memory if not is_steps(p))
        b = self.stored(b, (*steps, *others))
        every = steps or tuple(p for p in a.form.memory if is_steps(p))
        return self.emit(Add(node.name, (a, b), Number(), Form((*every, *others), together[0].axes)))

    def weighted(self, value: Value) -> bool:
        """Whether a value is the sums of a layer, if in other words."""
        return isinstance(self.operation(value.source).kind, Weighted)

    def operation(self, name: str) -> Operation:
        """The operation of a name."""
        return next(operation for operation in reversed(self.operations) if operation.name == name)

    def combined(self, node: Node, first: Value, second: Value, kind: Integers, product: bool) -> Value:
        """Integers element by element, where the parts of one lie in memory as those of the other."""
        together = aligned(first.form, second.form)
        plain = all(isinstance(v.kind, Integers) and v.kind.stored != PLANES for v in (first, second))
        if together is None or not plain:
            return self.general(node, first, second)
        a, b = (replace(v, form=form) for v, form in zip((first, second), together, strict=True))
        large, small = (a, b) if len(a.form.memory) >= len(b.form.memory) else (b, a)
        if set(small.form.memory) - set(large.form.memory):
            return self.general(node, first, second)
        small = self.stored(small, tuple(part for part in large.form.memory if part in small.form.memory))
        axes = tuple(x or y for x, y in zip(a.form.axes, b.form.axes, strict=True))
        kind = replace(kind, stored=BYTES if kind.low >= 0 and kind.high <= BYTE else EXACT)
        return self.emit(Combine(node.name, (large, small), kind, Form(large.form.memory, axes), product))

    def product(self, node: Node, first: Value, second: Value) -> Value:
        """Products of integers; two in a row that are Q (K^T V) are one operation."""
        kinds = [self.integers(value) for value in (first, second)]
        summed = sizes((self.graph.by_name[node.inputs[0]].shape[-1],), self.graph.time_steps, 1)[0]
        low, high = product_bounds(
            node, summed if node.op == "matmul" else 1, *((kind.low, kind.high) for kind in kinds)
        )
        a, b = kinds
        known = a.step is not None and b.step is not None
        step = a.step * b.step if a.step is not None and b.step is not None else None
        kind = Integers(low, high, step, EXACT, () if known else (*a.layers, *b.layers))
        if node.op == "product":
            return self.combined(node, first, second, kind, True)
        if node.name in self.products.values():  # it waits for the product behind it
            self.waiting[node.name] = node, first, second
            return Value(node.name, kind, fresh(node.shape))
        if node.name in self.products:
            return self.attention(node, first, second, kind)
        return self.general(node, first, second, kind=kind)

    def attention(self, node: Node, first: Value, second: Value, kind: Integers) -> Value:
        """The second of two products in a row, as one operation where it is Q (K^T V) of bytes."""
        inner, *operands = self.waiting[self.products[node.name]]
        found = matching.attention(operands, first, second, first.source == inner.name, self.graph.time_steps)
        if found is None:
            made = self.general(inner, *operands, kind=self.held[inner.name].kind)
            pair = [made if value.source == inner.name else value for value in (first, second)]
            return self.general(node, *pair, kind=kind)
        q, k, v = (self.stored(value, order) for value, order in zip(found.values, found.orders, strict=True))
        return self.emit(Attend(node.name, (q, k, v), kind, found.form, found.heads, found.lead, found.tokens))

    def integers(self, value: Value) -> Integers:
        """What a product sees of a value."""
        if isinstance(value.kind, Integers):
            return value.kind
        if isinstance(value.kind, Weighted):
            return Integers(-LARGEST_ACTIVATION, LARGEST_ACTIVATION - 1, None, EXACT, value.kind.layers)
        return Integers(-LARGEST_NUMBER, LARGEST_NUMBER - 1, 2.0**-IMAGE_FRACTION, EXACT)

    def total(self, node: Node, given: Value) -> Value:
        """Integers summed over axes; a mean has a finer unit."""
        assert isinstance(given.kind, Integers)
        axes, keep = node.attributes["axes"], node.attributes["keep"]
        parts = tuple(part for axis in axes for part in given.form.axes[axis])
        shape = tuple(self.graph.by_name[node.inputs[0]].shape[axis] for axis in axes)
        terms = 1
        for size in sizes(shape, self.graph.time_steps, 1):
            terms *= size
        kind = given.kind if node.op == "sum" else _finer(given.kind, terms)
        kind = replace(kind, low=kind.low * terms, high=kind.high * terms, stored=EXACT)
        if set(parts) - set(given.form.memory) or any(map(is_batch, parts)) or given.kind.stored == PLANES:
            return self.general(node, given, kind=kind)
        left = [() if i in axes else axis for i, axis in enumerate(given.form.axes)]
        form = Form(tuple(part for part in given.form.memory if part not in parts),
                    tuple(left if keep else [a for i, a in enumerate(left) if i not in axes]))  # fmt: skip
        return self.emit(Total(node.name, (given,), kind, form, parts))

    def max_pool(self, node: Node, given: Value) -> Value:
        """The largest of bytes; what else is pooled is finished first."""
        kind, a = given.kind, node.attributes
        square = [len(set(a[key])) == 1 for key in ("kernel", "stride", "padding", "dilation")]
        small = isinstance(kind, Integers) and kind.stored == BYTES
        if not small or not all(square) or a["dilation"][0] != 1 or a["ceil_mode"] or len(given.form.axes) != 4:
            return self.general(node, given)
        given, seen, lead = self.seen(node, given)
        rows, channels = [parts_of(axis) for axis in node.shape[2:]], given.form.axes[1]
        form = Form((*lead, *(p for axis in rows for p in axis), *channels), (given.form.axes[0], channels, *rows))
        sides = a["kernel"][0], a["stride"][0], a["padding"][0]
        return self.emit(MaxPool(node.name, (given,), given.kind, form, *sides, seen))

    def general(self, node: Node, *given: Value, kind: Kind | None = None, sums: bool = False) -> Value:
        """A node by the rules of the definition."""
        kind = self.kind(node, given) if kind is None else kind
        form = fresh(node.shape)
        if isinstance(kind, Weighted):
            sums = any(isinstance(v.kind, Weighted) for v in given)
            channels = form.axes[kind.axis]
            form = form.stored([*(part for part in form.logical if part not in channels), *channels])
        return self.emit(General(node.name, given, kind, form, node, sums or _takes_unfinished(node, given)))

    def kind(self, node: Node, given: tuple[Value, ...]) -> Kind:
        """What the definition gives for a node that has no operation of its own."""
        first = given[0].kind
        kinds = [value.kind for value in given if isinstance(value.kind, Integers)]
        if node.op in ("conv", "linear"):
            kind = self.integers(given[0]) if not isinstance(first, Weighted) else None
            layers = first.layers if kind is None else kind.layers
            return Weighted((*layers, node.layer), _axis(node), kind is not None and "bias" not in node.parameters)
        if node.op == "pad" and isinstance(first, Weighted) and first.unshifted and not node.attributes["value"]:
            return first
        if node.op in ("sum", "mean", "average_pool") and isinstance(first, Integers):
            return self.averaged(node, first)
        if node.op == "mean" and isinstance(first, Weighted) and first.axis not in node.attributes["axes"]:
            return Number(double=True)
        if len(kinds) == len(given) and stay_integers(node, [kind.step for kind in kinds]):
            low, high = moved_bounds(node, [(kind.low, kind.high) for kind in kinds])
            return replace(kinds[0], low=low, high=high, stored=BYTES if low >= 0 and high <= BYTE else EXACT)
        if node.op == "neuron":
            law = node.attributes["law"]
            return Integers(0, law.value.largest, float(law.value.step))
        doubles = any(isinstance(v.kind, Number) and v.kind.double for v in given)
        return Number(double=doubles and node.op not in ("norm", "sum", "mean", "average_pool"))

    @staticmethod
    def averaged(node: Node, kind: Integers) -> Integers:
        """Integers averaged over windows."""
        count = node.attributes["kernel"][0] * node.attributes["kernel"][1]
        finer = _finer(kind, count)
        return replace(finer, low=kind.low * count, high=kind.high * count, stored=EXACT)


def _finer(kind: Integers, count: int) -> Integers:
    """The same integers in a unit divided by a count."""
    return with_step(kind, 1.0, count)


def _axis(node: Node) -> int:
    return len(node.shape) - 1 if node.op == "linear" else 1


def _takes_unfinished(node: Node, given: tuple[Value, ...]) -> bool:
    weighted = [value.kind for value in given if isinstance(value.kind, Weighted)]
    if node.op == "mean":
        return any(kind.axis not in node.attributes["axes"] for kind in weighted)
    return bool(weighted) and node.op in ("matmul", "product", "conv", "linear")


def _geometry(node: Node, weight: Tensor) -> Geometry | None:
    """How a kernel moves where it is square, or a linear layer's; None for others."""
    if node.op == "linear":
        return Geometry()
    a = node.attributes
    if len(set(weight.shape[2:])) > 1 or (weight.ndim == 3 and weight.shape[2] > 1):
        return None
    if any(d != 1 for d in a["dilation"]) or len(set(a["stride"])) > 1 or len(set(a["padding"])) > 1:
        return None
    if len(a["stride"]) == 1 and (a["padding"][0] or a["stride"][0] != 1):
        return None
    return Geometry(a["stride"][0], a["padding"][0], a["groups"])
