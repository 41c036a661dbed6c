"""The space of a search that may fuse the network or not: one layer of the fused form is one chain of the other.

A chain is a layer behind neurons and the layers after it that see its sums (`input` is `multibit`); fusing makes one
dense convolution of it. So a width per chain is a width in either form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pandas as pd

from dse.config.choices import ONE_FORM_PER_LAYER
from dse.errors import ConfigError
from dse.problem.build_space import build_space
from dse.problem.by_form import ByForm
from dse.problem.space import Dimension, Space

PLACES = ["name", "group", "block", "stage"]


def chains(table: pd.DataFrame) -> list[str]:
    """For every weight layer of the layer table of an unfused network, in order, the name of its chain.

    The name is the group of the chain's last layer.
    """
    rows = table[table["weights"] > 0]
    begins = rows["input"].to_numpy() == "spike"
    begins[0] = True  # the image
    return list(rows["group"].groupby(begins.cumsum(), sort=False).transform("last"))


def shared_groups(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The layer tables of both forms (`unfused`, `fused`) with the chains as groups.

    Raises ConfigError for tables of different networks.
    """
    names = chains(tables["unfused"])
    ends = list(dict.fromkeys(names))
    found = {}
    for form, table in tables.items():
        weights = table["weights"] > 0
        own = names if form == "unfused" else ends
        if int(weights.sum()) != len(own):
            raise ConfigError(f"the {form} form has {int(weights.sum())} weight layers where {len(own)} were expected")
        found[form] = table.copy()
        found[form].loc[weights, "group"] = own
    return found


@dataclass(frozen=True)
class FormSpace(Space):
    """A space with the form of the network among its dimensions.

    `spaces` has the same dimensions with the layers of each form; the other fields are those of the first.
    """

    spaces: ByForm[Space] = field(kw_only=True)

    @property
    def forms(self) -> ByForm[Space]:
        """The space of every form with its own layers."""
        return self.spaces


def build_form_space(
    tables: Mapping[str, pd.DataFrame],
    *,
    granularity: str = "module",
    fixed: Mapping[str, int] | None = None,
    other_widths: Mapping[str, Sequence[int]] | None = None,
    **rest: Any,
) -> FormSpace:
    """The search space over both forms from their layer tables (`unfused`, `fused`); arguments as `build_space`.

    Sums between layers, which fusing removes, are dimensions that decide nothing in the fused form.
    Raises ConfigError for granularity `layer`, and for a fixed name that is only a part of a chain.
    """
    if granularity == "layer":
        raise ConfigError(ONE_FORM_PER_LAYER)
    grouped = shared_groups(tables)
    pinned = _by_chain(dict(fixed or {}), grouped)
    choice = Dimension("form", "form", tuple(range(len(grouped))), ())
    spaces = {}
    first: tuple[Dimension, ...] = ()
    for form, table in grouped.items():
        widths = {k: w for k, w in (other_widths or {}).items() if k != "between" or form == "unfused"}
        space = build_space(table, granularity=granularity, fixed=pinned, other_widths=widths, **rest)
        first, own = first or space.dimensions, {d.name: d for d in space.dimensions}
        dimensions = tuple(own.get(d.name, replace(d, layers=())) for d in first)
        spaces[form] = replace(space, dimensions=(*dimensions, choice), form=form)
    by_form = ByForm.of(spaces, lambda space: space.layers)
    return FormSpace(**{each.name: getattr(by_form.first, each.name) for each in fields(Space)}, spaces=by_form)


def _by_chain(fixed: Mapping[str, int], tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Widths that are not searched, by chain; unknown names stay as they are."""
    out: dict[str, int] = {}
    for name, bits in fixed.items():
        whole: dict[str, None] = {}
        partly: dict[str, None] = {}
        for table in tables.values():
            rows = table[table["weights"] > 0]
            hit = (rows[PLACES] == name).any(axis=1)
            for group, part in hit.groupby(rows["group"], sort=False):
                if part.any():
                    (whole if part.all() else partly)[str(group)] = None
        if part_of := [group for group in partly if group not in whole]:
            raise ConfigError(
                f"search.fixed: {name!r} is a part of {part_of[0]}, which is one layer in the fused form; "
                f"fix {part_of[0]}, or search one form"
            )
        out |= dict.fromkeys(whole or [name], bits)
    return out


def merged_columns(space: Space) -> list[str]:
    """Weight layers of all forms of a space, each form's in network order, a fused one after those it stands for."""
    first, *others = (list(each.layers) for each in space.forms.values())
    if not others:
        return first
    unfused, (fused,) = first, others
    out = []
    for layer, following in zip(unfused, [*unfused[1:], ""], strict=True):
        out.append(layer)
        inside = f"{fused[0]}." if fused else "."
        if fused and layer == fused[0]:
            fused.pop(0)
        elif layer.startswith(inside) and not following.startswith(inside):
            out.append(fused.pop(0))
    return out + fused
