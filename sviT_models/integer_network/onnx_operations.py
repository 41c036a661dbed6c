"""Every operation of the integer network in operators of ONNX; docs/export-format.md lists the operations.

The same names and shapes as in `sviT_models.engine.fixed_point.operations`, which computes them in numpy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from sviT_models.engine.fixed_point.operations import LOWEST
from sviT_models.integer_network.onnx_builder import Builder

FLOAT32 = 24  # bits of a whole number that float32 holds
Node = Mapping[str, Any]
Integers = NDArray[np.int64]


@dataclass(eq=False)
class Translation:
    """An integer network as its operations become a graph.

    spec     time steps, states, rescales and accumulators, as an export has them
    tensors  weights and constants, int64
    counts   numbers of every tensor per image
    values   the tensor of the graph that holds a tensor of the network
    """

    spec: Mapping[str, Any]
    tensors: Mapping[str, Integers]
    counts: Mapping[str, int]
    graph: Builder = field(default_factory=Builder)
    values: dict[str, str] = field(default_factory=dict)

    def follow(self, node: Node) -> None:
        """One operation."""
        given = [self.values[name] for name in (node["inputs"] if "inputs" in node else [node["input"]])]
        if "shapes" in node:
            given = [self.graph.reshape(x, shape) for x, shape in zip(given, node["shapes"], strict=True)]
        elif "shape" in node and node["op"] != "fire":
            given = [self.graph.reshape(given[0], node["shape"])]
        self.values[node["output"]] = OPERATIONS[node["op"]](self, node, *given)

    def narrow(self, layer: str) -> bool:
        """Whether no sum of a layer, in whatever order, leaves the whole numbers of float32."""
        bits = {row["layer"]: row["worst_case_bits"] for row in self.spec.get("accumulators", ())}
        return bool(bits.get(layer, 64) <= FLOAT32 + 1)  # signed


def _conv(t: Translation, node: Node, x: str) -> str:
    weight, groups = t.tensors[f"{node['layer']}.weight"], node["groups"]
    seen = t.graph.reshape(x, [-1, *node["positions"], weight.shape[1] * groups])
    return (_conv_node if t.narrow(node["layer"]) else _conv_sums)(t.graph, node, seen, weight)


def _conv_node(g: Builder, node: Node, x: str, weight: Integers) -> str:
    """As the operator Conv on float32, whose sums are exact."""
    name = g.constant(weight.astype(np.float32), f"{node['layer']}.weight")
    kernel, stride, padding, dilation = weight.shape[2:], node["stride"], node["padding"], node["dilation"]
    images = g.cast(g.op("Transpose", x, perm=[0, 3, 1, 2]), TensorProto.FLOAT)
    moved = {"strides": stride, "pads": [*padding, *padding], "dilations": dilation}
    sums = g.op("Conv", images, name, kernel_shape=list(kernel), group=node["groups"], **moved)
    return g.op("Transpose", g.cast(sums, TensorProto.INT64), perm=[0, 2, 3, 1])


def _conv_sums(g: Builder, node: Node, x: str, weight: Integers) -> str:
    """As a sum over the taps of the kernel: products of matrices, or of numbers where every channel is for itself."""
    out, inside, *kernel = weight.shape
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, node["dilation"], strict=True)]
    sides = list(zip(node["positions"], spans, node["padding"], node["stride"], strict=True))
    made = [(size + 2 * p - span) // s + 1 for size, span, p, s in sides]
    padded = g.pad(x, [(0, 0), *((p, p) for p in node["padding"]), (0, 0)], 0)
    depthwise = inside == 1 and node["groups"] == out
    parts = []
    for i, j, tap in _taps(g, padded, node, kernel, made):
        if depthwise:
            parts.append(g.op("Mul", tap, g.constant(weight[:, 0, i, j], f"{node['layer']}.weight[{i},{j}]")))
        else:
            parts.append(_grouped(g, tap, weight[:, :, i, j], node, f"{node['layer']}.weight[{i},{j}]"))
    return reduce(lambda a, b: g.op("Add", a, b), parts)


def _grouped(g: Builder, tap: str, weight: Integers, node: Node, name: str) -> str:
    """One tap's products (N, H', W', O), group by group."""
    groups, (out, inside) = node["groups"], weight.shape
    found = []
    for group in range(groups):
        rows = weight[group * out // groups : (group + 1) * out // groups]
        part = tap if groups == 1 else g.slice(tap, [3], [group * inside], [(group + 1) * inside])
        found.append(g.product(part, g.constant(np.ascontiguousarray(rows.T), f"{name}{group}")))
    return found[0] if groups == 1 else g.op("Concat", *found, axis=3)


def _taps(
    g: Builder, padded: str, node: Node, kernel: Sequence[int], out: Sequence[int]
) -> Iterator[tuple[int, int, str]]:
    """What every tap (i, j) of a kernel sees of x (N, H, W, C): (N, H', W', C)."""
    stride, dilation = node["stride"], node["dilation"]
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            starts = [i * dilation[0], j * dilation[1]]
            stops = [first + (size - 1) * s + 1 for first, size, s in zip(starts, out, stride, strict=True)]
            yield i, j, g.slice(padded, [1, 2], starts, stops, stride)


def _pool(t: Translation, node: Node, x: str) -> str:
    g, kernel, out = t.graph, node["kernel"], node["out"]
    seen = g.reshape(x, [-1, *node["positions"], node["channels"]])
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, node["dilation"], strict=True)]
    ends = [(o - 1) * s + span for o, s, span in zip(out, node["stride"], spans, strict=True)]
    sides = [(p, max(p, end - size - p)) for p, end, size in zip(node["padding"], ends, node["positions"], strict=True)]
    padded = g.pad(seen, [(0, 0), *sides, (0, 0)], LOWEST if node["how"] == "max" else 0)
    taps = [tap for _, _, tap in _taps(g, padded, node, kernel, out)]
    return g.op("Max", *taps) if node["how"] == "max" else reduce(lambda a, b: g.op("Add", a, b), taps)


def _rescale(t: Translation, node: Node, x: str) -> str:
    g, name, limits = t.graph, node["constants"], t.spec["rescales"][node["constants"]]
    multiplier, offset, right = (t.tensors[f"{name}.{part}"] for part in ("multiplier", "offset", "right"))
    by = g.op("Mul", g.reshape(x, [-1, len(multiplier)]), g.constant(multiplier, f"{name}.multiplier"))
    y = g.shift_right(g.op("Add", by, g.constant(offset, f"{name}.offset")), right)
    if "add" in node:  # a tensor of one step has the same value in every step
        own, other = t.counts[node["input"]], t.counts[node["add"]]
        step = min(own, other)
        y = g.op("Add", g.reshape(y, [own // step, -1]), g.reshape(t.values[node["add"]], [other // step, -1]))
    return g.clip(y, limits["low"], limits["high"])


def _fire(t: Translation, node: Node, x: str) -> str:
    """The time steps unrolled: u, the spike and the potential of every step."""
    g, state, shift = t.graph, t.spec["states"][node["name"]], node["left_shift"]
    if shift < 0:
        x = g.shift_right(g.op("Add", x, g.constant(1 << (-shift - 1))), -shift)
    elif shift:
        x = g.op("Mul", x, g.constant(1 << shift))
    driven = g.op("Mul", g.reshape(x, [node["steps"], -1]), g.constant(state["taken"]))
    steps = [g.slice(driven, [0], [i], [i + 1]) for i in range(node["steps"])]
    spikes: list[str] = []
    potential: str | None = None
    for i in range(node["shape"][0]):
        u = _charged(g, state, potential, steps[min(i, len(steps) - 1)], spikes)
        spikes.append(_spike(g, state, u))
        potential = _kept(g, state, u, spikes[-1])
    joined = g.op("Concat", *spikes, axis=0) if len(spikes) > 1 else spikes[0]
    return g.reshape(joined, node["shape"])


def _charged(g: Builder, state: Node, potential: str | None, driven: str, spikes: list[str]) -> str:
    """What a step's input makes of the potential, in units of 2^-shift with the guard places."""
    if potential is None:
        return driven
    if state["delayed"] and not state["subtract"]:
        potential = g.op("Mul", potential, g.op("Sub", g.constant(1), spikes[-1]))
    u = g.op("Add", g.op("Mul", potential, g.constant(state["kept"] << state["guard"])), driven)
    if state["delayed"] and state["subtract"]:
        u = g.op("Sub", u, g.op("Mul", spikes[-1], g.constant(_threshold(state))))
    return u


def _threshold(state: Node) -> int:
    return int(state["threshold"] << (state["guard"] + state["shift"]))


def _spike(g: Builder, state: Node, u: str) -> str:
    fires = g.op("Greater" if state["strict"] else "GreaterOrEqual", u, g.constant(_threshold(state)))
    return g.cast(fires, TensorProto.INT64)


def _kept(g: Builder, state: Node, u: str, spike: str) -> str:
    """The stored potential: reset, rounded to its own places, ties up, and clipped to its width."""
    if not state["delayed"]:
        if state["subtract"]:
            u = g.op("Sub", u, g.op("Mul", spike, g.constant(_threshold(state))))
        else:
            u = g.op("Mul", u, g.op("Sub", g.constant(1), spike))
    places, top = state["guard"] + state["shift"], 2 ** (state["bits"] - 1)
    rounded = g.shift_right(g.op("Add", u, g.constant(1 << (places - 1))), places)
    return g.clip(rounded, -top, top - 1)


def _combine(t: Translation, node: Node, a: str, b: str) -> str:
    made = t.graph.op("Mul" if node["how"] == "multiply" else "Add", a, b)
    return t.graph.clip(made, node["low"], node["high"]) if "low" in node else made


def _attend(t: Translation, _: Node, q: str, k: str, v: str) -> str:
    g = t.graph
    own, values = (g.op("Transpose", x, perm=[0, 2, 1, 3]) for x in (q, v))
    mixed = g.product(own, g.product(g.op("Transpose", k, perm=[0, 2, 3, 1]), values))
    return g.op("Transpose", mixed, perm=[0, 2, 1, 3])


def _arrange(t: Translation, node: Node, x: str) -> str:
    g = t.graph
    turned = g.op("Transpose", g.reshape(x, node["from"]), perm=node["order"])
    sizes = [1 if size == -1 else size for size in node["sizes"]]
    return g.op("Expand", turned, g.constant(sizes)) if math.prod(sizes) > 1 else turned


OPERATIONS: dict[str, Callable[..., str]] = {
    "conv": _conv,
    "rescale": _rescale,
    "fire": _fire,
    "levels": lambda t, node, x: x,
    "combine": _combine,
    "sum": lambda t, node, x: t.graph.op("ReduceSum", x, t.graph.constant(node["axes"]), keepdims=0),
    "attend": _attend,
    "matmul": lambda t, node, a, b: t.graph.product(a, b),
    "pool": _pool,
    "arrange": _arrange,
    "concat": lambda t, node, *given: t.graph.op("Concat", *given, axis=node["axis"]),
    "slice": lambda t, node, x: t.graph.slice(x, [node["axis"]], [node["start"]], [node["stop"]]),
    "pad": lambda t, node, x: t.graph.pad(x, node["sides"], node["value"]),
}
