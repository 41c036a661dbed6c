"""Which measured designs are worth the images that the search never saw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dse.results.origin import EXACT, FLOAT, GUIDED, SURER
from dse.results.tables import unseen_drop
from sviT_models.measure.accuracy import Z95, normal_cdf

CHANCES = (0.97, 0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2)  # of keeping the drop budget: a ladder of candidates
UPPER = (0.99, 0.9999, 0.999999)  # its upper rungs: what is left to recommend where the model was too bold
MOST = 17  # candidates


def knee(front: pd.DataFrame, cost: str = "memory_bytes", most_drop: float = 10.0) -> str | None:
    """Id of the front design farthest below the chord between the front's ends, drop on unseen images against `cost`.

    Both axes are scaled to the range of the designs that lose at most `most_drop` points; None with fewer than three.
    """
    front = front.assign(drop=unseen_drop(front))
    part = front[front["drop"] <= most_drop].sort_values([cost, "drop"])
    if len(part) < 3:
        return None
    x = part[cost].to_numpy(dtype=float)
    y = part["drop"].to_numpy(dtype=float)
    x = (x - x.min()) / max(np.ptp(x), 1e-30)
    y = (y - y.min()) / max(np.ptp(y), 1e-30)
    chord = y[0] + (y[-1] - y[0]) * x
    return str(part["id"].iloc[int((chord - y).argmax())])


def candidates(
    table: pd.DataFrame,
    budgets: Mapping[str, float],
    third: str,
    expected: pd.DataFrame | None = None,
    most: int = MOST,
) -> list[str]:
    """Ids worth verifying: the cheapest designs that may meet every budget, the knee, and the best baselines.

    With `expected` (`expected, sd` of the drop by id), the cheapest designs are those with the least memory at rising
    probabilities of keeping the drop budget.  A design may keep it when the lower end of its interval does, that of the
    model where it is known.  The other budgets must be met.
    """
    designs = table[(table["origin"] != FLOAT) & table["fits"]]
    designs = designs.assign(drop=unseen_drop(designs))
    if "expected" in designs:
        ends = {f"drop_{end}": designs[f"expected_{end}"].fillna(designs[f"drop_{end}"]) for end in ("low", "high")}
        designs = designs.assign(**ends)
    sure = [] if expected is None or "drop" not in budgets else _cheapest_by_chance(designs, budgets, expected)
    for column, limit in budgets.items():
        reached = designs["drop_low"] if column == "drop" else designs[column]
        designs = designs[reached <= limit]
    front = designs[designs["on_front"]]
    likely = front.assign(risk=_risk(front, budgets)).sort_values(["memory_bytes", "id"])
    # from the cheapest design upward, those that have a fair chance; the likely ones first
    fair = pd.concat([likely[likely["risk"] < 0.5], likely[likely["risk"] >= 0.5].iloc[::-1]])
    chosen = [knee(table[table["on_front"]]), *front.nsmallest(1, third)["id"], *front.nsmallest(1, "drop")["id"]]
    for origin in (GUIDED, "qsvit"):
        chosen += list(designs[designs["origin"] == origin]["id"][:1])
    exact = [str(i) for i in designs[designs["origin"].isin([EXACT, SURER])]["id"]]
    uniform = designs[designs["origin"].str.startswith("uniform")]
    chosen += list(uniform.nsmallest(1, "memory_bytes")["id"])
    ids = list(dict.fromkeys([*exact, *sure, *(str(c) for c in chosen if c is not None)]))
    ids += [str(i) for i in fair["id"] if str(i) not in ids]
    return ids[:most]


def _cheapest_by_chance(designs: pd.DataFrame, budgets: Mapping[str, float], expected: pd.DataFrame) -> list[str]:
    """The designs with the least memory whose chance of keeping the drop budget is at least each of the ladder's."""
    known = with_chances(designs, budgets, expected)
    found = [known.index[known["chance"] >= least] for least in (*CHANCES, *UPPER)]
    return list(dict.fromkeys(str(known.loc[ids, "memory_bytes"].idxmin()) for ids in found if len(ids)))


def with_chances(designs: pd.DataFrame, budgets: Mapping[str, float], expected: pd.DataFrame) -> pd.DataFrame:
    """The designs that meet every budget but that of the drop, by id: `memory_bytes`, and by the
    model the `chance` of keeping that one."""
    kept = np.array([others_met(row, budgets) for _, row in designs.iterrows()], dtype=np.bool_)
    known = designs[kept].drop_duplicates("id").set_index("id")[["memory_bytes"]].join(expected, how="inner")
    chance = normal_cdf((budgets["drop"] - known["expected"]) / known["sd"].clip(lower=1e-9))
    return known[["memory_bytes"]].assign(chance=chance)


def _risk(designs: pd.DataFrame, budgets: Mapping[str, float]) -> pd.Series:
    """Chance that the drop budget is missed, by the interval of the drop."""
    if "drop" not in budgets:
        return pd.Series(0.0, index=designs.index)
    sd = (designs["drop_high"] - designs["drop_low"]).clip(lower=1e-9) / (2 * Z95)
    return pd.Series(normal_cdf((designs["drop"] - budgets["drop"]) / sd), index=designs.index)


def others_met(row: pd.Series, budgets: Mapping[str, float]) -> bool:
    """Whether a row of results.csv keeps every budget but that of the drop; `budgets` are by column."""
    return all(row[column] <= limit for column, limit in budgets.items() if column != "drop")
