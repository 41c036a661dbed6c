"""A network as a short list of typed operations on arrays with channels last: what the engine walks over.

`lowering` makes it from a graph, once. An operation names what it takes by `Value`s: which earlier operation computed
it, in which form it lies in memory, and what it is. Sums of layers keep the batch norms behind them as names, so that
gain and shift are applied where the sums are finished: in the pass of the neurons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from sviT_models.engine.convolution import Geometry
from sviT_models.engine.forms import Form, Group
from sviT_models.engine.values import Kind, Value
from sviT_models.graph.graph import Graph, Node
from sviT_models.graph.neurons import Law


@dataclass(frozen=True)
class Operation:
    """One step of a program; its result is named after the node of the graph that it computes."""

    name: str
    inputs: tuple[Value, ...]
    kind: Kind
    form: Form

    @property
    def value(self) -> Value:
        """Its result."""
        return Value(self.name, self.kind, self.form)

    @property
    def layers(self) -> tuple[str, ...]:
        """The weight layers whose weights it uses."""
        return ()


@dataclass(frozen=True)
class Encode(Operation):
    """The images in units of 2^-24."""


@dataclass(frozen=True)
class Map:
    """How an array is seen by a layer: steps first or not, and the channels of each of height x width positions."""

    steps: bool
    height: int
    width: int
    channels: int


@dataclass(frozen=True)
class Layer(Operation):
    """The sums of a convolution or a linear layer over integers."""

    layer: str
    geometry: Geometry
    map: Map

    @property
    def layers(self) -> tuple[str, ...]:
        """See Operation."""
        return (self.layer,)


@dataclass(frozen=True)
class Depthwise(Operation):
    """A depthwise 3x3 layer over the sums of another, zero-padded."""

    layer: str
    map: Map

    @property
    def layers(self) -> tuple[str, ...]:
        """See Operation."""
        return (self.layer,)


@dataclass(frozen=True)
class HandOver(Operation):
    """Sums as the 24-bit integers that the next layer sees."""


@dataclass(frozen=True)
class Raise(Operation):
    """Integers as bytes that are raised by half of their range; numbers become integers first."""


@dataclass(frozen=True)
class Add(Operation):
    """The first input, unfinished, added to the second, finished."""


@dataclass(frozen=True)
class Combine(Operation):
    """Integers added or multiplied element by element."""

    product: bool


@dataclass(frozen=True)
class Total(Operation):
    """Integers summed over some of their parts."""

    parts: Group


@dataclass(frozen=True)
class Fire(Operation):
    """A layer of neurons. `keep` says that its input is needed again: as a `number`, or as `sums`."""

    path: str
    law: Law
    keep: str = ""


@dataclass(frozen=True)
class Attend(Operation):
    """Q (K^T V) of integers q, k and v (lead, tokens, heads, channels), head by head."""

    heads: int
    lead: Group
    tokens: tuple[Group, Group]  # of q, and of k and v


@dataclass(frozen=True)
class MaxPool(Operation):
    """The largest integer of every window."""

    kernel: int
    stride: int
    padding: int
    map: Map


@dataclass(frozen=True)
class Reform(Operation):
    """The same values in another order of memory."""


@dataclass(frozen=True)
class General(Operation):
    """Any other node, by the rules of the definition; `sums` says that it takes a layer's sums unfinished."""

    node: Node
    sums: bool = False

    @property
    def layers(self) -> tuple[str, ...]:
        """See Operation."""
        return (self.node.layer,) if self.node.layer else ()


@dataclass(frozen=True, eq=False)
class Program:
    """The operations of a graph in the order in which they run, the last of them the logits."""

    graph: Graph
    operations: tuple[Operation, ...]
    output: Value
    by_name: dict[str, Operation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_name.update((operation.name, operation) for operation in self.operations)

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Weight layers by module path, in the order in which they run."""
        return layers_of(self.graph)

    @cached_property
    def neurons(self) -> tuple[str, ...]:
        """Neuron layers by module path, in the order in which they fire."""
        return tuple(dict.fromkeys(node.path for node in self.graph.of("neuron")))

    @cached_property
    def positions(self) -> dict[str, int]:
        """The position of every operation, by its name."""
        return {operation.name: position for position, operation in enumerate(self.operations)}

    @cached_property
    def last_use(self) -> dict[str, int]:
        """The position of the operation that takes a result for the last time, by its name."""
        found: dict[str, int] = {}
        for position, operation in enumerate(self.operations):
            found |= {given.source: position for given in operation.inputs}
        return found | {self.output.source: len(self.operations)}

    @cached_property
    def released(self) -> tuple[tuple[str, ...], ...]:
        """For every operation the results that nobody takes after it."""
        return tuple(
            tuple({given.source for given in operation.inputs if self.last_use[given.source] == position})
            for position, operation in enumerate(self.operations)
        )

    def of(self, kind: type[Operation]) -> Iterator[Operation]:
        """The operations of a kind."""
        return (operation for operation in self.operations if isinstance(operation, kind))

    @cached_property
    def widest(self) -> int:
        """Neurons of the largest layer of them, per image and step."""
        sizes = [_elements(operation.form.memory) for operation in self.of(Fire)]
        return max(sizes, default=1)


def layers_of(graph: Graph) -> tuple[str, ...]:
    """Module paths of the weight layers of a graph, each once, in the order in which they first run.

    graph  a captured network
    """
    return tuple(dict.fromkeys(node.layer for node in graph.of("conv", "linear")))


def _elements(memory: Group) -> int:
    count = 1
    for part in memory:
        count *= part.size if isinstance(part.size, int) else 1
    return count
