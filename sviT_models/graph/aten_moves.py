"""The operations of torch that only move elements: reshape, permute, expand, select, slice, join."""

from __future__ import annotations

import math
from collections.abc import Callable

from sviT_models.errors import ModelError
from sviT_models.graph.builder import axis
from sviT_models.graph.call import Call, Operand, kind_of, shape_of
from sviT_models.graph.graph import Axis

RESHAPES = (
    *("view.default", "reshape.default", "view_as.default", "reshape_as.default", "flatten.using_ints"),
    *("unflatten.int", "unsqueeze.default", "squeeze.default", "squeeze.dim", "squeeze.dims", "_unsafe_view.default"),
)


def positive(axis_: int, rank: int) -> int:
    """An axis counted from the front."""
    return axis_ + rank if axis_ < 0 else axis_


def _reshape(call: Call) -> str:
    name = call.stream()
    return name if call.shape(name) == shape_of(call.node) else call.add("reshape", (name,))


def _permute(call: Call) -> str:
    name = call.stream()
    rank = len(call.shape(name))
    order = list(range(rank))
    match kind_of(call.node):
        case "permute":
            order = [positive(a, rank) for a in call.given[1]]
        case "transpose" | "swapaxes":
            a, b = (positive(a, rank) for a in call.given[1:3])
            order[a], order[b] = b, a
        case "t" | "numpy_T":
            order = order[::-1]
        case "movedim":
            source, target = positive(call.given[1], rank), positive(call.given[2], rank)
            order.remove(source)
            order.insert(target, source)
    return name if order == list(range(rank)) else call.add("permute", (name,), attributes={"axes": order})


def _expand(call: Call) -> str:
    name = call.stream()
    shape = shape_of(call.node)
    have = call.shape(name)
    if have == shape:
        return name
    padded = ((),) * (len(shape) - len(have)) + have
    if padded != have:
        name = call.add("reshape", (name,), padded)
    return name if padded == shape else call.add("expand", (name,))


def _repeat(call: Call) -> str:
    """`repeat` puts copies one after another: a new axis in front of each repeated one, merged with it."""
    name = call.stream()
    counts = [int(count) for count in call.given[1]]
    have = ((),) * (len(counts) - len(call.shape(name))) + call.shape(name)
    apart: list[Axis] = []
    wide: list[Axis] = []
    for count, size in zip(counts, have, strict=True):
        apart += [(), size] if count > 1 else [size]
        wide += [(count,), size] if count > 1 else [size]
    name = call.add("reshape", (name,), tuple(apart)) if tuple(apart) != call.shape(name) else name
    name = call.add("expand", (name,), tuple(wide)) if tuple(wide) != tuple(apart) else name
    return name if tuple(wide) == shape_of(call.node) else call.add("reshape", (name,))


def _select(call: Call) -> str:
    name = call.stream()
    position = positive(call.given[1], len(call.shape(name)))
    length = math.prod(f for f in call.shape(name)[position] if isinstance(f, int))
    return call.add("select", (name,), attributes={"axis": position, "index": positive(int(call.given[2]), length)})


def _slice(call: Call) -> str:
    name = call.stream()
    position = positive(call.argument(1, "dim", 0), len(call.shape(name)))
    if shape_of(call.node) == call.shape(name):
        return name
    if call.argument(4, "step", 1) != 1:
        raise ModelError("a slice with a step is not supported")
    start = call.argument(2, "start", 0) or 0
    length = math.prod(f for f in call.shape(name)[position] if isinstance(f, int))
    return call.add("slice", (name,), attributes={"axis": position, "start": positive(int(start), length)})


def _split(call: Call) -> list[str]:
    name = call.stream()
    position = positive(call.argument(2, "dim", 0), len(call.shape(name)))
    parts, start = [], 0
    for value in call.node.meta["val"]:
        shape = list(call.shape(name))
        shape[position] = axis(int(value.shape[position]))
        parts.append(call.add("slice", (name,), tuple(shape), attributes={"axis": position, "start": start}))
        start += int(value.shape[position])
    return parts


def _unbind(call: Call) -> list[str]:
    name = call.stream()
    position = positive(call.argument(1, "dim", 0), len(call.shape(name)))
    shape = call.shape(name)[:position] + call.shape(name)[position + 1 :]
    return [
        call.add("select", (name,), shape, attributes={"axis": position, "index": index})
        for index in range(len(call.node.meta["val"]))
    ]


def _concat(call: Call) -> str:
    names = call.given[0]
    if not all(isinstance(name, str) for name in names):
        raise ModelError("constants are joined with values of the network")
    rank = len(call.shape(names[0]))
    return call.add("concat", names, attributes={"axis": positive(call.argument(1, "dim", 0), rank)})


def _stack(call: Call) -> str:
    names = call.given[0]
    if not all(isinstance(name, str) for name in names):
        raise ModelError("constants are stacked with values of the network")
    position = positive(call.argument(1, "dim", 0), len(call.shape(names[0])) + 1)
    alone = []
    for name in names:
        shape = call.shape(name)
        alone.append(call.add("reshape", (name,), (*shape[:position], (), *shape[position:])))
    return call.add("concat", alone, attributes={"axis": position})


MOVES: dict[str, Callable[[Call], Operand]] = {
    **dict.fromkeys(RESHAPES, _reshape),
    **dict.fromkeys(("permute.default", "transpose.int", "t.default", "movedim.int", "swapaxes.default"), _permute),
    **dict.fromkeys(("expand.default", "expand_as.default", "broadcast_to.default"), _expand),
    "repeat.default": _repeat,
    "select.int": _select,
    **dict.fromkeys(("slice.Tensor", "narrow.default"), _slice),
    **dict.fromkeys(("split.Tensor", "split_with_sizes.default", "chunk.default", "split.sizes"), _split),
    "unbind.int": _unbind,
    "cat.default": _concat,
    "stack.default": _stack,
}
