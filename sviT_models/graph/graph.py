"""The graph: operations in order, each with its name, inputs, attributes, parameters, shape, value and module path."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import Tensor

from sviT_models.errors import ModelError
from sviT_models.graph.values import NUMBER, Value

if TYPE_CHECKING:
    from sviT_models.graph.network import GraphNetwork

TIME, BATCH = "T", "B"
Factor = int | str
Axis = tuple[Factor, ...]  # an axis is the product of its factors, outermost first: ("T", "B") holds T * B elements
Shape = tuple[Axis, ...]

OPERATIONS = frozenset(
    {
        *("image", "conv", "linear", "norm", "neuron", "add", "scale", "shift", "product", "matmul", "max_pool"),
        *("average_pool", "sum", "mean", "pad", "reshape", "permute", "expand", "select", "slice", "concat", "output"),
    }
)


def part_of_time(size: int) -> Factor:
    """The factor of an axis that holds every so many steps, where a network takes its time steps apart."""
    return f"{TIME}.{size}"


def is_time(factor: Factor) -> bool:
    """Whether a factor is time, or a part of it."""
    return isinstance(factor, str) and factor[0] == TIME


def factor_size(factor: Factor, time_steps: int, batch: int) -> int:
    """The elements along a factor of an axis."""
    if isinstance(factor, int):
        return factor
    return batch if factor == BATCH else time_steps if factor == TIME else int(factor.removeprefix(f"{TIME}."))


def sizes(shape: Shape, time_steps: int, batch: int) -> tuple[int, ...]:
    """The lengths of the axes for a number of time steps and images."""
    return tuple(math.prod(factor_size(factor, time_steps, batch) for factor in axis) for axis in shape)


@dataclass(frozen=True)
class Node:
    """One operation.

    `inputs` are names of earlier nodes, `parameters` maps a role (`weight`, `bias`, `mean`, ...) to the name of a
    tensor, `attributes` hold plain numbers, texts and lists. `path` is the module it came from. `shape` keeps time and
    batch apart from everything else, and `value` says what its elements can be.
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    shape: Shape = ()
    path: str = ""
    value: Value = NUMBER

    @property
    def layer(self) -> str:
        """The module path of its weight, empty for an operation without one."""
        return self.parameters["weight"].removesuffix(".weight") if self.op in ("conv", "linear") else ""


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: nodes in an order in which they can run, and their parameters by name.

    `time_steps` is T; `parameters` are in the precision in which the module held them.
    Raises ModelError for a node of an unknown operation, or one whose inputs or parameters do not come before it.
    """

    nodes: tuple[Node, ...]
    parameters: Mapping[str, Tensor]
    time_steps: int

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for node in self.nodes:
            if node.op not in OPERATIONS:
                raise ModelError(f"{node.name}: no operation {node.op!r}")
            for name in node.inputs:
                if name not in seen:
                    raise ModelError(f"{node.name}: input {name!r} does not come before it")
            for name in node.parameters.values():
                if name not in self.parameters:
                    raise ModelError(f"{node.name}: there is no parameter {name!r}")
            if node.name in seen:
                raise ModelError(f"{node.name}: the name stands twice")
            seen.add(node.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Graph:
        """The graph itself: it never changes."""
        return self

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that take a node's result, by its name."""
        found: dict[str, list[Node]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found[name].append(node)
        return found

    def of(self, *operations: str) -> Iterator[Node]:
        """The nodes of some operations, in order."""
        return (node for node in self.nodes if node.op in operations)

    @cached_property
    def network(self) -> GraphNetwork:
        """The graph as a torch module."""
        from sviT_models.graph.network import GraphNetwork  # which knows the graph

        return GraphNetwork(self)

    @property
    def image(self) -> Node:
        """The node that stands for the images."""
        return self.nodes[0]
