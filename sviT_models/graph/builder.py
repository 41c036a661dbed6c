"""A graph under construction: nodes get names, equal operations are made once, constants are computed at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from sviT_models.graph.graph import BATCH, Axis, Node, Shape


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the images: a parameter, or what was computed from parameters alone."""

    name: str
    tensor: Tensor


@dataclass(frozen=True)
class Filled:
    """A tensor that holds the same number everywhere, such as the zeros that an accumulator starts from."""

    value: float


def axis(size: int, batched: bool = False) -> Axis:
    """An axis of so many elements, times the batch."""
    return (*((size,) if size != 1 else ()), *((BATCH,) if batched else ()))


def elements(axis_: Axis) -> tuple[int, bool]:
    """The number of elements of an axis without the batch, and whether the batch is in it; time counts as a number."""
    size = 1
    for factor in axis_:
        size *= factor if isinstance(factor, int) else 1
    return size, BATCH in axis_


def frozen(value: object) -> object:
    """A hashable form of an attribute."""
    if isinstance(value, Mapping):
        return tuple((key, frozen(part)) for key, part in value.items())
    return tuple(frozen(part) for part in value) if isinstance(value, list | tuple) else value


@dataclass
class Builder:
    """Nodes in order and the constants they use."""

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Tensor] = field(default_factory=dict)
    by_name: dict[str, Node] = field(default_factory=dict)
    known: dict[object, str] = field(default_factory=dict)

    def add(
        self,
        op: str,
        inputs: Sequence[str],
        shape: Shape,
        path: str,
        attributes: Mapping[str, object] | None = None,
        parameters: Mapping[str, Constant] | None = None,
    ) -> str:
        """The name of the node, which is that of an equal node where there is one."""
        attributes, parameters = attributes or {}, parameters or {}
        named = {role: constant.name for role, constant in parameters.items()}
        key = op, tuple(inputs), frozen(attributes), frozen(named), shape, path if op == "neuron" else ""
        if key in self.known:
            return self.known[key]
        for constant in parameters.values():
            self.constants[constant.name] = constant.tensor
        name = self._free(self._title(op, path, named))
        node = Node(name, op, tuple(inputs), attributes, named, shape, path)
        self.nodes.append(node)
        self.by_name[name] = node
        self.known[key] = name
        return name

    @staticmethod
    def _title(op: str, path: str, parameters: Mapping[str, str]) -> str:
        if op in ("conv", "linear"):
            return parameters["weight"].removesuffix(".weight")
        if op in ("neuron", "norm") and path:
            return path
        return op if not path or op in ("image", "output") else f"{path}.{op}"

    def _free(self, title: str) -> str:
        name, count = title, 1
        while name in self.by_name:
            count += 1
            name = f"{title}_{count}"
        return name
