"""Widths of the numbers that pass between layers: image, residual streams, and sums without neurons in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dse.errors import ConfigError

Widths = int | Mapping[str, int]

IMAGE, BETWEEN_LAYERS = 8, 16  # the engine's own widths [bit], and the defaults of a configuration


def engine_widths(image: int, stream: Widths, between: Widths, names: Sequence[str]) -> dict[str, int]:
    """Widths by the engine's names (`sviT_models.activation_names`) where they differ from its own.

    `image` is the width of its elements, `stream` that of residual streams and `between` that of sums without neurons,
    for all or by stage [bit].  The first of `names` is the image's; names without a dot but the head's are residual
    streams, by the module that starts them.  Raises ConfigError for a stage that has no such widths.
    """
    first, *others = names
    found: dict[str, int] = {first: image} if image != IMAGE else {}
    given = {"stream": stream, "between": between}
    seen: dict[str, set[str]] = {"stream": set(), "between": set()}
    for name in others:
        kind, stage = ("between", name.split(".")[0]) if "." in name else ("stream", name)
        seen[kind].add(stage)
        widths = given[kind]
        bits = widths if isinstance(widths, int) else widths.get(stage, BETWEEN_LAYERS)
        if bits != BETWEEN_LAYERS:
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


def stream_starts(table: pd.DataFrame) -> dict[str, str]:
    """The module that starts the residual stream of every addition of a layer table, by the addition's name."""
    stage = dict(zip(table["name"], table["stage"], strict=True))
    additions = table[table["kind"] == "add"]
    found: dict[str, str] = {}
    for name, since in zip(additions["name"], additions["since"], strict=True):
        found[str(name)] = found[since] if since in found else str(stage[since])
    return found


def engine_options(widths: Mapping[str, int]) -> dict[str, Any]:
    """Arguments of `Engine.run` beside `state_bits`."""
    return {"activation_bits": dict(widths)} if widths else {}
