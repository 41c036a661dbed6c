"""One point of the design space."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from dse.arrays import IntArray
from dse.config.choices import USUAL_BITS

FLOAT = 32  # bits of a weight that stays as trained
WEIGHTS = "w:"  # what the columns of widths in results.csv begin with, and names of dimensions
PREFIXES = {"state": "v:", "stream": "r:", "between": "b:"}  # the same of other widths, by kind of dimension


def weight_column(layer: str) -> str:
    """The column of results.csv with the weight width of a layer; also the dimension that decides a group's."""
    return WEIGHTS + layer


def other_column(kind: str, name: str) -> str:
    """The column of results.csv with another width, by kind and stage or stream; also the dimension that decides it."""
    return PREFIXES[kind] + name


def is_other_column(name: str) -> bool:
    """Whether a column of results.csv holds widths of anything but weights: of potentials, streams, between layers."""
    return name.startswith(tuple(PREFIXES.values()))


def is_weight_column(name: str) -> bool:
    """Whether a column of results.csv holds weight widths."""
    return name.startswith(WEIGHTS)


@dataclass(frozen=True)
class Design:
    """How many bits every layer gets and how many time steps the network runs.

    `layers` are the weight layers in network order and `weight_bits` their widths (32 = float).
    `state_bits` maps a stage to the width of its membrane potentials; a stage that is absent keeps float states.
    `stream_bits` maps the module that starts a residual stream to the width of the stream, `between_bits` a stage to
    that of its sums without neurons; what is absent has the width of the configuration, 16 as a rule.
    """

    layers: tuple[str, ...]
    weight_bits: tuple[int, ...]
    time_steps: int
    state_bits: Mapping[str, int] = field(default_factory=dict)
    stream_bits: Mapping[str, int] = field(default_factory=dict)
    between_bits: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.layers) != len(self.weight_bits):
            raise ValueError(f"{len(self.layers)} layers but {len(self.weight_bits)} widths")

    @cached_property
    def id(self) -> str:
        """Short content hash: equal designs have equal ids on every machine.

        Streams and sums of 16 bits are not part of it: so they are where nobody chose their width.
        """
        parts = [f"T={self.time_steps}"]
        parts += [f"{weight_column(name)}={bits}" for name, bits in zip(self.layers, self.weight_bits, strict=True)]
        parts += [f"{other_column('state', stage)}={bits}" for stage, bits in sorted(self.state_bits.items())]
        for kind in ("stream", "between"):
            given = sorted(self.other_bits[kind].items())
            parts += [f"{other_column(kind, name)}={bits}" for name, bits in given if bits != USUAL_BITS]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]

    @property
    def widths(self) -> IntArray:
        """Weight widths, shape (L,)."""
        return np.asarray(self.weight_bits, dtype=np.int64)

    @property
    def other_bits(self) -> dict[str, Mapping[str, int]]:
        """The widths of potentials, streams and sums between layers, by kind of dimension."""
        return {"state": self.state_bits, "stream": self.stream_bits, "between": self.between_bits}

    def lif_bits(self, lif_layers: Mapping[str, Sequence[str]]) -> dict[str, int]:
        """Width of the membrane potentials [bit] of every LIF layer, from the LIF layers of every stage."""
        return {lif: bits for stage, bits in self.state_bits.items() for lif in lif_layers[stage]}

    def columns(self) -> dict[str, int]:
        """The design as columns of results.csv: `v:<stage>`, `r:<stream>`, `b:<stage>`, then `w:<layer>`."""
        others = {
            other_column(kind, name): bits for kind, given in self.other_bits.items() for name, bits in given.items()
        }
        return others | {weight_column(name): bits for name, bits in zip(self.layers, self.weight_bits, strict=True)}

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Design:
        """The design in a row of results.csv without its empty cells, the inverse of `columns`."""
        bits = {name.removeprefix(WEIGHTS): int(value) for name, value in row.items() if is_weight_column(name)}
        states, streams, between = (
            {name.removeprefix(prefix): int(value) for name, value in row.items() if name.startswith(prefix)}
            for prefix in PREFIXES.values()
        )
        return cls(tuple(bits), tuple(bits.values()), int(row["time_steps"]), states, streams, between)

    def __hash__(self) -> int:
        return hash(self.id)


def uniform(layers: tuple[str, ...], bits: int, time_steps: int) -> Design:
    """Every layer at the same width."""
    return Design(layers, (bits,) * len(layers), time_steps)
