"""Widths of the numbers that pass between layers: image, residual streams, and sums without neurons in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dse.config.schema import Activations
from dse.errors import ConfigError


def engine_widths(chosen: Activations, names: Sequence[str]) -> dict[str, int]:
    """Widths by the engine's names (`sviT_models.activation_names`) where they differ from its own.

    The first name is the image's; names without a dot but the head's are residual streams, by the module that starts
    them.  Raises ConfigError for a stage that has no such widths.
    """
    image, *others = names
    found: dict[str, int] = {image: chosen.image} if chosen.image != Activations().image else {}
    usual = 16  # the engine's own, and the default of both keys
    given = {"stream": chosen.stream, "between": chosen.between}
    seen: dict[str, set[str]] = {"stream": set(), "between": set()}
    for name in others:
        kind, stage = ("between", name.split(".")[0]) if "." in name else ("stream", name)
        seen[kind].add(stage)
        widths = given[kind]
        bits = widths if isinstance(widths, int) else widths.get(stage, usual)
        if bits != usual:
            found[name] = bits
    for kind, widths in given.items():
        unknown = sorted(set(widths) - seen[kind]) if isinstance(widths, dict) else []
        if unknown:
            known = ", ".join(sorted(seen[kind])) or "none"
            raise ConfigError(f"activations.{kind}: no stage {unknown[0]!r} has such numbers; those that do: {known}")
    return found


def with_input_widths(table: pd.DataFrame, chosen: dict[str, int]) -> pd.DataFrame:
    """The layer table with the widths of `engine_widths` as `input_bits`, so that every cost follows them."""
    known = {name: bits for name, bits in chosen.items() if name in set(table["name"])}
    if not known:
        return table
    table = table.copy()
    table["input_bits"] = table["name"].map(known).fillna(table["input_bits"]).astype(table["input_bits"].dtype)
    return table


def check(chosen: Activations, state_widths: Sequence[int]) -> None:
    """Raises ConfigError where widths are given but potentials are float: only integer networks have such widths."""
    if chosen != Activations() and not state_widths:
        changed = [key for key, value in chosen.model_dump().items() if value != getattr(Activations(), key)]
        raise ConfigError(f"activations.{changed[0]}: only the integer network has this width; set search.state_widths")


def engine_options(widths: dict[str, int]) -> dict[str, Any]:
    """Arguments of `Engine.run` beside `state_bits`."""
    return {"activation_bits": widths} if widths else {}
