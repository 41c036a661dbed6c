"""Which factor of which axis is time: shapes of a graph with T and the batch apart from everything else.

Every axis starts as one factor. Re-shaping splits and joins factors, element-wise operations identify those of their
operands, and the factor that a spiking neuron finds as its first axis is time, wherever else it stands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sviT_models.errors import ModelError
from sviT_models.graph.builder import elements
from sviT_models.graph.graph import BATCH, TIME, Axis, Factor, Node, Shape, is_time, part_of_time
from sviT_models.graph.neurons import SpikingLaw

Ids = list[int]  # factors of one axis


@dataclass
class Factors:
    """Factors by number: their sizes, which are the same, and which came from splitting another."""

    sizes: list[Factor] = field(default_factory=list)
    same: list[int] = field(default_factory=list)
    whole: dict[tuple[int, int], int] = field(default_factory=dict)  # the factor that two were split from
    time: set[int] = field(default_factory=set)

    def new(self, size: Factor) -> int:
        """A factor of its own."""
        self.sizes.append(size)
        self.same.append(len(self.same))
        return len(self.same) - 1

    def fresh(self, axis: Axis) -> Ids:
        """New factors for an axis of the captured program: its number, and the batch."""
        size, batched = elements(axis)
        return ([self.new(size)] if size != 1 else []) + ([self.new(BATCH)] if batched else [])

    def root(self, factor: int) -> int:
        """The representative of all factors that are this one."""
        while self.same[factor] != factor:
            factor = self.same[factor]
        return factor

    def identify(self, first: Ids, second: Ids) -> None:
        """Take two axes of the same factors to be one."""
        if [self.sizes[f] for f in first] == [self.sizes[f] for f in second]:
            for a, b in zip(first, second, strict=True):
                self.same[self.root(b)] = self.root(a)

    def length(self, factor: int) -> int:
        """The size of a factor that is not the batch."""
        size = self.sizes[factor]
        if isinstance(size, str):
            raise ModelError("a re-shaping that splits the batch")
        return size

    def split(self, factor: int, outer: int) -> tuple[int, int]:
        """A factor as `outer` times the rest; the same factor always splits into the same two."""
        for (first, second), whole in self.whole.items():
            if self.root(whole) == self.root(factor) and self.sizes[first] == outer:
                return first, second
        first, second = self.new(outer), self.new(self.length(factor) // outer)
        self.whole[first, second] = factor
        return first, second

    def joined(self, ids: Ids) -> Ids:
        """The factors with those that were split put together again."""
        for position in range(len(ids) - 2, -1, -1):
            pair = ids[position], ids[position + 1]
            if pair in self.whole:
                return self.joined([*ids[:position], self.whole[pair], *ids[position + 2 :]])
        return ids

    def reshaped(self, axes: Sequence[Ids], shape: Shape) -> list[Ids]:
        """The factors dealt out anew, from the outermost, to axes of other lengths."""
        left = [factor for axis in axes for factor in axis]
        result = []
        for axis in shape:
            size, batched = elements(axis)
            taken: Ids = []
            while size > 1 or batched:
                if not left:
                    raise ModelError("a re-shaping that cannot be followed")
                factor = left.pop(0)
                if self.sizes[factor] == BATCH and batched:
                    batched = False
                elif size % self.length(factor) == 0:
                    size //= self.length(factor)
                elif self.length(factor) % size == 0 and size > 1:
                    factor, rest = self.split(factor, size)
                    left.insert(0, rest)
                    size = 1
                else:
                    raise ModelError("a re-shaping that cannot be followed")
                taken.append(factor)
            result.append(self.joined(taken))
        if left:
            raise ModelError("a re-shaping that cannot be followed")
        return result

    def broadcast(self, first: list[Ids], second: list[Ids]) -> list[Ids]:
        """The axes of an element-wise result."""
        rank = max(len(first), len(second))
        first, second = ([[] for _ in range(rank - len(axes))] + axes for axes in (first, second))
        for a, b in zip(first, second, strict=True):
            if a and b:
                self.identify(a, b)
        return [a or b for a, b in zip(first, second, strict=True)]


def _followed(factors: Factors, node: Node, given: list[list[Ids]]) -> list[Ids]:
    """The factors of a node's axes from those of its inputs; element-wise operations keep theirs."""
    attributes = node.attributes
    match node.op:
        case "image":
            return [factors.fresh(axis) for axis in node.shape]
        case "add" | "product":
            return factors.broadcast(*given)
        case "conv":
            return [given[0][0], factors.fresh(node.shape[1]), *_kept(factors, node.shape[2:], given[0][2:])]
        case "linear":
            return [*given[0][:-1], factors.fresh(node.shape[-1])]
        case "max_pool" | "average_pool":
            kept = len(node.shape) - len(attributes["kernel"])
            return [*given[0][:kept], *_kept(factors, node.shape[kept:], given[0][kept:])]
        case "matmul":
            leading = factors.broadcast(given[0][:-2], given[1][:-2])
            return [*leading, given[0][-2], given[1][-1]]
        case "sum" | "mean":
            axes = [[] if i in attributes["axes"] else axis for i, axis in enumerate(given[0])]
            return axes if attributes["keep"] else [a for i, a in enumerate(axes) if i not in attributes["axes"]]
        case "reshape":
            return factors.reshaped(given[0], node.shape)
        case "permute":
            return [given[0][a] for a in attributes["axes"]]
        case "select":
            return [axis for i, axis in enumerate(given[0]) if i != attributes["axis"]]
        case "concat":
            axes = given[0]
            for other in given[1:]:
                axes = [axis if i == attributes["axis"] else factors.broadcast([axis], [o])[0]
                        for i, (axis, o) in enumerate(zip(axes, other, strict=True))]  # fmt: skip
            axes[attributes["axis"]] = factors.fresh(node.shape[attributes["axis"]])
            return axes
        case _:
            return _kept(factors, node.shape, given[0])


def _kept(factors: Factors, shape: Shape, axes: list[Ids]) -> list[Ids]:
    """The axes of the input, but new factors where the length is another (`expand`, `pad`, `slice`)."""
    padded: list[Ids] = [[] for _ in range(len(shape) - len(axes))]
    padded += axes
    return [ids if _length(factors, ids) == elements(axis) else factors.fresh(axis)
            for ids, axis in zip(padded, shape, strict=True)]  # fmt: skip


def _length(factors: Factors, ids: Ids) -> tuple[int, bool]:
    sizes = [factors.sizes[f] for f in ids]
    return math.prod(s for s in sizes if isinstance(s, int)), BATCH in sizes


def with_time(nodes: Sequence[Node]) -> tuple[list[Node], int]:
    """The nodes with shapes that name time and batch, and the number of time steps (1 without spiking neurons).

    Raises ModelError for a spiking neuron whose first axis is no axis of time.
    """
    factors = Factors()
    axes: dict[str, list[Ids]] = {}
    steps: dict[int, str] = {}
    for node in nodes:
        try:
            axes[node.name] = _followed(factors, node, [axes[name] for name in node.inputs])
        except ModelError as error:
            raise ModelError(f"{node.path or node.name}: {error}") from None
        if node.op == "neuron" and isinstance(node.attributes["law"], SpikingLaw):
            steps[_time_of(factors, node, axes[node.name])] = node.path
    if len(steps) > 1:
        shown = ", ".join(f"{path} for {count}" for count, path in steps.items())
        raise ModelError(f"neurons run for different numbers of steps: {shown}")
    roots = {factors.root(f) for f in factors.time}
    names = [TIME if factors.root(f) in roots else size for f, size in enumerate(factors.sizes)]
    for pair, whole in factors.whole.items():  # a factor comes before those that it is split into
        if is_time(names[whole]):
            roots_of_parts = {factors.root(part) for part in pair}
            names = [part_of_time(factors.length(f)) if factors.root(f) in roots_of_parts else name
                     for f, name in enumerate(names)]  # fmt: skip
    named = [replace(node, shape=tuple(tuple(names[f] for f in axis) for axis in axes[node.name])) for node in nodes]
    return named, next(iter(steps), 1)


def _time_of(factors: Factors, node: Node, axes: list[Ids]) -> int:
    if not axes or any(factors.sizes[f] == BATCH for f in axes[0]):
        merged = len(axes[0]) > 1 if axes else False
        why = "time and batch are one axis there" if merged else "its first axis is the batch"
        raise ModelError(
            f"{node.path}: the neuron steps through the images of a batch: {why}; expected (T, batch, ...)"
        )
    if len(axes[0]) > 1:
        raise ModelError(f"{node.path}: its first axis is made of several; expected (T, batch, ...)")
    factors.time.update(axes[0])
    return factors.length(axes[0][0]) if axes[0] else 1
