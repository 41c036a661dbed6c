"""The value of every node by interval arithmetic: what can come out of it, from what can go in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from sviT_models.graph.graph import Node, factor_size
from sviT_models.graph.neurons import Law
from sviT_models.graph.values import NUMBER, Value, added, averaged, multiplied, scaled, summed, union

CARRIED = ("reshape", "permute", "expand", "select", "slice", "max_pool", "output")


def with_values(nodes: Sequence[Node], time_steps: int) -> list[Node]:
    """The nodes, each with what its elements can be."""
    done: dict[str, Node] = {}
    for node in nodes:
        given = [done[name] for name in node.inputs]
        done[node.name] = replace(node, value=_value(node, given, time_steps))
    return list(done.values())


def _value(node: Node, given: list[Node], time_steps: int) -> Value:
    values = [each.value for each in given]
    attributes = node.attributes
    if node.op in CARRIED:
        return values[0]
    match node.op:
        case "neuron":
            law: Law = attributes["law"]
            return law.value
        case "add":
            return added(values[0], values[1], attributes["factor"])
        case "product":
            return multiplied(*values)
        case "matmul":
            return summed(multiplied(*values), _count(given[0], [-1], time_steps))
        case "scale" if "divisor" in attributes:
            return scaled(values[0], 1 / Fraction(attributes["divisor"]))
        case "scale" if "factor" in attributes:
            return scaled(values[0], attributes["factor"])
        case "shift" if "offset" in attributes:
            offset = Fraction(attributes["offset"])
            return added(values[0], Value(offset, offset, offset or Fraction(1)))
        case "pad":
            edge = Fraction(attributes["value"])
            return union([values[0], Value(edge, edge, edge or values[0].step)])
        case "concat":
            return union(values)
        case "sum" | "mean" | "average_pool":
            counted = _window(node, given[0], time_steps)
            return summed(values[0], counted) if node.op == "sum" else averaged(values[0], counted)
    return NUMBER


def _window(node: Node, given: Node, time_steps: int) -> int:
    if node.op == "average_pool":
        return math.prod(node.attributes["kernel"])
    return _count(given, node.attributes["axes"], time_steps)


def _count(node: Node, axes: Sequence[int], time_steps: int) -> int:
    factors = [factor for axis in axes for factor in node.shape[axis]]
    return math.prod(factor_size(factor, time_steps, 1) for factor in factors)
