"""One operation of the exported program with its arguments, as the translations see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import fx

from sviT_models.errors import ModelError
from sviT_models.graph.builder import Constant, Filled, axis
from sviT_models.graph.graph import Shape
from sviT_models.graph.program import SHAPE

if TYPE_CHECKING:
    from sviT_models.graph.translate import Translator

Operand = Any  # a node's name, a Constant, a Filled, a list of operands, or a plain argument


@dataclass(frozen=True)
class Unreadable:
    """The membrane potential that a neuron gives beside its spikes, which no operation may use."""

    path: str


@dataclass(frozen=True, eq=False)
class Call:
    """One operation with its arguments as operands."""

    translator: Translator
    node: fx.Node
    given: list[Operand]

    def argument(self, position: int, key: str, default: object = None) -> Any:
        """A plain argument by position or keyword."""
        if key in self.node.kwargs:
            return self.translator.operand(self.node.kwargs[key])
        return self.given[position] if position < len(self.given) else default

    def stream(self, position: int = 0) -> str:
        """An argument that has to be a value of the network."""
        operand = self.given[position]
        if isinstance(operand, Unreadable):
            raise ModelError(f"the membrane potential of {operand.path} is read; only spikes can be used")
        if not isinstance(operand, str):
            raise ModelError(
                f"{kind_of(self.node)}: argument {position} is a constant; expected a value of the network"
            )
        return operand

    def add(self, op: str, inputs: Sequence[str], shape: Shape | None = None, **more: Any) -> str:
        """A node of the graph, in the shape of this operation's result."""
        shape = shape_of(self.node) if shape is None else shape
        return self.translator.builder.add(op, inputs, shape, self.translator.path(self.node), **more)

    def shape(self, name: str) -> Shape:
        """The shape of a value."""
        return self.translator.builder.by_name[name].shape


def kind_of(node: fx.Node) -> str:
    """The name of an operation without its overload."""
    return str(node.target).removeprefix("aten.").partition(".")[0]


def shape_of(node: fx.Node) -> Shape:
    """The shape of a value of the program; the number of images may enter an axis once."""
    if SHAPE in node.meta:
        shape: Shape = node.meta[SHAPE]
        return shape
    axes = []
    for size in node.meta["val"].shape:
        if isinstance(size, int):
            axes.append(axis(size))
            continue
        factor, rest = size.node.expr.as_coeff_Mul()
        if not rest.is_Symbol or not factor.is_Integer:
            raise ModelError(f"{node.name}: an axis of {size} elements; expected a multiple of the number of images")
        axes.append(axis(int(factor), batched=True))
    return tuple(axes)


def only_constants(given: Sequence[Operand]) -> bool:
    """Whether an operation sees constants and nothing that depends on the images."""
    flat: list[Operand] = []
    for operand in given:
        flat += operand if isinstance(operand, list) else [operand]
    tensors = [o for o in flat if isinstance(o, str | Constant | Filled | Unreadable)]
    return bool(tensors) and all(isinstance(o, Constant | Filled) for o in tensors)
