"""What a weight layer is part of, by its place among the products and shortcuts of the layer table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

PLACES = "kind", "kernel", "after", "since"  # columns of a layer table that say where a layer stands


@dataclass(frozen=True)
class Branch:
    """The rows beside one shortcut, from `first` up to and without `end`."""

    first: int
    end: int


def layer_types(table: pd.DataFrame) -> dict[str, str]:
    """What every weight layer of a layer table is part of: attention, MLP, convolutions, downsampling, head.

    table  rows in network order; a table that does not say where shortcuts are gives every layer its stage

    Beside a shortcut stand an attention (its layers in front of the last product are q, k and v), an MLP (all kernels
    1), a SepConv (a kernel of 1 before wider ones) or channel convolutions. Other layers are heads where they are
    linear, and downsampling where the network has shortcuts at all.
    """
    weights = table["weights"] > 0 if "weights" in table else pd.Series(True, index=table.index)
    if not set(PLACES) <= set(table.columns) or not (table["kind"] == "add").any():
        return dict(zip(table["name"][weights], table["stage"][weights], strict=True))
    branches = _branches(table)
    return {
        name: _type(table, row, branches)
        for row, (name, weighs) in enumerate(zip(table["name"], weights, strict=True))
        if weighs
    }


def types_of(layers: Sequence[str], types: Mapping[str, str]) -> str:
    """The types of several layers, joined by ` + `.

    layers  names of weight layers
    types   of `layer_types`
    """
    return " + ".join(dict.fromkeys(types[name] for name in layers))


def _branches(table: pd.DataFrame) -> list[Branch]:
    """One branch for every sum with a shortcut; rows that begin where the other stream begins stand in it."""
    rows = {name: row for row, name in enumerate(table["name"])}
    sums = table[table["kind"] == "add"]
    ends = dict(zip(sums["name"], sums["after"], strict=True))

    def last(name: object) -> int:
        """Row of the last layer in front of a place; -1 for the image."""
        seen = set()
        while name in ends and name not in seen:
            seen.add(name)
            name = ends[name]
        return rows.get(str(name), -1)

    return [Branch(last(since) + 1, last(after) + 1) for after, since in zip(sums["after"], sums["since"], strict=True)]


def _type(table: pd.DataFrame, row: int, branches: Sequence[Branch]) -> str:
    around = [branch for branch in branches if branch.first <= row < branch.end]
    if not around:
        return "head" if table["kind"].iloc[row] == "linear" else "downsampling"
    branch = min(around, key=lambda each: each.end - each.first)
    part = table.iloc[branch.first : branch.end]
    if products := [i for i, kind in enumerate(part["kind"], branch.first) if kind == "attention"]:
        return "attention q, k, v" if row < products[-1] else "attention projection"
    kernels = [int(kernel) for kernel, kind in zip(part["kernel"], part["kind"], strict=True) if kind != "add"]
    if max(kernels) == 1:
        return "MLP" if len(kernels) > 1 else "downsampling"  # one alone brings the shortcut to another size
    return "SepConv" if any(a == 1 < b for a, b in pairwise(kernels)) else "channel convolution"
