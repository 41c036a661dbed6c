"""How a value lies in memory: the order of its factors there, and which of them make up each axis of the graph.

A re-shaping of the graph mostly says the same elements in other words. Written in factors (T, the batch, heads, the
channels of a head, height, width, ...), it changes nothing in memory, so that no array is moved for it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sviT_models.graph.graph import BATCH, TIME, Axis, Factor, Shape, factor_size, is_time

Group = tuple["Part", ...]
_number = itertools.count()


@dataclass(frozen=True, eq=False)
class Part:
    """A factor of a value's shape, told apart from others of the same size."""

    size: Factor

    def length(self, steps: int, batch: int) -> int:
        """Elements along it."""
        return factor_size(self.size, steps, batch)


def parts_of(axis: Axis) -> Group:
    """New parts for the factors of an axis."""
    return tuple(Part(factor) for factor in axis if factor != 1)


@dataclass(frozen=True)
class Form:
    """`memory` lists the parts in the order of memory, outermost first; `axes` those of every axis of the graph.

    A part of an axis that is not in memory is the same at all its positions, as a still image is in every step.
    """

    memory: Group
    axes: tuple[Group, ...]

    @property
    def missing(self) -> Group:
        """The parts along which the value is the same."""
        return tuple(part for axis in self.axes for part in axis if part not in self.memory)

    @property
    def logical(self) -> Group:
        """All parts in the order of the axes."""
        return tuple(part for axis in self.axes for part in axis)

    def renamed(self, names: Mapping[Part, Group]) -> Form:
        """The same with some parts replaced, each by one or several."""
        return Form(_replaced(self.memory, names), tuple(_replaced(axis, names) for axis in self.axes))

    def reshaped(self, shape: Shape) -> Form | None:
        """The form after a re-shaping, or None where parts would have to be cut across one another."""
        left, axes = list(self.logical), list[Group]()
        names: dict[Part, Group] = {}
        for axis in shape:
            wanted = [factor for factor in axis if factor != 1]
            taken: list[Part] = []
            while wanted and left:
                part, factor = left.pop(0), wanted.pop(0)
                if part.size == factor:
                    taken.append(part)
                    continue
                if not isinstance(part.size, int) or not isinstance(factor, int):
                    return None
                if part.size % factor == 0:  # the part is the product of this factor and more
                    first, rest = Part(factor), Part(part.size // factor)
                    names[part] = (first, rest)
                    taken.append(first)
                    left.insert(0, rest)
                elif factor % part.size == 0:
                    taken.append(part)
                    wanted.insert(0, factor // part.size)
                else:
                    return None
            if wanted:
                return None
            axes.append(tuple(taken))
        if left:
            return None
        names = {part: _replaced(group, names) for part, group in names.items()}
        return Form(_replaced(self.memory, names), tuple(_replaced(axis, names) for axis in axes))

    def permuted(self, order: Sequence[int]) -> Form:
        """The form with its axes in another order."""
        return replace(self, axes=tuple(self.axes[i] for i in order))

    def stored(self, order: Iterable[Part]) -> Form:
        """The form with memory in another order."""
        return replace(self, memory=tuple(order))

    def sizes(self, parts: Iterable[Part], steps: int, batch: int) -> tuple[int, ...]:
        """Lengths of some parts."""
        return tuple(part.length(steps, batch) for part in parts)


def _replaced(group: Iterable[Part], names: Mapping[Part, Group]) -> Group:
    found: list[Part] = []
    for part in group:
        found += _replaced(names[part], names) if part in names else [part]
    return tuple(found)


def fresh(shape: Shape) -> Form:
    """The form of an array that holds the axes of the graph as they are."""
    axes = tuple(parts_of(axis) for axis in shape)
    return Form(tuple(part for axis in axes for part in axis), axes)


def aligned(first: Form, second: Form) -> tuple[Form, Form] | None:
    """Two forms of operands of an element-wise operation with the same parts for the same positions.

    The second takes over the parts of the first; an axis that only one of them has stays its own. None where the axes
    of the two are cut differently.
    """
    rank = max(len(first.axes), len(second.axes))
    a, b = (replace(form, axes=((),) * (rank - len(form.axes)) + form.axes) for form in (first, second))
    return identified(a, b, [(i, i) for i in range(rank) if a.axes[i] and b.axes[i]])


def identified(first: Form, second: Form, pairs: Iterable[tuple[int, int]]) -> tuple[Form, Form] | None:
    """Two forms in which pairs of axes have the same parts; None where these are cut across one another."""
    a, b = first, second
    for i, j in pairs:
        cut = _cut(a.axes[i], b.axes[j])
        if cut is None:
            return None
        a, b = a.renamed(cut[0]), b.renamed(cut[1])
        b = b.renamed({y: (x,) for x, y in zip(a.axes[i], b.axes[j], strict=True) if x is not y})
    return a, b


def _cut(first: Group, second: Group) -> tuple[dict[Part, Group], dict[Part, Group]] | None:
    """How the parts of two axes have to be split so that both have parts of the same sizes."""
    sides: tuple[list[Part], list[Part]] = (list(first), list(second))
    names: tuple[dict[Part, Group], dict[Part, Group]] = ({}, {})
    while sides[0] and sides[1]:
        a, b = sides[0][0], sides[1][0]
        if a.size == b.size:
            sides[0].pop(0), sides[1].pop(0)
            continue
        if not isinstance(a.size, int) or not isinstance(b.size, int):
            return None
        longer = 0 if a.size > b.size else 1
        large, small = sides[longer][0], sides[1 - longer][0].size
        assert isinstance(large.size, int)
        assert isinstance(small, int)
        if large.size % small:
            return None
        split = Part(small), Part(large.size // small)
        names[longer][large] = split
        sides[longer][:1] = split
    return None if sides[0] or sides[1] else names


def is_time_part(part: Part) -> bool:
    """Whether a part is time, or a part of it."""
    return is_time(part.size)


def is_steps(part: Part) -> bool:
    """Whether a part is all time steps."""
    return part.size == TIME


def is_batch(part: Part) -> bool:
    """Whether a part is the images of a batch."""
    return part.size == BATCH


def positions(parts: Iterable[Part]) -> int:
    """Elements of parts that are neither time nor batch."""
    return math.prod(part.size for part in parts if isinstance(part.size, int))
