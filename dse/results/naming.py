"""Which design of a run a name means; every command and `dse.load` read names the same way."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import pandas as pd

from dse.errors import ConfigError

RECOMMENDED = "recommended"


def design_id(name: str | None, table: pd.DataFrame, picks: Mapping[str, str], place: str) -> str:
    """The id of the design that a name means.

    name   what was typed: an id, the beginning of one that no other id has, an origin (`uniform-4`: the first design
           of it), or a pick (`recommended`, `knee`, `least-power`)
    table  the designs that can be meant: `id, origin`
    picks  ids of the picks by name, words joined by hyphens
    place  the file that is named in messages

    Raises ConfigError for no name, a name that nothing has, and the beginning of several ids.
    """
    ids = [str(i) for i in table["id"].unique()]
    if name is None:
        raise ConfigError(f"--design: name a design of {place}: {_offered(ids, table, picks)}")
    if name in ids:
        return name
    pick = name.lower().replace(" ", "-").replace("_", "-")
    if pick in picks:
        return picks[pick]
    if (of_origin := table["origin"] == name).any():
        return str(table.loc[of_origin, "id"].iloc[0])
    begun = [i for i in ids if name and i.startswith(name.lower())]
    if len(begun) == 1:
        return begun[0]
    if begun:
        some = ", ".join(begun[:4]) + (", ..." if len(begun) > 4 else "")
        raise ConfigError(f"--design {name}: {len(begun)} ids in {place} begin so ({some}); give more of it")
    if pick == RECOMMENDED:
        raise ConfigError(f"--design {name}: the run recommends none; name one: {_offered(ids, table, picks)}")
    close = difflib.get_close_matches(name, [*picks, *table["origin"].unique(), *ids], 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {_offered(ids, table, picks)}"
    raise ConfigError(f"--design {name}: no such id in {place}; {hint}")


def _offered(ids: list[str], table: pd.DataFrame, picks: Mapping[str, str]) -> str:
    """What can be named, in one line."""
    names = list(dict.fromkeys([*picks, *table["origin"].astype(str)]))
    return f"{', '.join(names)}, or an id ({', '.join(ids[:3])}, ...)"
