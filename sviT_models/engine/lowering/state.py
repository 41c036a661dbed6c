"""What a lowering holds on its way over a graph, and the operations by the rules of the definition."""

from __future__ import annotations

from dataclasses import replace

from sviT_models.engine.arithmetic import IMAGE_FRACTION
from sviT_models.engine.forms import Group, fresh, is_steps
from sviT_models.engine.lowering import matching
from sviT_models.engine.program import General, Operation, Reform
from sviT_models.engine.static_rules import LARGEST_ACTIVATION, LARGEST_NUMBER, moved_bounds, stay_integers, window_of
from sviT_models.engine.values import BYTES, EXACT, Integers, Kind, Number, Value, Weighted, with_step
from sviT_models.graph.graph import Graph, Node

BYTE = 255


class Lowering:
    """The values of the nodes so far, and the operations that compute them."""

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

    def operation(self, name: str) -> Operation:
        """The operation of a name."""
        return next(operation for operation in reversed(self.operations) if operation.name == name)

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

    def settled(self, given: Value) -> Value:
        """A value whose padding has been carried out."""
        if not given.pad:
            return given
        key = given.source, ("padded", given.pad)
        if key not in self.made:
            before = self.operation(given.source).value
            self.made[key] = self.general(self.graph.by_name[given.pad], before)
        return replace(self.made[key], kind=given.kind, norms=given.norms)

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
            unfinished = isinstance(first, Weighted)
            layers = first.layers if isinstance(first, Weighted) else self.integers(given[0]).layers
            return Weighted((*layers, node.layer), axis_of(node), not unfinished and "bias" not in node.parameters)
        if node.op == "pad" and isinstance(first, Weighted) and first.unshifted and not node.attributes["value"]:
            return first
        if node.op == "average_pool":
            return averaged(node, first)
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

    def integers(self, value: Value) -> Integers:
        """What a product sees of a value."""
        if isinstance(value.kind, Integers):
            return value.kind
        if isinstance(value.kind, Weighted):
            return Integers(-LARGEST_ACTIVATION, LARGEST_ACTIVATION - 1, None, EXACT, value.kind.layers)
        return Integers(-LARGEST_NUMBER, LARGEST_NUMBER - 1, 2.0**-IMAGE_FRACTION, EXACT)


def averaged(node: Node, kind: Kind) -> Kind:
    """What the windows of an average pool hold: integers stay integers of a finer unit."""
    count = window_of(node)
    if not isinstance(kind, Integers):
        return Number()
    return replace(with_step(kind, 1.0, count), low=kind.low * count, high=kind.high * count, stored=EXACT)


def axis_of(node: Node) -> int:
    """The axis of a layer's result that holds its channels."""
    return len(node.shape) - 1 if node.op == "linear" else 1


def _takes_unfinished(node: Node, given: tuple[Value, ...]) -> bool:
    weighted = [value.kind for value in given if isinstance(value.kind, Weighted)]
    if node.op == "mean":
        return any(kind.axis not in node.attributes["axes"] for kind in weighted)
    return bool(weighted) and node.op in ("matmul", "product", "conv", "linear")
