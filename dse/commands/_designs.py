"""How commands print a design of a run: its drops, costs and widths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dse.config.quantities import QUANTITIES, show
from dse.results.described import COSTS, SAID, Described, cost_text, drop_text

if TYPE_CHECKING:
    import pandas as pd

NAMED = {"state": "potentials", "stream": "stream", "between": "sums"}  # widths beside those of weights


def fact_rows(found: Described, budgets: Mapping[str, float]) -> list[dict[str, Any]]:
    """A design as rows of `what` and `value`; `budgets` are by column of results.csv."""
    rows = [("names", ", ".join(found.names)), ("time steps", str(found.design.time_steps))]
    if "drop" in budgets:
        rows.append(("budget of the drop", f"{budgets['drop']:g} pp"))
    for kind, drop in found.drops.items():
        told = SAID[kind].format(**{"images": 0} | {k: int(v) for k, v in drop.items() if k == "images"})
        rows.append((f"drop, {kind}", f"{drop_text(drop)}; {told}"))
    share, low, high = found.top1
    rows.append(("top-1, searched", f"{share:.2%}, 95 % interval {low:.2%} to {high:.2%}"))
    for quantity in COSTS:
        if quantity.column in found.costs:
            value = cost_text(quantity, found.costs[quantity.column], budgets.get(quantity.column))
            rows.append((quantity.key, value))
    rows.append(("mean weight width", f"{found.mean_weight_bits:.2f} bit"))
    return [{"what": what, "value": value} for what, value in rows]


def width_rows(found: Described) -> list[dict[str, Any]]:
    """A row per block: the widths of its weight layers in network order, and of its stage's potentials."""
    states = found.design.state_bits
    return [
        {"block": block, "weights [bit]": " ".join(bits), "potentials [bit]": states.get(_stage(block), "float")}
        for block, bits in _by_block(found).items()
    ]


def difference_rows(first: Described, second: Described, heads: Sequence[str]) -> list[dict[str, Any]]:
    """A row per block, and per stage's potentials, whose widths differ."""
    rows = []
    pairs = {"": (_by_block(first), _by_block(second))}
    pairs |= {f"{named} of ": (_others(first, kind), _others(second, kind)) for kind, named in NAMED.items()}
    for kind, (one, other) in pairs.items():
        for name in dict.fromkeys([*one, *other]):
            both = [" ".join(each.get(name, ["as built"])) for each in (one, other)]
            if both[0] != both[1]:
                rows.append({"block": f"{kind}{name}"} | dict(zip(heads, both, strict=True)))
    return rows


def _by_block(found: Described) -> dict[str, list[str]]:
    blocks: dict[str, list[str]] = {}
    for layer, bits in zip(found.design.layers, found.design.weight_bits, strict=True):
        parts = layer.split(".")
        blocks.setdefault(".".join(parts[:2]) if len(parts) > 2 else parts[0], []).append(str(bits))
    return blocks


def _others(found: Described, kind: str) -> dict[str, list[str]]:
    return {name: [str(bits)] for name, bits in found.design.other_bits[kind].items()}


def _stage(layer: str) -> str:
    return layer.split(".")[0]


def budget_text(budgets: Mapping[str, float]) -> str:
    """All budgets in one line."""
    kept = [q for q in QUANTITIES if q.column in budgets]
    return ", ".join(f"{q.key} <= {show(budgets[q.column], q.unit)}" for q in kept) or "no budgets"


def part_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    """The rows of decomposition.csv: changes of memory and energy as shares, of the drop with its sd."""
    return [
        {
            "part": str(each["part"]),
            "how": str(each["how"]),
            "memory": f"{each['memory_after'] / each['memory_before'] - 1:+.1%}",
            "energy": f"{each['energy_after'] / each['energy_before'] - 1:+.1%}",
            "drop [pp]": f"{each['drop_after'] - each['drop_before']:+.2f} +- {each['change_sd']:.2f}",
        }
        for each in table.to_dict("records")
    ]
