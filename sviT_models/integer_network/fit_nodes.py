"""Whether the operations of an export fit one another: shapes, followed without computing anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sviT_models.errors import ModelError
from sviT_models.integer_network.interpreter import read_by

Node = Mapping[str, Any]
LARGEST = 2**28  # elements of a tensor, per image


def check_nodes(spec: Mapping[str, Any], constants: Mapping[str, int]) -> dict[str, int]:
    """The numbers that every tensor has per image.

    constants  the number of channels of every rescale

    Raises ModelError, naming the operation, where one does not fit what it reads.
    """
    shapes = _Shapes(spec, constants)
    for i, node in enumerate(spec["nodes"]):
        try:
            shapes.follow(node)
        except ModelError as error:
            raise ModelError(f"nodes[{i}] ({node['op']} {node['output']!r}): {error}") from None
    if shapes.counts.get("logits") != spec["classes"]:
        raise ModelError(f"the logits are {shapes.counts.get('logits')} numbers; expected {spec['classes']}")
    return shapes.counts


class _Shapes:
    """The elements of every tensor, per image, followed through the operations."""

    def __init__(self, spec: Mapping[str, Any], constants: Mapping[str, int]) -> None:
        self.spec, self.constants = spec, constants
        self.counts = {"image": math.prod(spec["image"]["shape"])}

    def follow(self, node: Node) -> None:
        """One operation."""
        for name in read_by(node):
            if name not in self.counts:
                raise ModelError(f"reads {name!r}, which nothing has written")
        if "shapes" in node and len(node["shapes"]) != len(node["inputs"]):
            raise ModelError(f"{len(node['shapes'])} shapes for {len(node['inputs'])} inputs")
        shape = COUNTED[node["op"]](self, node)
        count = math.prod(shape)
        if not 0 < count <= LARGEST:
            raise ModelError(f"makes {count} numbers of one image; expected 1 to {LARGEST}")
        self.counts[node["output"]] = count

    def seen(self, name: str, shape: Sequence[int]) -> list[int]:
        """A shape with its open size filled in."""
        count, known = self.counts[name], math.prod(size for size in shape if size != -1)
        if list(shape).count(-1) > 1 or known == 0 or count % known or (-1 not in shape and known != count):
            raise ModelError(f"{name!r} has {count} numbers of one image, which are not {list(shape)}")
        return [count // known if size == -1 else size for size in shape]

    def one(self, node: Node) -> list[int]:
        """The shape in which an operation sees its input."""
        return self.seen(node["input"], node["shape"])

    def all(self, node: Node, count: int | None = None) -> list[list[int]]:
        """Those of its inputs, so many if that is given."""
        if count is not None and len(node["inputs"]) != count:
            raise ModelError(f"{len(node['inputs'])} inputs; expected {count}")
        return [self.seen(name, shape) for name, shape in zip(node["inputs"], node["shapes"], strict=True)]

    def conv(self, node: Node) -> list[int]:
        """(rows, H', W', O)."""
        if node["layer"] not in self.spec["weights"]:
            raise ModelError(f"there is no layer {node['layer']!r}")
        out, inside, *kernel = self.spec["weights"][node["layer"]]["shape"]
        if out % node["groups"]:
            raise ModelError(f"groups is {node['groups']}; expected a divisor of {out}")
        rows = self.seen(node["input"], [-1, *node["positions"], inside * node["groups"]])[0]
        return [rows, *moved(node["positions"], kernel, node, rows * inside * node["groups"]), out]

    def pool(self, node: Node) -> list[int]:
        """(rows, H', W', C)."""
        rows = self.seen(node["input"], [-1, *node["positions"], node["channels"]])[0]
        made = moved(node["positions"], node["kernel"], node, rows * node["channels"])
        if any(not o <= m + 1 for o, m in zip(node["out"], made, strict=True)):
            raise ModelError(f"out is {node['out']}; the windows are {made}")
        return [rows, *node["out"], node["channels"]]

    def rescale(self, node: Node) -> list[int]:
        """The elements of the input, or of what is added."""
        if node["constants"] not in self.constants:
            raise ModelError(f"there are no constants {node['constants']!r}")
        count = self.seen(node["input"], [-1, self.constants[node["constants"]]])
        both = [math.prod(count), self.counts[node["add"]] if "add" in node else 1]
        if max(both) % min(both):
            raise ModelError(f"adds {both[1]} numbers to {both[0]}")
        return [max(both)]

    def emitted(self, node: Node) -> list[int]:
        """Spikes or levels; the images are an axis of their own."""
        if node["shape"].count(-1) != 1:
            raise ModelError(f"shape is {node['shape']}; expected one -1")
        count = self.counts[node["input"]]
        if node["op"] == "fire":
            if node["name"] not in self.spec["states"]:
                raise ModelError(f"there are no neurons {node['name']!r}")
            steps = node["shape"][0]
            if node["steps"] not in (1, steps) or count % node["steps"] or steps < 1:
                raise ModelError(f"{node['steps']} steps drive {steps}")
            count = count // node["steps"] * steps
        if math.prod(abs(size) for size in node["shape"]) != count:
            raise ModelError(f"{count} numbers of one image are not {node['shape']}")
        return [count]

    def combine(self, node: Node) -> list[int]:
        """Element by element."""
        return self.joined(self.all(node, 2))

    @staticmethod
    def joined(shapes: Sequence[Sequence[int]]) -> list[int]:
        """Shapes broadcast to one another."""
        if len({len(shape) for shape in shapes}) > 1 or any(
            len({*sizes} - {1}) > 1 for sizes in zip(*shapes, strict=True)
        ):
            raise ModelError(f"shapes {', '.join(map(str, shapes))} do not fit one another")
        return [max(sizes) for sizes in zip(*shapes, strict=True)]

    def sum(self, node: Node) -> list[int]:
        """Without some axes."""
        shape = self.one(node)
        if any(axis >= len(shape) for axis in node["axes"]) or len({*node["axes"]}) < len(node["axes"]):
            raise ModelError(f"axes are {node['axes']}; the shape has {len(shape)}")
        return [size for i, size in enumerate(shape) if i not in node["axes"]]

    def attend(self, node: Node) -> list[int]:
        """(N, tokens, heads, d)."""
        q, k, v = self.all(node, 3)
        if {len(q), len(k), len(v)} != {4} or not q[0] == k[0] == v[0] or not q[2] == k[2] == v[2]:
            raise ModelError(f"q {q}, k {k} and v {v} are of different images or heads")
        if k[1] != v[1] or q[3] != k[3]:
            raise ModelError(f"q {q}, k {k} and v {v} do not fit one another")
        return [*q[:3], v[3]]

    def matmul(self, node: Node) -> list[int]:
        """(..., rows, columns)."""
        a, b = self.all(node, 2)
        if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
            raise ModelError(f"matrices {a} and {b} do not fit one another")
        return [*self.joined([a[:-2], b[:-2]]), a[-2], b[-1]]

    def arrange(self, node: Node) -> list[int]:
        """Sizes."""
        shape, order, sizes = self.seen(node["input"], node["from"]), node["order"], node["sizes"]
        if sorted(order) != list(range(len(shape))) or len(sizes) != len(shape):
            raise ModelError(f"order {order} and sizes {sizes} do not fit {len(shape)} axes")
        found = [shape[i] for i in order]
        if any(wanted not in (-1, own) and own != 1 for own, wanted in zip(found, sizes, strict=True)):
            raise ModelError(f"sizes are {sizes}; the axes are {found}")
        return [own if wanted == -1 else wanted for own, wanted in zip(found, sizes, strict=True)]

    def concat(self, node: Node) -> list[int]:
        """Joined along an axis."""
        shapes, axis = self.all(node), node["axis"]
        others = {(len(s), *s[:axis], *s[axis + 1 :]) for s in shapes}
        if len(others) > 1 or axis >= len(shapes[0]):
            raise ModelError(f"shapes {', '.join(map(str, shapes))} do not fit one another along axis {axis}")
        return [*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :]]

    def slice(self, node: Node) -> list[int]:
        """Part of an axis."""
        shape, axis = self.one(node), node["axis"]
        if axis >= len(shape) or not node["start"] < node["stop"] <= shape[axis]:
            raise ModelError(f"takes {node['start']} to {node['stop']} of axis {axis} of {shape}")
        return [*shape[:axis], node["stop"] - node["start"], *shape[axis + 1 :]]

    def pad(self, node: Node) -> list[int]:
        """With borders."""
        shape = self.one(node)
        if len(node["sides"]) != len(shape):
            raise ModelError(f"{len(node['sides'])} pairs of sides for {len(shape)} axes")
        return [size + sum(sides) for size, sides in zip(shape, node["sides"], strict=True)]


def moved(positions: Sequence[int], kernel: Sequence[int], node: Node, depth: int) -> list[int]:
    """Rows and columns of windows over `depth` numbers a position. Raises ModelError where none fits, or too many."""
    sides = list(zip(positions, kernel, node["stride"], node["padding"], node["dilation"], strict=True))
    found = [(size + 2 * p - (k - 1) * d - 1) // s + 1 for size, k, s, p, d in sides]
    if min(found) < 1:
        raise ModelError(f"a window of {list(kernel)} does not fit {list(positions)}")
    seen = max(math.prod(size + 2 * p for size, _, _, p, _ in sides), math.prod(found) * math.prod(kernel))
    if seen * depth > LARGEST * 64:
        raise ModelError(f"sees {seen * depth} numbers of one image; expected {LARGEST * 64} at most")
    return found


COUNTED: dict[str, Callable[[_Shapes, Node], list[int]]] = {
    "conv": _Shapes.conv,
    "pool": _Shapes.pool,
    "rescale": _Shapes.rescale,
    "fire": _Shapes.emitted,
    "levels": _Shapes.emitted,
    "combine": _Shapes.combine,
    "sum": _Shapes.sum,
    "attend": _Shapes.attend,
    "matmul": _Shapes.matmul,
    "arrange": _Shapes.arrange,
    "concat": _Shapes.concat,
    "slice": _Shapes.slice,
    "pad": _Shapes.pad,
}
