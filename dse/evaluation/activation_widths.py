"""Widths of the numbers that pass between layers: image, residual streams, and sums without neurons in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from dse.config.choices import USUAL_BITS
from dse.errors import ConfigError
from dse.problem.build_space import stream_starts
from dse.problem.design import Design, other_column

Widths = int | Mapping[str, int]

IMAGE = 8  # the engine's own width of an image [bit], and the default of a configuration


@dataclass(frozen=True)
class ActivationWidths:
    """Widths between layers as the engine takes them.

    names: what has such a width, by the engine's names (`Engine.activation_names`), the image first; fixed: the
    widths that the configuration says, by these names, where they differ from the engine's own.
    """

    names: tuple[str, ...] = ()
    fixed: Mapping[str, int] = field(default_factory=dict)

    def of(self, design: Design) -> dict[str, int]:
        """The widths that a design runs with, where they differ from the engine's own."""
        found = dict(self.fixed)
        for name in self.names[1:]:
            kind, stage = _place(name)
            found[name] = design.other_bits[kind].get(stage, found.get(name, USUAL_BITS))
        return {name: bits for name, bits in found.items() if name == self.names[0] or bits != USUAL_BITS}

    def options(self, design: Design) -> dict[str, Any]:
        """Arguments of `Engine.run` beside `state_bits`."""
        widths = self.of(design)
        return {"activation_bits": widths} if widths else {}


def by_dimension(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores of widths between layers (`name, bits, score`) summed by dimension of a space: `layer, bits, score`."""
    columns = [other_column(*_place(name)) for name in scores["name"]]
    return scores.assign(layer=columns).groupby(["layer", "bits"], as_index=False, sort=False)["score"].sum()


def _place(name: str) -> tuple[str, str]:
    """Whether a name of the engine is of a `stream` or of sums `between` layers, and its stream or stage."""
    return ("between", name.split(".")[0]) if "." in name else ("stream", name)


def engine_widths(image: int, stream: Widths, between: Widths, names: Sequence[str]) -> dict[str, int]:
    """Widths by the engine's names (`Engine.activation_names`) where they differ from its own.

    `image` is the width of its elements, `stream` that of residual streams and `between` that of sums without neurons,
    for all or by stage [bit].  The first of `names` is the image's; names without a dot but the head's are residual
    streams, by the module that starts them.  Raises ConfigError for a stage that has no such widths.
    """
    first, *others = names
    found: dict[str, int] = {first: image} if image != IMAGE else {}
    given = {"stream": stream, "between": between}
    seen: dict[str, set[str]] = {"stream": set(), "between": set()}
    for name in others:
        kind, stage = _place(name)
        seen[kind].add(stage)
        widths = given[kind]
        bits = widths if isinstance(widths, int) else widths.get(stage, USUAL_BITS)
        if bits != USUAL_BITS:
            found[name] = bits
    for kind, widths in given.items():
        unknown = [] if isinstance(widths, int) else sorted(set(widths) - seen[kind])
        if unknown:
            known = ", ".join(sorted(seen[kind])) or "none"
            raise ConfigError(f"activations.{kind}: no stage {unknown[0]!r} has such numbers; those that do: {known}")
    return found


def with_input_widths(table: pd.DataFrame, chosen: dict[str, int]) -> pd.DataFrame:
    """The layer table with the widths of `engine_widths` as `input_bits`, so that every cost follows them.

    A residual stream has the width of the module that starts it in every addition.
    """
    names = set(table["name"])
    known = {name: bits for name, bits in chosen.items() if name in names}
    known |= {name: chosen[start] for name, start in stream_starts(table).items() if start in chosen}
    if not known:
        return table
    table = table.copy()
    table["input_bits"] = table["name"].map(known).fillna(table["input_bits"]).astype(table["input_bits"].dtype)
    return table
