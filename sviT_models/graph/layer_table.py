"""The layer table of any captured network (docs/design.md), from its shapes alone or with what images cause.

One row for every weight layer and every product of two streams, in the order in which they run, and behind them one
for every addition of two streams. Beside the columns of docs/design.md, `sees` says what a row's input is (image,
spike, count, levels, number), `largest` is the largest integer that it holds, and `events` the sum of these integers:
the binary spikes that would send them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sviT_models.errors import ModelError
from sviT_models.graph.activity import Activity
from sviT_models.graph.graph import Graph, Node, Shape, factor_size
from sviT_models.graph.product_sparsity import Products
from sviT_models.graph.rows import MOVED, NUMBER_BITS, PRODUCTS, WEIGHTED, Rows, inner, length, positions, size
from sviT_models.graph.run import run

Row = dict[str, Any]
COLUMNS = (
    *("name", "kind", "group", "block", "stage", "input", "input_bits", "in_channels", "out_channels", "groups"),
    *("kernel", "stride", "padding", "in_height", "in_width", "out_height", "out_width", "weights"),
    *("channel_constants", "macs", "fan_in", "neurons", "lif", "lif_spikes", "spikes", "synops", "balance"),
    *("time_steps", "after", "since", "sees", "largest", "events", "leak_bits"),
)


def layer_table(graph: Graph) -> pd.DataFrame:
    """The layer table at the image size of the graph; its measured columns are NaN."""
    rows = Rows(graph)
    table = [_row(rows, name, nodes) for name, nodes in rows.nodes.items()]
    if not table:
        raise ModelError("the network has no weight layer")
    table += [_addition(rows, node) for node in graph.of("add")]
    measured = dict.fromkeys(("lif_spikes", "spikes", "synops", "balance", "events"), np.nan)
    places = dict.fromkeys(("after", "since"), "")
    full = [places | row for row in table]
    return pd.DataFrame(full).assign(**measured, time_steps=graph.time_steps)[list(COLUMNS)]


def profile(
    graph: Graph,
    images: Tensor | Iterable[Tensor],
    progress: Callable[[int], None] | None = None,
    products: bool = False,
    *,
    dtype: torch.dtype = torch.float32,
) -> pd.DataFrame:
    """The layer table with what `images` cause in `dtype`, as a mean per image, summed over the time steps.

    `images` is (B, ...) as the graph was captured for, or an iterable of such batches. `spikes` are inputs that are
    not zero, whatever their number; `synops` the products with them. What does not change over time counts in every
    step. `progress(done)` hears of the images. `products` adds what product sparsity leaves (graph.product_sparsity). A
    network with weights that are zero has the share of the others in a column `nonzero`.
    Raises ModelError where there is no image.
    """
    counted = Products() if products else None
    activity = Activity(Rows(graph), counted, dtype)
    total = 0
    for batch in [images] if isinstance(images, Tensor) else images:
        together = 1 if products else max(1, 4 * 224 * 224 // (batch.shape[-1] * batch.shape[-2]))
        for part in batch.split(together):
            run(graph, part, dtype=dtype, see=activity.see)
            total += len(part)
            if progress is not None:
                progress(total)
    if not total:
        raise ModelError("there are no images; expected at least one")
    table = layer_table(graph)
    for column in ("lif_spikes", "spikes", "synops"):
        counts = getattr(activity, column)
        table[column] = [counts.get(name, 0.0) / total for name in table["name"]]
    table["events"] = [activity.events.get(name, np.nan) / total for name in table["name"]]
    table["balance"] = [activity.balance(name) for name in table["name"]]
    kept = nonzero(graph)
    if any(share < 1 for share in kept.values()):  # a pruned network
        table["nonzero"] = [kept.get(name, 1.0) for name in table["name"]]
    return table if counted is None else table.assign(**counted.columns(table["name"], table["synops"], total))


def nonzero(graph: Graph) -> dict[str, float]:
    """Share of the weights that are not zero, by weight layer: what a chip that skips zero weights has to add."""
    found = {}
    for name, nodes in Rows(graph).nodes.items():
        weights = [graph.parameters[node.parameters["weight"]] for node in nodes if node.layer]
        if total := sum(weight.numel() for weight in weights):
            found[name] = sum(int(weight.count_nonzero()) for weight in weights) / total
    return found


def _place(name: str, group: str) -> Row:
    path = name.split(".")
    block = ".".join(path[:2]) if len(path) > 1 and path[1].isdigit() else path[0]
    return {"name": name, "group": group, "block": block, "stage": path[0]}


def _row(rows: Rows, name: str, nodes: list[Node]) -> Row:
    node = nodes[0]
    sees, largest, bits = rows.sees(node)
    shape = _layer(rows, node) if node.layer else _product(rows, node)
    neurons = rows.charged[name]
    macs = sum(_macs(rows, each) for each in nodes)
    return {
        **_place(name, rows.groups[name]),
        **shape,
        "input": "spike" if sees == "spike" else "multibit",
        "input_bits": bits,
        "macs": macs,
        "neurons": sum(map(size, neurons)),
        "lif": ";".join(neuron.path for neuron in neurons),
        "leak_bits": max((neuron.attributes["law"].leak_bits for neuron in neurons), default=0),
        "sees": sees,
        "largest": np.nan if largest is None else largest,
    }


def _macs(rows: Rows, node: Node) -> int:
    shape = _layer(rows, node) if node.layer else _product(rows, node)
    summed = length(rows.graph.by_name[node.inputs[0]].shape[-1]) if node.op == "matmul" else shape["fan_in"]
    return int(summed * shape["out_channels"] * shape["out_height"] * shape["out_width"])


def _layer(rows: Rows, node: Node) -> Row:
    weight = rows.graph.parameters[node.parameters["weight"]]
    given = rows.graph.by_name[node.inputs[0]]
    kernel, stride, padding, groups, border = 1, 1, 0, 1, 0
    if node.op == "linear":
        (in_c, out_c), before, after = (length(n.shape[-1]) for n in (given, node)), inner(given)[:-1], inner(node)[:-1]
    else:
        kernel, stride = weight.shape[-1], node.attributes["stride"][-1]
        groups, border = node.attributes["groups"], _border(rows, given)
        padding = node.attributes["padding"][-1] + border
        (in_c, out_c), before, after = (length(n.shape[1]) for n in (given, node)), given.shape[2:], node.shape[2:]
    height, width = positions(before)
    depthwise = node.op == "conv" and groups == in_c > 1
    return {
        "kind": "linear" if node.op == "linear" else "depthwise" if depthwise else "conv",
        **{"in_channels": in_c, "in_height": height - 2 * border, "in_width": width - 2 * border},
        **{"out_channels": out_c, **dict(zip(("out_height", "out_width"), positions(after), strict=True))},
        **{"kernel": kernel, "stride": stride, "padding": padding, "groups": groups},
        "weights": weight.numel(),
        "channel_constants": 0 if rows.followed_by_layer(node) else out_c,
        "fan_in": weight[0].numel(),
    }


def _border(rows: Rows, given: Node) -> int:
    """The border of zeros that stands in the input of a convolution: the chip pads there."""
    node = given
    while node.op in (*MOVED, "norm", "pad"):
        if node.op == "pad":
            sides = set(node.attributes["sides"])
            return sides.pop() if len(sides) == 1 and not node.attributes["value"] else 0
        node = rows.graph.by_name[node.inputs[0]]
    return 0


def _product(rows: Rows, node: Node) -> Row:
    """A product of two streams; of matrices, the operand that a neuron gives is the one that is streamed."""
    given = rows.given(node)
    channels, place = channels_of(rows, given)
    height, width = positions(place)
    shape = {"kind": "attention", "in_channels": channels, "in_height": height, "in_width": width}
    shape |= {"kernel": 1, "stride": 1, "padding": 0, "weights": 0, "channel_constants": 0}
    if node.op == "product":
        pixels = height * width if size(node) % (height * width) == 0 else 1
        shape |= {"out_channels": size(node) // pixels, "groups": 1, "fan_in": 1}
        return shape | dict(zip(("out_height", "out_width"), (height, width) if pixels > 1 else (1, 1), strict=True))
    first, second = (rows.graph.by_name[name] for name in node.inputs)
    heads = size(node) // (length(node.shape[-2]) * length(node.shape[-1]))
    tokens = tuple(factor for axis in place for factor in axis if isinstance(factor, int))
    lines, columns = first.shape[-2], second.shape[-1]
    if tuple(f for f in lines if isinstance(f, int)) == tokens and lines != columns:
        lines, columns = columns, lines
    out_height, out_width = positions((columns,))
    shape |= {"out_channels": heads * length(lines), "out_height": out_height, "out_width": out_width}
    summed = math.prod(factor_size(factor, rows.graph.time_steps, 1) for factor in first.shape[-1])
    return shape | {"groups": heads, "fan_in": summed}


def channels_of(rows: Rows, node: Node) -> tuple[int, Shape]:
    """Channels of a neuron layer's result and the axes of its map: channels come last behind a linear layer."""
    axes = inner(node)
    before = node
    while before.op in (*MOVED, "neuron", "norm", "shift", "add", "max_pool"):
        before = rows.graph.by_name[before.inputs[0]]
    if before.op == "linear" or len(axes) < 2:
        return length(axes[-1]) if axes else 1, axes[:-1]
    return length(axes[0]), axes[1:]


def _addition(rows: Rows, node: Node) -> Row:
    """An addition of two streams: shapes, and the width at which the evaluator adds."""
    channels, place = channels_of(rows, node)
    height, width = positions(place)
    value, (since, after) = node.value, _around(rows, node)
    sees = "number" if value.largest is None else "count"
    return {
        **_place(node.name, node.name),
        **{"kind": "add", "input": "multibit", "fan_in": 2, "macs": 0, "groups": 1, "kernel": 1, "stride": 1},
        **{"padding": 0, "weights": 0, "channel_constants": 0, "neurons": 0, "lif": ""},
        "input_bits": NUMBER_BITS if value.largest is None else value.largest.bit_length(),
        **{"in_channels": channels, "in_height": height, "in_width": width},
        **{"out_channels": channels, "out_height": height, "out_width": width},
        **{"sees": sees, "largest": np.nan if value.largest is None else value.largest, "leak_bits": 0},
        **{"after": after, "since": since},
    }


def _around(rows: Rows, node: Node) -> tuple[str, str]:
    """The row or addition that writes the sum that an addition holds, and the row whose result is added to it.

    The operand that is complete first is held. An operand comes from the last row, or addition, on the way to it.
    """
    order = {name: position for position, name in enumerate(rows.graph.by_name)}
    names = {each.name: name for name, nodes in rows.nodes.items() for each in nodes}
    held, added = sorted((_written(rows, name) for name in node.inputs), key=lambda each: order[each.name])
    while added.op == "add":  # its own last row
        added = max((_written(rows, name) for name in added.inputs), key=lambda each: order[each.name])
    first = next(iter(rows.nodes))
    since = held.name if held.op == "add" else names.get(held.name, first)
    return since, names.get(added.name, first)


def _written(rows: Rows, name: str) -> Node:
    """The row, the addition or the image that a value comes from."""
    node = rows.graph.by_name[name]
    while node.op not in (*WEIGHTED, *PRODUCTS, "add", "image"):
        node = rows.graph.by_name[node.inputs[0]]
    return node
