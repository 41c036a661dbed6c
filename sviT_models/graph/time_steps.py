"""A graph at another number of time steps, where T is only a number in its shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sviT_models.errors import ModelError
from sviT_models.graph.graph import TIME, Axis, Graph, Node, factor_size, is_time
from sviT_models.graph.kinds import with_values

MOVED = ("reshape", "permute", "expand", "output")


def with_steps(graph: Graph, time_steps: int) -> Graph:
    """The graph for another T, sharing its parameters.

    graph       a captured network
    time_steps  at least 1

    A sum over the steps that is divided by T is divided by the new one.
    Raises ModelError where T cannot change: frames of an image set have their own, a network that takes single steps
    out of all of them has others in its operations, and integer neurons have levels instead.
    """
    if time_steps == graph.time_steps:
        return graph
    if time_steps < 1:
        raise ModelError(f"time_steps is {time_steps}; expected at least 1")
    if any(is_time(factor) for axis in graph.image.shape for factor in axis):
        raise ModelError(f"the network takes {graph.time_steps} frames, not {time_steps}; capture it on such frames")
    if not any(is_time(factor) for node in graph.nodes for axis in node.shape for factor in axis):
        raise ModelError("the network has no time steps; neurons of levels run once")
    for node in graph.nodes:
        _check(node, graph, time_steps)
    nodes = [replace(node, attributes=_attributes(node, graph, time_steps)) for node in graph.nodes]
    return Graph(tuple(with_values(nodes, time_steps)), graph.parameters, time_steps)


def _check(node: Node, graph: Graph, time_steps: int) -> None:
    for factor in (factor for axis in node.shape for factor in axis if isinstance(factor, str)):
        part = is_time(factor) and factor != TIME and factor_size(factor, graph.time_steps, 1)
        if part and time_steps % part:
            raise ModelError(f"{node.name}: takes {part} steps at a time; time_steps has to be a multiple of {part}")
    axis = node.attributes.get("axis")
    if node.op in ("select", "slice", "concat") and axis is not None:
        before = graph.by_name[node.inputs[0]].shape[axis]
        if any(is_time(factor) for factor in before):
            raise ModelError(f"{node.name}: takes single steps out of {graph.time_steps}; capture it for {time_steps}")


def _attributes(node: Node, graph: Graph, time_steps: int) -> Mapping[str, Any]:
    """A scale by 1 / T behind a sum over the steps follows T."""
    if node.op != "scale" or node.parameters:
        return node.attributes
    before = graph.by_name[node.inputs[0]]
    while before.op in MOVED:
        before = graph.by_name[before.inputs[0]]
    if before.op != "sum" or not _over_time(before, graph):
        return node.attributes
    if node.attributes.get("divisor") == graph.time_steps:
        return {**node.attributes, "divisor": time_steps}
    if node.attributes.get("factor") == 1 / graph.time_steps:
        return {**node.attributes, "factor": 1 / time_steps}
    return node.attributes


def _over_time(node: Node, graph: Graph) -> bool:
    axes: list[Axis] = [graph.by_name[node.inputs[0]].shape[axis] for axis in node.attributes["axes"]]
    return axes == [(TIME,)]
