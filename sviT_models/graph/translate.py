"""From the operations of torch that a network runs to nodes of the graph, one by one."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from sviT_models.errors import ModelError
from sviT_models.graph.aten import TRANSLATIONS
from sviT_models.graph.builder import Builder, Constant, Filled
from sviT_models.graph.call import Call, Operand, Unreadable, only_constants, shape_of
from sviT_models.graph.program import Program
from sviT_models.graph.recognise import Neuron
from sviT_models.graph.trace import ALL_STEPS

PREFIX = "network."  # of every path, from the wrapper under which a module is traced
FILLED = {
    **dict.fromkeys(("zeros.default", "zeros_like.default", "new_zeros.default"), 0.0),
    **dict.fromkeys(("ones.default", "ones_like.default", "new_ones.default"), 1.0),
}


@dataclass
class Translator:
    """Turns a program into nodes, operation by operation."""

    program: Program
    neurons: dict[str, Neuron]
    builder: Builder = field(default_factory=Builder)
    held: dict[str, Operand] = field(default_factory=dict)  # what every value of the program stands for

    def translated(self) -> Builder:
        """All operations in order. Raises ModelError for one that is not known, naming the module it stands in."""
        for name, (target, tensor) in self.program.tensors.items():
            self.held[name] = Constant(target.removeprefix(PREFIX), tensor)
        for node in self.program.nodes:
            if node.op == "placeholder":
                if node.name not in self.held:
                    self.held[node.name] = self.builder.add("image", (), shape_of(node), "")
            elif node.op == "call_function":
                self.held[node.name] = self._call(node)
        self._output()
        return self.builder

    def _output(self) -> None:
        results = self.program.outputs
        if len(results) != 1 or not isinstance(self.held[results[0].name], str):
            raise ModelError(f"the network returns {len(results)} values; expected the logits alone")
        if len(shape_of(results[0])) != 2:
            raise ModelError("the network's output is not (batch, classes)")
        self.builder.add("output", (self.held[results[0].name],), shape_of(results[0]), "")

    def operand(self, argument: object) -> Operand:
        """What an argument of an operation stands for."""
        if isinstance(argument, fx.Node):
            return self.held[argument.name]
        if isinstance(argument, list | tuple):
            return [self.operand(part) for part in argument]
        return argument

    def _call(self, node: fx.Node) -> Operand:
        if isinstance(node.meta.get("val"), torch.SymInt | torch.SymBool | torch.SymFloat):
            return None  # a size, or a question about one; shapes are known from the values themselves
        if node.target is operator.getitem:
            return self.operand(node.args[0])[node.args[1]]
        given = [self.operand(argument) for argument in node.args]
        kind = str(node.target).removeprefix("aten.")
        if kind.startswith(("sym_size", "sym_numel", "_assert", "_guards")):
            return None
        if kind in FILLED or kind.startswith(("full.", "full_like.", "new_full.")):
            position = {"full.": 1, "full_like.": 1, "new_full.": 2}
            return Filled(FILLED[kind] if kind in FILLED else float(given[position[kind.split(".")[0] + "."]]))
        if only_constants(given):
            return self._folded(node)
        if kind.startswith("svit::") or kind.startswith("svit."):
            return self._neuron(node, kind, given)
        base, _, overload = kind.partition(".")
        in_place = base.endswith("_") and f"{base[:-1]}.{overload}" in TRANSLATIONS
        entry = TRANSLATIONS.get(f"{base[:-1]}.{overload}" if in_place else kind)
        if entry is None:
            raise ModelError(self._refusal(node, kind))
        try:
            result = entry(Call(self, node, given))
        except ModelError as error:
            raise ModelError(f"{self.path(node) or 'forward'}: {error}") from None
        if in_place:
            changed: Any = node.args[0]
            self.held[changed.name] = result
        return result

    def path(self, node: fx.Node) -> str:
        """The module an operation stands in."""
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        found = stack[-1][0] if stack else ""
        return found.split("@")[0].removeprefix("network").removeprefix(".")

    def _refusal(self, node: fx.Node, kind: str) -> str:
        path = self.path(node)
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        cls = str(stack[-1][1]).rpartition(".")[2] if stack else ""
        where = f"{path} ({cls})" if path else "forward"
        declare = f"; if {cls} is a neuron, declare its law in NEURONS = {{{cls!r}: ...}}" if path else ""
        return f"{where}: operation {kind.partition('.')[0]} is not supported{declare}"

    def _folded(self, node: fx.Node) -> Operand:
        """What an operation on constants alone gives, computed now."""

        def real(argument: fx.Node) -> Any:
            operand = self.held[argument.name]
            if isinstance(operand, Filled):
                return torch.full([int(s) for s in argument.meta["val"].shape], operand.value, dtype=torch.float64)
            return operand.tensor if isinstance(operand, Constant) else operand

        arguments = fx.node.map_arg(node.args, real)
        operation: Any = node.target
        result = operation(*arguments, **fx.node.map_arg(node.kwargs, real))
        name = f"{self.path(node)}.{node.name}".lstrip(".")
        if isinstance(result, Tensor):
            return Constant(name, result)
        return [Constant(f"{name}.{i}", part) for i, part in enumerate(result)]

    def _neuron(self, node: fx.Node, kind: str, given: list[Operand]) -> Operand:
        current, path, *step = given
        if "potential" in kind:
            return Unreadable(path)
        if isinstance(current, Constant | Filled | Unreadable):
            raise ModelError(f"{path}: the neuron sees a constant or another neuron's potential")
        attributes = {"law": self.neurons[path].law}
        if step[0] != ALL_STEPS:
            attributes["step"] = step[0]
        return self.builder.add("neuron", (current,), shape_of(node), path, attributes)
