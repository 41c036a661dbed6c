"""A graph with every linear chain as one dense layer and every batch norm in the layer before it.

Behind a neuron a chip may add; between two layers without a neuron it has to multiply. Fusing such a chain (RepConv's
1x1, depthwise 3x3, 1x1) leaves fewer layers, all behind neurons, for more multiply-accumulates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph, Node
from sviT_models.graph.network import GraphNetwork
from sviT_models.graph.rows import common_path
from sviT_models.network.config import runs_as_built

LAYERS = ("conv", "linear")
SHAPED = ("norm", "pad")


@dataclass(frozen=True, eq=False)
class Dense:
    """A layer in float64: weight (O, I / groups, ...), bias (O,); `groups` is 1, or the channels of a depthwise one."""

    weight: Tensor
    bias: Tensor
    groups: int
    stride: tuple[int, ...]
    padding: tuple[int, ...]


Network = TypeVar("Network", Graph, nn.Module)


def fuse(network: Network) -> Network:
    """A network with the same logits: linear chains become dense layers, batch norms constants; its parameters are new.

    network  a captured network, or one that runs as it is built

    A chain that fills a module of its own takes its path (`block3.0.attn.q_conv.0`), any other keeps that of its last
    layer. Chains stay as they are where one is not a layer of the same kind: a border of zeros between two layers that
    is not what the first makes of zeros, groups between one and all, another dilation than 1, a stride inside of it.
    Weights are combined in float64 and rounded once; in float32 a neuron near its threshold may fire differently.
    Raises ModelError for a graph without batch norms and chains: it has been fused before.
    """
    if isinstance(network, Graph):
        return _fused(network)
    if runs_as_built(network):
        own: Any = network
        return cast(Network, own.fused())
    if not isinstance(network, GraphNetwork):
        raise ModelError(f"{type(network).__name__} cannot be fused as it is; capture it and fuse the graph")
    fused = _fused(network.graph).network
    fused.config = replace(fused.config, name=network.config.name)
    return fused


def _fused(graph: Graph) -> Graph:
    fused = _folded(_chained(graph))
    if fused.nodes == graph.nodes:
        raise ModelError("the network has been fused already; fuse the network as built")
    single = all(tensor.dtype == torch.float32 for tensor in graph.parameters.values())
    rounded = {name: tensor.float() if single else tensor for name, tensor in fused.parameters.items()}
    return replace(fused, parameters=rounded)


def _chained(graph: Graph) -> Graph:
    """The graph with one layer for every chain that has one."""
    parameters, nodes = dict(graph.parameters), list(graph.nodes)
    done: set[str] = set()
    for start in list(graph.of(*LAYERS)):
        if start.name in done:
            continue
        for chain in _chains_from(graph, start):
            dense = _composed(graph, chain)
            layers = [node for node in chain if node.op in LAYERS]
            if dense is None or any(_called_twice(graph, layer) for layer in layers):
                continue
            done.update(layer.name for layer in layers)
            node = _as_node(chain, dense, _path(graph, layers), parameters)
            nodes = [each for each in nodes if each not in chain[:-1]]
            nodes[nodes.index(chain[-1])] = node
            break
    return _graph(graph, nodes, parameters)


def _path(graph: Graph, layers: list[Node]) -> str:
    """The largest module that holds nothing but these layers, their norms and borders; else the last layer's path."""
    prefix = common_path([layer.layer for layer in layers])
    if not prefix or {node.name for node in _within(graph, prefix) if node.op in LAYERS} != {n.name for n in layers}:
        return layers[-1].layer
    while parent := prefix.rpartition(".")[0]:
        if _within(graph, parent) != _within(graph, prefix):
            break
        prefix = parent
    return prefix


def _within(graph: Graph, prefix: str) -> list[Node]:
    return [node for node in graph.nodes if f"{node.path}.".startswith(f"{prefix}.")]


def _called_twice(graph: Graph, layer: Node) -> bool:
    return sum(node.layer == layer.layer for node in graph.of(*LAYERS)) > 1


def _chains_from(graph: Graph, start: Node) -> Iterator[list[Node]]:
    """The linear chains of layers, norms and borders that begin at a layer and end with one, the longest first."""
    chain = [start]
    while len(consumers := graph.consumers[chain[-1].name]) == 1 and consumers[0].op in (*LAYERS, *SHAPED):
        chain.append(consumers[0])
    ends = [i for i, node in enumerate(chain) if node.op in LAYERS and i]
    return (chain[: i + 1] for i in reversed(ends))


def _composed(graph: Graph, chain: list[Node]) -> Dense | None:
    """One layer that does what a chain does; None where no layer does."""
    dense, border = _dense(graph, chain[0]), 0
    for node in chain[1:]:
        if dense is None:
            return None
        if node.op == "pad":
            sides = set(node.attributes["sides"])
            zeros = not dense.bias.any() and not node.attributes["value"] and len(sides) == 1
            if border or not zeros or dense.weight[0, 0].numel() > 1 or any(dense.padding):
                return None  # its border is not what the layer makes of zeros
            border = sides.pop()
        elif node.op == "norm":
            dense = _scaled(dense, *_affine(graph, node))
        else:
            behind = _dense(graph, node)
            dense, border = None if behind is None else _joined(dense, border, behind), 0
    return dense


def _dense(graph: Graph, node: Node) -> Dense | None:
    """A layer that can be part of a chain; None for another kind."""
    layer, dilation = _layer(graph, node), node.attributes.get("dilation", ())
    depthwise = layer.groups == len(layer.weight) and layer.weight.shape[1] == 1
    return None if (layer.groups > 1 and not depthwise) or any(step != 1 for step in dilation) else layer


def _layer(graph: Graph, node: Node) -> Dense:
    """A layer of the graph in float64."""
    weight = graph.parameters[node.parameters["weight"]].double()
    name = node.parameters.get("bias")
    bias = torch.zeros(len(weight), dtype=torch.float64) if name is None else graph.parameters[name].double()
    if node.op == "linear":
        return Dense(weight, bias, 1, (), ())
    a = node.attributes
    return Dense(weight, bias, a["groups"], tuple(a["stride"]), tuple(a["padding"]))


def _joined(first: Dense, border: int, second: Dense) -> Dense | None:
    """Both layers as one, with a border around the first one's result."""
    point = first.weight[0, 0].numel() == 1 and not any(first.padding)  # whatever lies around it is made of zeros
    outer = tuple(padding + border for padding in second.padding)
    if any(step != 1 for step in first.stride) or first.weight.ndim != second.weight.ndim:
        return None
    if any(second.padding) and first.bias.any():
        return None  # zeros around the second are not what the first makes of zeros
    if any(outer) and not point:
        return None
    wide = second.weight[0, 0].numel() > 1
    if wide and first.weight[0, 0].numel() > 1:
        return None  # two kernels with an extent each: the result would be larger than either
    left = _ungrouped(first) if second.groups == 1 else first.weight
    a, b = (
        weight.reshape(*weight.shape[:2], -1) for weight in (left, second.weight)
    )  # (M, I, k) then (O, M, l), or (M, 1, l); k or l is 1
    kernel = a * b if second.groups > 1 else torch.einsum("omk,mil->oikl", b, a).flatten(2)
    weight = kernel.reshape(*kernel.shape[:2], *(second if wide else first).weight.shape[2:])
    padding = tuple(a + b for a, b in zip(first.padding, outer, strict=True))
    groups = first.groups if second.groups > 1 else 1
    return Dense(weight, _constant(first.bias, second), groups, second.stride, padding)


def _ungrouped(layer: Dense) -> Tensor:
    """A depthwise kernel (C, 1, ...) as a dense one (C, C, ...)."""
    weight, channels = layer.weight, layer.groups
    if channels == 1:
        return weight
    return torch.eye(channels, dtype=weight.dtype).view(channels, channels, *[1] * (weight.ndim - 2)) * weight


def _constant(shift: Tensor, second: Dense) -> Tensor:
    """What a constant in front of the second layer adds behind it: its border holds the constant too."""
    sums = second.weight.reshape(*second.weight.shape[:2], -1).sum(2)  # (O, M) or (M, 1)
    return second.bias + (sums[:, 0] * shift if second.groups > 1 else sums @ shift)


def _affine(graph: Graph, node: Node) -> tuple[Tensor, Tensor]:
    """What a batch norm does: x * scale + shift, by channel."""
    own = {role: graph.parameters[name].double() for role, name in node.parameters.items()}
    scale = own.get("weight", torch.ones_like(own["mean"])) / torch.sqrt(own["variance"] + node.attributes["eps"])
    return scale, own.get("bias", torch.zeros_like(scale)) - own["mean"] * scale


def _scaled(dense: Dense, scale: Tensor, shift: Tensor) -> Dense:
    wide = scale.view(-1, *[1] * (dense.weight.ndim - 1))
    return replace(dense, weight=dense.weight * wide, bias=dense.bias * scale + shift)


def _as_node(chain: list[Node], dense: Dense, path: str, parameters: dict[str, Tensor]) -> Node:
    """The node of a fused chain, in the place of its last layer; its parameters join the others."""
    last = chain[-1]
    names = {"weight": f"{path}.weight"} | ({"bias": f"{path}.bias"} if dense.bias.any() else {})
    parameters |= {name: dense.weight if role == "weight" else dense.bias for role, name in names.items()}
    attributes = dict(last.attributes)
    if last.op == "conv":
        attributes |= {"stride": list(dense.stride), "padding": list(dense.padding), "groups": dense.groups}
    return replace(last, inputs=chain[0].inputs, attributes=attributes, parameters=names, path=path)


def _folded(graph: Graph) -> Graph:
    """The graph without the batch norms that stand right behind a layer."""
    parameters, nodes = dict(graph.parameters), list(graph.nodes)
    renamed: dict[str, str] = {}
    for node in graph.of(*LAYERS):
        norms: list[Node] = []
        last = node
        while len(consumers := graph.consumers[last.name]) == 1 and consumers[0].op == "norm":
            last = consumers[0]
            norms.append(last)
        if not norms or _called_twice(graph, node):
            continue
        dense = _layer(graph, node)
        for norm in norms:
            dense = _scaled(dense, *_affine(graph, norm))
        nodes[nodes.index(node)] = _as_node([node], dense, node.layer, parameters)
        nodes = [each for each in nodes if each not in norms]
        renamed |= {norm.name: node.name for norm in norms}
    return _graph(graph, [_renamed(each, renamed) for each in nodes], parameters)


def _renamed(node: Node, renamed: Mapping[str, str]) -> Node:
    return replace(node, inputs=tuple(renamed.get(name, name) for name in node.inputs))


def _graph(before: Graph, nodes: list[Node], parameters: Mapping[str, Tensor]) -> Graph:
    used = {name for node in nodes for name in node.parameters.values()}
    return Graph(tuple(nodes), {name: tensor for name, tensor in parameters.items() if name in used}, before.time_steps)
