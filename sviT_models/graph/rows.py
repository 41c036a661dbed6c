"""The rows of the layer table of any captured network: which nodes they are, and what their shapes say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from sviT_models.graph.graph import Axis, Graph, Node
from sviT_models.graph.neurons import IntegerLaw

IMAGE_BITS = 8
NUMBER_BITS = 16  # of sums that pass from one layer to the next without a neuron, and of streams that are added
WEIGHTED = ("conv", "linear")
PRODUCTS = ("matmul", "product")
MOVED = ("reshape", "permute", "expand", "select", "slice", "scale", "output")  # the same elements in another order
FOLDED = (*MOVED, "norm", "pad", "shift")  # what disappears into the constants of the layer before or behind


def length(axis: Axis) -> int:
    """Elements of an axis, per image and time step."""
    return math.prod(factor for factor in axis if isinstance(factor, int))


def size(node: Node) -> int:
    """Elements of a node's result, per image and time step."""
    return math.prod(map(length, node.shape))


def positions(axes: tuple[Axis, ...]) -> tuple[int, int]:
    """Height and width of the map that some axes hold: one factor is a width, of more the first is the height."""
    factors = [factor for axis in axes for factor in axis if isinstance(factor, int)]
    if len(factors) < 2:
        return 1, (factors or [1])[0]
    return factors[0], math.prod(factors[1:])


def inner(node: Node) -> tuple[Axis, ...]:
    """The axes of a node's result other than time and batch."""
    return tuple(axis for axis in node.shape if not any(isinstance(f, str) for f in axis) or length(axis) > 1)


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a graph in the order in which they run: weight layers and products of two streams."""

    graph: Graph

    @cached_property
    def nodes(self) -> dict[str, list[Node]]:
        """The nodes of every row by its name; a layer that is called twice is one row of two nodes."""
        found: dict[str, list[Node]] = {}
        for node in self.graph.of(*WEIGHTED, *PRODUCTS):
            if node.op in WEIGHTED:
                found.setdefault(node.layer, []).append(node)
            else:
                found[self._product_name(node, found)] = [node]
        return found

    def _product_name(self, node: Node, taken: dict[str, list[Node]]) -> str:
        """`PATH.kv` for the product of the neurons k_lif and v_lif, `PATH.qkv` for that of q_lif with it."""
        letters = {source.path.rpartition(".")[2][:1] for source in self.sources(node)}
        for other in self._products_before(node):
            letters |= {source.path.rpartition(".")[2][:1] for source in self.sources(other)}
        name = "".join(letter for letter in "qkv" if letter in letters)
        title = name if letters <= set("qkv") and name else node.op
        title, count = f"{node.path}.{title}".lstrip("."), 1
        while (title if count == 1 else f"{title}_{count}") in taken:
            count += 1
        return title if count == 1 else f"{title}_{count}"

    def _products_before(self, node: Node) -> Iterator[Node]:
        for name in node.inputs:
            before = self.back(name, FOLDED)
            if before.op in PRODUCTS:
                yield before
                yield from self._products_before(before)

    def back(self, name: str, through: tuple[str, ...]) -> Node:
        """The node that a value comes from, behind operations of some kinds."""
        node = self.graph.by_name[name]
        while node.op in through:
            node = self.graph.by_name[node.inputs[0]]
        return node

    def sources(self, node: Node) -> list[Node]:
        """The neuron layers whose spikes a row sees, in the order of the graph, without a layer in between."""
        found: dict[str, Node] = {}
        waiting = [self.graph.by_name[name] for name in node.inputs]
        while waiting:
            other = waiting.pop()
            if other.op == "neuron":
                found[other.name] = other
            elif other.op not in (*WEIGHTED, "matmul"):
                waiting += [self.graph.by_name[name] for name in other.inputs]
        return [each for each in self.graph.of("neuron") if each.name in found]

    def given(self, node: Node) -> Node:
        """What a row sees: the input of a layer; of a product, the operand of the neuron that fires first."""
        if node.op in WEIGHTED:
            return self.graph.by_name[node.inputs[0]]
        operands = [self.back(name, MOVED) for name in node.inputs]
        firing = [operand for operand in operands if operand.op == "neuron"] or operands
        order = {name: position for position, name in enumerate(self.graph.by_name)}
        return min(firing, key=lambda operand: order[operand.name])

    @cached_property
    def charged(self) -> dict[str, list[Node]]:
        """The neuron layers charged to every row: each to the first that sees its spikes, else to the one before it."""
        charged: dict[str, list[Node]] = {name: [] for name in self.nodes}
        done: set[str] = set()
        for name, nodes in self.nodes.items():
            for source in (source for node in nodes for source in self.sources(node)):
                if source.name not in done:
                    done.add(source.name)
                    charged[name].append(source)
        order = {name: position for position, name in enumerate(self.graph.by_name)}
        for neuron in self.graph.of("neuron"):
            before = [name for name, nodes in self.nodes.items() if order[nodes[0].name] < order[neuron.name]]
            if neuron.name not in done and before:
                charged[before[-1]].append(neuron)
        return charged

    def sees(self, node: Node) -> tuple[str, int | None, int]:
        """What a row sees (image, spike, count, levels, number), its largest integer, and its width [bit]."""
        given = self.given(node)
        if self.back(given.name, FOLDED).op == "image":
            return "image", None, IMAGE_BITS
        value = given.value
        if value.largest is None:
            return "number", None, NUMBER_BITS
        if value.kind == "spike":
            return "spike", 1, 1
        levels = [s for s in self.sources(node) if isinstance(s.attributes["law"], IntegerLaw)]
        direct = self.back(given.name, MOVED).op == "neuron"
        return "levels" if levels and direct else "count", value.largest, value.largest.bit_length()

    @cached_property
    def groups(self) -> dict[str, str]:
        """The layers that share a width: those of one linear chain that fill a module of their own."""
        names = [name for name, nodes in self.nodes.items() if nodes[0].op in WEIGHTED]
        group = {name: name for name in self.nodes}
        chains: dict[str, list[str]] = {}
        for name in names:
            before = self.back(self.nodes[name][0].inputs[0], FOLDED)
            first = before.layer if before.op in WEIGHTED else ""
            chain = next((c for c in chains.values() if first and c[-1] == first), None)
            if chain is None:
                chains[name] = [name]
            else:
                chain.append(name)
        for chain in chains.values():
            prefix = common_path(chain) if len(chain) > 1 else ""
            inside = [name for name in names if name.startswith(f"{prefix}.")] if prefix else []
            while prefix and inside == chain:
                group |= dict.fromkeys(chain, prefix)
                prefix = prefix.rpartition(".")[0]
                inside = [name for name in names if name.startswith(f"{prefix}.")] if prefix else []
        return group

    def followed_by_layer(self, node: Node) -> bool:
        """Whether the next layer takes the sums of this one without a neuron or an addition in between."""
        waiting = [node]
        while waiting:
            for consumer in self.graph.consumers[waiting.pop().name]:
                if consumer.op in WEIGHTED:
                    return True
                if consumer.op in FOLDED:
                    waiting.append(consumer)
        return False


def common_path(names: list[str]) -> str:
    """The module that holds all of some layers."""
    parts = [name.split(".") for name in names]
    shared = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return ".".join(shared)
