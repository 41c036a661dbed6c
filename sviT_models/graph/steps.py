"""Networks that call their neurons once per time step: T copies of every operation become one over (T, ...).

The copies of one operation are those that lead to the first, second, ... call of the same neuron. What does not depend
on the step is computed once. A sum, a stack or the last of all steps becomes an operation over the axis of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sviT_models.errors import ModelError
from sviT_models.graph.builder import Builder, Constant, axis, elements
from sviT_models.graph.graph import Axis, Node, Shape

Copies = tuple[str, ...]  # names of the nodes that are one operation at steps 0, 1, ...
FOLDED = ("conv", "norm", "max_pool", "average_pool")  # operations that take (N, channels, ...) and nothing in front
PARTED = "combines single time steps; expected a sum, a mean or a stack over all steps, or one step"


def _merged(steps: int, first: Axis) -> Axis:
    size, batched = elements(first)
    return axis(size * steps, batched)


@dataclass
class _Folder:
    old: Builder
    steps: int
    new: Builder = field(default_factory=Builder)
    plain: dict[str, str] = field(default_factory=dict)  # of the old nodes, those without time or across all of it
    stacked: dict[Copies, str] = field(default_factory=dict)
    seen_at: dict[str, frozenset[int]] = field(default_factory=dict)  # the steps that a node's result depends on

    def folded(self) -> Builder:
        """The graph over (T, ...)."""
        for node in self.old.nodes:
            steps = frozenset().union(*(self.seen_at[name] for name in node.inputs))
            self.seen_at[node.name] = frozenset({node.attributes["step"]}) if "step" in node.attributes else steps
        output = self.old.nodes[-1]
        self.resolved(self.old.nodes[0].name)
        self.resolved(output.name)
        return self.new

    def emit(self, node: Node, inputs: Sequence[str], shape: Shape | None = None, **changed: object) -> str:
        """A node of the new graph with the operation of an old one."""
        attributes = {**node.attributes, **changed}
        attributes.pop("step", None)
        parameters = {role: Constant(name, self.old.constants[name]) for role, name in node.parameters.items()}
        shape = node.shape if shape is None else shape
        return self.new.add(node.op, inputs, shape, node.path, attributes, parameters)

    def resolved(self, name: str) -> str:
        """A node that is static or sees all steps, or a single step of one that is stacked."""
        if name in self.plain:
            return self.plain[name]
        node = self.old.by_name[name]
        at = self.seen_at[name]
        if not at:
            made = self.emit(node, [self.resolved(i) for i in node.inputs])
        elif len(at) == 1:
            (step,) = at
            stacked = self.stack(self.alike(name, step))
            made = self.new.add("select", [stacked], node.shape, node.path, {"axis": 0, "index": step})
        else:
            made = self.across(node)
        self.plain[name] = made
        return made

    def across(self, node: Node) -> str:
        """An operation that sees several steps."""
        if node.op == "add" and (leaves := self.leaves(node)) is not None:
            stacked = self.stack(leaves)
            return self.new.add("sum", [stacked], node.shape, node.path, {"axes": [0], "keep": False})
        if node.op == "concat" and self.in_order(node.inputs):
            return self.joined(node)
        if all(len(self.seen_at[name]) != 1 for name in node.inputs):
            return self.emit(node, [self.resolved(name) for name in node.inputs])
        raise ModelError(f"{node.path or 'forward'}: {node.op} {PARTED}")

    def in_order(self, names: Sequence[str]) -> bool:
        """Whether these are one value at steps 0, 1, ..., T - 1."""
        return [self.seen_at[name] for name in names] == [frozenset({t}) for t in range(self.steps)]

    def leaves(self, node: Node) -> Copies | None:
        """The summands of a sum over all steps, in their order; None for another sum."""
        found: list[str] = []
        waiting = list(node.inputs)
        if node.attributes["factor"] != 1:
            return None
        while waiting:
            name = waiting.pop()
            part = self.old.by_name[name]
            if len(self.seen_at[name]) == 1:
                found.append(name)
            elif part.op == "add" and part.attributes["factor"] == 1:
                waiting += part.inputs
            else:
                return None
        found.sort(key=lambda name: min(self.seen_at[name]))
        return tuple(found) if self.in_order(found) else None

    def joined(self, node: Node) -> str:
        """Values of all steps put one after another along an axis: time becomes the outer part of that axis."""
        position = node.attributes["axis"]
        stacked = self.stack(node.inputs)
        shape = self.new.by_name[stacked].shape
        order = [*range(1, position + 1), 0, *range(position + 1, len(shape))]
        moved = self.new.add("permute", [stacked], tuple(shape[i] for i in order), node.path, {"axes": order})
        moved = stacked if order == sorted(order) else moved
        return self.new.add("reshape", [moved], node.shape, node.path)

    def alike(self, name: str, step: int) -> Copies:
        """The node's copies at all steps, found from the calls of the neurons before it."""
        return tuple(self.shifted(name, step, t) for t in range(self.steps))

    def shifted(self, name: str, step: int, other: int) -> str:
        """The copy at step `other` of a node at `step`."""
        node = self.old.by_name[name]
        if step == other or not self.seen_at[name]:
            return name
        if "step" in node.attributes:
            return next(n.name for n in self.calls(node.path) if n.attributes["step"] == other)
        wanted = [self.shifted(i, step, other) for i in node.inputs]
        for candidate in self.old.nodes:
            same = candidate.op == node.op and candidate.parameters == node.parameters
            if same and list(candidate.inputs) == wanted and candidate.attributes == node.attributes:
                return candidate.name
        raise ModelError(f"{node.path or 'forward'}: {node.op} exists at step {step} and not at step {other}")

    def calls(self, path: str) -> list[Node]:
        """The calls of a neuron layer."""
        return [n for n in self.old.nodes if n.path == path and "step" in n.attributes]

    def stack(self, copies: Copies) -> str:
        """The copies of one operation as one over (T, ...)."""
        if copies not in self.stacked:
            self.stacked[copies] = self.stacking(tuple(copies))
        return self.stacked[copies]

    def stacking(self, copies: Copies) -> str:
        """See `stack`."""
        nodes = [self.old.by_name[name] for name in copies]
        first = nodes[0]
        if len(set(copies)) == 1 and not self.seen_at[first.name]:
            return self.repeated(first.name)
        if len({(n.op, n.path, tuple(n.parameters.items())) for n in nodes}) > 1:
            raise ModelError(f"{first.path or 'forward'}: the time steps differ from one another")
        if first.op == "select" and (frames := self.frames(nodes)) is not None:
            return frames
        shape = (axis(self.steps), *first.shape)
        if first.op == "neuron":
            if [n.attributes.get("step", t) for t, n in enumerate(nodes)] != list(range(self.steps)):
                raise ModelError(f"{first.path}: it is called in another order than the steps'")
            return self.emit(first, [self.stack(tuple(n.inputs[0] for n in nodes))], shape)
        if any(n.attributes != first.attributes for n in nodes):
            raise ModelError(f"{first.path or 'forward'}: the time steps differ from one another")
        given = [self.stack(tuple(names)) for names in zip(*(n.inputs for n in nodes), strict=True)]
        if first.op in FOLDED:
            return self.through_the_batch(first, given[0])
        return self.emit(first, given, shape, **self.moved_axes(first))

    def repeated(self, name: str) -> str:
        """What is the same at every step."""
        made = self.resolved(name)
        shape = self.new.by_name[made].shape
        alone = self.new.add("reshape", [made], ((), *shape), "")
        return self.new.add("expand", [alone], (axis(self.steps), *shape), "")

    def frames(self, nodes: Sequence[Node]) -> str | None:
        """Frames 0, 1, ... of an input that changes over time, as one value."""
        sources = {(n.inputs, n.attributes["axis"]) for n in nodes}
        if len(sources) > 1 or [n.attributes["index"] for n in nodes] != list(range(self.steps)):
            return None
        source, position = self.resolved(nodes[0].inputs[0]), nodes[0].attributes["axis"]
        shape = self.new.by_name[source].shape
        if elements(shape[position]) != (self.steps, False):
            raise ModelError(
                f"the input has {elements(shape[position])[0]} frames; the network runs {self.steps} steps"
            )
        order = [position, *(i for i in range(len(shape)) if i != position)]
        return self.new.add("permute", [source], tuple(shape[i] for i in order), "", {"axes": order})

    def through_the_batch(self, node: Node, given: str) -> str:
        """An operation on (N, channels, ...) with time folded into N."""
        inside = self.new.by_name[given].shape
        flat = (_merged(self.steps, inside[1]), *inside[2:])
        merged = self.new.add("reshape", [given], flat, node.path)
        done = self.emit(node, [merged], (_merged(self.steps, node.shape[0]), *node.shape[1:]))
        return self.new.add("reshape", [done], (axis(self.steps), *node.shape), node.path)

    @staticmethod
    def moved_axes(node: Node) -> dict[str, object]:
        """Axes in attributes, moved by the one of time in front."""
        changed: dict[str, object] = {}
        if "axis" in node.attributes:
            changed["axis"] = node.attributes["axis"] + 1
        if "axes" in node.attributes:
            moved = [a + 1 for a in node.attributes["axes"]]
            changed["axes"] = [0, *moved] if node.op == "permute" else moved
        return changed


def with_steps_folded(builder: Builder) -> Builder:
    """The graph with one operation where the module ran one per time step; unchanged where it runs all at once.

    Raises ModelError where the steps are not copies of one another.
    """
    calls: dict[str, int] = {}
    for node in builder.nodes:
        if "step" in node.attributes:
            calls[node.path] = max(calls.get(node.path, 0), node.attributes["step"] + 1)
    if not calls:
        return builder
    counts = sorted(set(calls.values()))
    if len(counts) > 1:
        few, many = (next(p for p, c in calls.items() if c == count) for count in (counts[0], counts[-1]))
        raise ModelError(f"{many} runs for {counts[-1]} time steps and {few} for {counts[0]}; expected one number")
    return _Folder(builder, counts[0]).folded()
