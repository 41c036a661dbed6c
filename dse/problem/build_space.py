"""The design space of a network from its layer table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pandas as pd

from dse.errors import ConfigError
from dse.problem.design import other_column, weight_column
from dse.problem.space import Dimension, Kind, Space

GRANULARITIES = ("layer", "module", "block", "stage")
NOT_THERE = {"stream": "residual streams", "between": "sums that reach a layer without neurons"}


def build_space(
    table: pd.DataFrame,
    *,
    widths: Sequence[int],
    granularity: str = "module",
    fixed: Mapping[str, int] | None = None,
    other_widths: Mapping[str, Sequence[int]] | None = None,
    time_steps: Sequence[int] = (1,),
) -> Space:
    """The search space of a network from its layer table (columns `name, group, block, stage, weights, neurons`).

    `fixed` maps layers or groups, blocks or stages to a width that is not searched; `other_widths` are the choices for
    potentials (`state`), residual streams (`stream`) and sums without neurons (`between`), each by stage.
    Raises ConfigError for an unknown granularity or for a fixed name that the network does not have.
    """
    if granularity not in GRANULARITIES:
        raise ConfigError(f"search.granularity is {granularity!r}; expected one of {', '.join(GRANULARITIES)}")
    rows = table[table["weights"] > 0]
    layers = tuple(rows["name"])
    pinned = _pinned(rows, dict(fixed or {}))
    key = {"layer": "name", "module": "group"}.get(granularity, granularity)
    dimensions = []
    for name, part in rows[~rows["name"].isin(list(pinned))].groupby(key, sort=False):
        column, choices, block = weight_column(str(name)), tuple(sorted(set(widths))), str(part["block"].iloc[0])
        dimensions.append(Dimension(column, "weight", choices, tuple(part["name"]), block))
    dimensions += _others(table, other_widths or {})
    steps = tuple(sorted(set(time_steps)))
    if len(steps) > 1:
        dimensions.append(Dimension("T", "time_steps", steps, ()))
    if not dimensions:
        raise ConfigError("search.fixed pins every layer: nothing is left to search; free at least one")
    return Space(tuple(dimensions), layers, pinned, steps[-1])


def _others(table: pd.DataFrame, widths: Mapping[str, Sequence[int]]) -> Iterator[Dimension]:
    """The dimensions of potentials, streams and sums between layers, by stage."""
    kinds: dict[Kind, Callable[[pd.DataFrame], dict[str, tuple[str, ...]]]] = {
        "state": lambda rows: _by_stage(rows[rows["neurons"] > 0]),
        "stream": _by_start,
        "between": lambda rows: _by_stage(_sums(rows)),
    }
    for kind, rows_of in kinds.items():
        if choices := tuple(sorted(set(widths.get(kind, ())))):
            by_name = rows_of(table)
            if kind in NOT_THERE and not by_name:
                raise ConfigError(f"search.{kind}_widths: the layer table has no {NOT_THERE[kind]}; leave it out")
            for name, own in by_name.items():
                yield Dimension(other_column(kind, name), kind, choices, own, name)


def stream_starts(table: pd.DataFrame) -> dict[str, str]:
    """The module that starts the residual stream of every addition of a layer table, by the addition's name."""
    stage = dict(zip(table["name"], table["stage"], strict=True))
    additions = table[table["kind"] == "add"]
    found: dict[str, str] = {}
    for name, since in zip(additions["name"], additions.get("since", ()), strict=True):
        found[str(name)] = found[since] if since in found else str(stage[since])
    return found


def _by_stage(rows: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    return {str(stage): tuple(part["name"]) for stage, part in rows.groupby("stage", sort=False)}


def _by_start(table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """The additions of every residual stream, by the module that starts it."""
    found: dict[str, tuple[str, ...]] = {}
    for name, start in stream_starts(table).items():
        found[start] = (*found.get(start, ()), name)
    return found


def _sums(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that see sums of another layer: those with numbers at their input, but for the first, which sees the
    image.
    """
    rows = table[(table["input"] == "multibit") & (table["weights"] > 0)]
    return rows[rows.index != table.index[0]]


def check_fixed(layers: Sequence[str], fixed: Mapping[str, int]) -> None:
    """Raises ConfigError for a fixed name that no space of a network can have, before there is a layer table.

    layers  paths of the weight layers; blocks and stages are beginnings of them
    fixed   widths by name
    """
    for name in fixed:
        if not any(f"{layer}.".startswith(f"{name}.") for layer in layers):
            raise _unknown(name, (layer.partition(".")[0] for layer in layers))


def _unknown(name: str, stages: Iterable[str]) -> ConfigError:
    known = ", ".join(dict.fromkeys(stages))
    return ConfigError(f"search.fixed: no layer, group, block or stage {name!r}; stages are {known}")


def _pinned(rows: pd.DataFrame, fixed: Mapping[str, int]) -> dict[str, int]:
    pinned: dict[str, int] = {}
    for name, bits in fixed.items():
        hit = rows[(rows[["name", "group", "block", "stage"]] == name).any(axis=1)]
        if hit.empty:
            raise _unknown(name, rows["stage"])
        pinned |= dict.fromkeys(hit["name"], int(bits))
    return pinned
