"""Side constraints of a search: from the names in a configuration to the space's dimensions, and who obeys them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dse.arrays import BoolArray, IntArray
from dse.errors import ConfigError
from dse.problem.design import weight_column
from dse.problem.space import Space


@dataclass(frozen=True)
class Sides:
    """Side constraints of a pick.

    `equal`: groups of dimension names that must have the same choice (q, k and v of a block);
    `max_widths`: at most so many different weight widths in the network (decoders on the chip);
    `allowed`: the only weight widths permitted (those that the chip can store);
    `pinned`: dimensions with one given choice.
    """

    equal: tuple[tuple[str, ...], ...] = ()
    max_widths: int | None = None
    allowed: tuple[int, ...] | None = None
    pinned: tuple[tuple[str, int], ...] = ()


FREE = Sides()


def sides_of(
    space: Space, equal: Sequence[Sequence[str]] = (), max_widths: int | None = None, allowed: Sequence[int] = ()
) -> Sides:
    """The side constraints on a space, by the names of groups.

    An entry of `equal` names groups in full, or as they are called inside every block that has them; `max_widths` is
    the most different weight widths; `allowed` are the only ones [bit], none given: all that are searched.
    Raises ConfigError for a name that no weight dimension has, and for a width that the space does not have.
    """
    weights = {d.group: d for d in space.dimensions if d.kind == "weight"}
    widths = {choice for d in weights.values() for choice in d.choices}
    if missing := [b for b in allowed if b not in widths]:
        have = ", ".join(map(str, sorted(widths)))
        raise ConfigError(f"constraints.allowed: width {missing[0]} is not searched; search.widths has {have}")
    groups: list[tuple[str, ...]] = []
    for names in equal:
        by_block: dict[str, list[str]] = {}
        for name in names:
            found = [n for n, d in weights.items() if name in (n, n.removeprefix(f"{d.block}."))]
            if not found:
                raise ConfigError(
                    f"constraints.equal: no group {name!r}; with this granularity there are {_some(list(weights))}"
                )
            for n in found:
                by_block.setdefault("" if n == name else weights[n].block, []).append(weight_column(n))
        groups += [tuple(dict.fromkeys(group)) for group in by_block.values() if len(group) > 1]
    return Sides(tuple(groups), max_widths, tuple(allowed) or None)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


def obeyed(space: Space, sides: Sides, levels: IntArray) -> BoolArray:
    """Which of the designs (N, D) keep the side constraints, (N,)."""
    values = space.values(np.asarray(levels, dtype=np.int64).reshape(-1, len(space.dimensions)))
    weights = values[:, [d.kind == "weight" for d in space.dimensions]]
    kept = np.ones(len(values), dtype=np.bool_)
    for group in sides.equal:
        part = values[:, [space.names.index(name) for name in group]]
        kept &= (part == part[:, :1]).all(axis=1)
    if sides.allowed is not None:
        kept &= np.isin(weights, sides.allowed).all(axis=1)
    if sides.max_widths is not None:
        kept &= np.array([len(np.unique(row)) <= sides.max_widths for row in weights], dtype=np.bool_)
    return kept


def projected(space: Space, sides: Sides, levels: IntArray) -> IntArray:
    """A design (D,) near the given one that keeps the side constraints; one that keeps them stays as it is.

    Tied groups take the width of their first, widths that are not allowed the nearest that is, and beyond k different
    ones the k most common stay (ties to the wider). Where groups have different choices, no such design may be found.
    """
    values = space.values(np.asarray(levels, dtype=np.int64)).copy()
    weights = np.array([d.kind == "weight" for d in space.dimensions])
    for group in sides.equal:
        rows = [space.names.index(name) for name in group]
        values[rows] = values[rows[0]]
    if sides.allowed is not None:
        values[weights] = _nearest(values[weights], np.array(sorted(sides.allowed)))
    if sides.max_widths is not None:
        widths, counts = np.unique(values[weights], return_counts=True)
        kept = widths[np.lexsort((widths, counts))[::-1][: sides.max_widths]]
        values[weights] = _nearest(values[weights], np.sort(kept))
    each = zip(values[:, None], space.dimensions, strict=True)
    return np.concatenate([_nearest_at(value, np.array(d.choices)) for value, d in each])


def _nearest_at(values: IntArray, choices: IntArray) -> IntArray:
    """Index of the choice nearest to each value, (N,); ties to the larger."""
    gap = np.abs(choices[None] - values[:, None])
    return np.asarray(len(choices) - 1 - gap[:, ::-1].argmin(axis=1))


def _nearest(values: IntArray, choices: IntArray) -> IntArray:
    return np.asarray(choices[_nearest_at(values, choices)])
