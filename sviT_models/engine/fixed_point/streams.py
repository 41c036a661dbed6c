"""Which numbers of a program share a format: streams, found from what is added, joined or used without a neuron.

A layer's sums go straight into the format of the neurons or of the layer behind them. Where anything else takes them,
they are rounded once into the format of their stream, and all that are added to one another are of one stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from sviT_models.engine.program import (
    Add,
    Depthwise,
    Encode,
    Fire,
    General,
    HandOver,
    Layer,
    Operation,
    Program,
    Raise,
    Reform,
)
from sviT_models.engine.values import Integers, Value, Weighted

Key = tuple[str, tuple[str, ...]]  # an operation, and the norms behind it
SAME = ("reshape", "permute", "expand", "select", "slice", "pad", "max_pool")  # the same numbers, fewer or moved
JOINED = ("add", "concat")
FORMED = ("norm", "scale", "shift", *JOINED)  # whose results are rounded into a format of their own


@dataclass(eq=False)
class Streams:
    """The streams of a program, by name in the order in which they begin, and what has a width beside them."""

    program: Program
    _parent: dict[Key, Key] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for operation in self.program.operations:
            keys = [self.key(value) for value in operation.inputs if self._is_number(operation, value)]
            for key in keys:
                if self._has_format(key) or self.joins(operation):
                    self._parent.setdefault(key, key)
            own: Key = operation.name, ()
            if self.joins(operation) or self.formed(operation):
                self._parent.setdefault(own, own)
            if self.joins(operation):
                for key in keys:
                    self._parent[self._root(key)] = self._root(own)

    def key(self, value: Value) -> Key:
        """The numbers that a value is, wherever they have been moved to."""
        operation = self.program.by_name[value.source]
        if self.same(operation):
            return self.key(operation.inputs[0])
        return value.source, value.norms

    def same(self, operation: Operation) -> bool:
        """Whether an operation gives the numbers that it takes."""
        if isinstance(operation.kind, Integers | Weighted):
            return False
        if isinstance(operation, Reform):
            return True
        return isinstance(operation, General) and operation.node.op in SAME

    def joins(self, operation: Operation) -> bool:
        """Whether an operation brings several numbers into one stream."""
        if isinstance(operation, Add):
            return True
        if not isinstance(operation, General) or isinstance(operation.kind, Integers):
            return False
        return operation.node.op in JOINED

    def formed(self, operation: Operation) -> bool:
        """Whether the result of an operation is in the format of its stream as soon as it is there."""
        if isinstance(operation, Add):
            return True
        if not isinstance(operation, General) or isinstance(operation.kind, Integers | Weighted):
            return False
        return operation.node.op in FORMED and not scaled(operation)

    def sums(self, operation: Operation) -> bool:
        """Whether an operation gives sums that still want constants for every channel."""
        if isinstance(operation.kind, Weighted):
            return True
        return isinstance(operation, General) and self.takes_sums(operation)

    def takes_sums(self, operation: Operation) -> bool:
        """Whether an operation takes the sums of a layer without their constants."""
        if isinstance(operation, Fire | HandOver | Depthwise):
            return True
        if not isinstance(operation, General) or not isinstance(operation.inputs[0].kind, Weighted):
            return False
        if operation.node.op == "mean":  # over anything but the channels, which stay the last axis
            axis, axes = operation.inputs[0].kind.axis, operation.node.attributes["axes"]
            last = len(operation.inputs[0].form.axes) - 1
            kept = operation.node.attributes["keep"]
            behind = all(i in axes and not kept for i in range(axis + 1, last + 1))
            return operation.sums and axis not in axes and behind
        return isinstance(operation.kind, Weighted)

    def _is_number(self, operation: Operation, value: Value) -> bool:
        return not isinstance(value.kind, Integers) and not self.takes_sums(operation)

    def _has_format(self, key: Key) -> bool:
        operation = self.program.by_name[key[0]]
        return self.sums(operation) or self.formed(operation)

    def _root(self, key: Key) -> Key:
        self._parent.setdefault(key, key)
        while self._parent[key] != key:
            key = self._parent[key]
        return key

    @cached_property
    def name_of(self) -> dict[Key, str]:
        """The stream of every number that has a format."""
        return {key: name for name, keys in self.members.items() for key in keys}

    @cached_property
    def members(self) -> dict[str, list[Key]]:
        """The numbers of every stream, in order; a stream has the name of the stage that starts it."""
        groups: dict[Key, list[Key]] = {}
        for key in sorted(self._parent, key=lambda key: self.program.positions[key[0]]):
            groups.setdefault(self._root(key), []).append(key)
        taken = {self.image, *self.inputs.values()}
        found: dict[str, list[Key]] = {}
        for keys in groups.values():
            name = next(name for name in self._names(keys[0]) if name not in taken)
            taken.add(name)
            found[name] = keys
        return found

    @cached_property
    def uses(self) -> Counter[str]:
        """How often every result is taken."""
        taken = Counter(value.source for operation in self.program.operations for value in operation.inputs)
        taken[self.program.output.source] += 1
        return taken

    @cached_property
    def fused(self) -> dict[str, int]:
        """Additions that finish the sums of one input, a layer's that nothing else takes, and which input that is."""
        found = {}
        for operation in self.program.operations:
            if isinstance(operation, Add):
                sources = [self.program.by_name[value.source] for value in operation.inputs]
                alone = [isinstance(source, Layer) and self.uses[source.name] == 1 for source in sources]
                if any(alone):
                    found[operation.name] = alone.index(True)
        return found

    def written(self, name: str) -> Iterator[Key]:
        """The numbers of a stream that are stored: not those that are added as they are rounded."""
        added = {self.key(self.program.by_name[add].inputs[which]) for add, which in self.fused.items()}
        return (key for key in self.members[name] if key not in added)

    def _names(self, key: Key) -> Iterator[str]:
        """What a stream may be called, none with a dot: so it is told from the layers whose inputs have widths."""
        path = self.path(key[0])
        yield path.split(".")[0]
        for name in (path.rpartition(".")[0] or path, path, key[0]):
            yield name.replace(".", "_")
        yield from (f"{key[0]}_{count}".replace(".", "_") for count in range(2, len(self._parent) + 2))

    def path(self, name: str) -> str:
        """The layer of an operation, or what stands for it."""
        operation = self.program.by_name[name]
        while not operation.layers and isinstance(operation, General) and self.sums(operation):
            operation = self.program.by_name[operation.inputs[0].source]
        node = self.program.graph.by_name.get(operation.name)
        return operation.layers[0] if operation.layers else (node.path if node is not None else "") or name

    @cached_property
    def logits(self) -> str:
        """The stream that ends as the logits, if there is one."""
        value = self.program.output
        while scaled(operation := self.program.by_name[value.source]):
            value = operation.inputs[0]
        return self.name_of.get(self.key(value), "")

    @cached_property
    def image(self) -> str:
        """The name of the image's width: that of the layer that sees it."""
        for operation in self.program.operations:
            if isinstance(operation, Layer):
                value = operation.inputs[0]
                source = self.program.by_name[value.source]
                before = source.inputs[0].source if isinstance(source, Raise) else value.source
                if isinstance(self.program.by_name[before], Encode):
                    return operation.layer
        return "image"

    @cached_property
    def inputs(self) -> dict[str, str]:
        """By operation the layers that see sums without neurons in between, each the name of a width."""
        found: dict[str, str] = {}
        for operation in self.program.operations:
            if isinstance(operation, Depthwise) or (isinstance(operation, General) and self._chains(operation)):
                found[operation.name] = dotted(operation.layers[0])
            if isinstance(operation, HandOver):
                takers = (o for o in self.program.operations if operation.name in (v.source for v in o.inputs))
                taker = next(takers, operation)
                found[operation.name] = dotted(taker.layers[0] if taker.layers else operation.name)
        return found

    @cached_property
    def handed(self) -> frozenset[str]:
        """Those of `inputs` whose numbers are rounded, not shifted to the right."""
        return frozenset(name for name in self.inputs if isinstance(self.program.by_name[name], HandOver))

    def _chains(self, operation: General) -> bool:
        return self.takes_sums(operation) and bool(operation.layers)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Everything that has an activation width, in the order of the program, the image first."""
        starts = {name: self.program.positions[keys[0][0]] for name, keys in self.members.items()}
        places = [(self.program.positions[operation], name) for operation, name in self.inputs.items()]
        places += [(position, name) for name, position in starts.items()]
        return tuple(dict.fromkeys([self.image, *(name for _, name in sorted(places, key=lambda pair: pair[0]))]))


def scaled(operation: Operation) -> bool:
    """Whether an operation changes the unit of numbers and nothing else."""
    return isinstance(operation, General) and operation.node.op == "scale" and not operation.node.parameters


def dotted(layer: str) -> str:
    """The name of the width of a layer's input, which no stream can have."""
    return layer if "." in layer else f"{layer}.input"
