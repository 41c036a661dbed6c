"""From the evaluated designs to the few that a design review looks at, each with its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from dse.config.quantities import BUDGETS, show
from dse.evaluation.evaluator import Evaluation
from sviT_models.measure.accuracy import Z95

CONFIDENCE = 0.95
EXACT = "exact"  # origin of the design that the integer programme finds
CHANCES = (0.97, 0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2)  # of keeping the drop budget: a ladder of candidates
SAVINGS = {"memory": "memory_bytes", "energy": "energy_j"}


@dataclass(frozen=True)
class Verified:
    """A drop measured on images the search never saw, with its 95 % interval, in percentage points."""

    drop: float
    drop_low: float
    drop_high: float
    images: int


def verified_table(verified: Mapping[str, Evaluation]) -> pd.DataFrame:
    """The content of verified.csv: `id, drop, drop_low, drop_high, images`."""
    rows = [{"id": i} | asdict(Verified(e.drop, e.drop_low, e.drop_high, e.images)) for i, e in verified.items()]
    return pd.DataFrame(rows, columns=["id", "drop", "drop_low", "drop_high", "images"])


def read_verified(table: pd.DataFrame) -> dict[str, Verified]:
    """The inverse of `verified_table`."""
    rows = table.set_index("id").to_dict("index")
    return {str(i): Verified(**{str(k): v for k, v in row.items()}) for i, row in rows.items()}


def knee(front: pd.DataFrame, cost: str = "memory_bytes", most_drop: float = 10.0) -> str | None:
    """Id of the front design farthest below the chord between the front's ends, drop against `cost`.

    Both axes are scaled to the range of the designs that lose at most `most_drop` points; None with fewer than three.
    """
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
    most: int = 14,
    expected: pd.DataFrame | None = None,
) -> list[str]:
    """Ids worth verifying: the cheapest designs that may meet every budget, the knee, and the best baselines.

    With `expected` (`expected, sd` of the drop by id), the cheapest designs are those with the least memory at rising
    probabilities of keeping the drop budget.  Without, a design may keep it when the lower end of its interval does.
    The other budgets must be met.
    """
    designs = table[(table["origin"] != "float") & table["fits"]]
    sure = [] if expected is None or "drop" not in budgets else _cheapest_by_chance(designs, budgets, expected)
    for column, limit in budgets.items():
        reached = designs["drop_low"] if column == "drop" else designs[column]
        designs = designs[reached <= limit]
    front = designs[designs["on_front"]]
    likely = front.assign(risk=_risk(front, budgets)).sort_values(["memory_bytes", "id"])
    # from the cheapest design upward, those that the search images give a fair chance; the likely ones first
    fair = pd.concat([likely[likely["risk"] < 0.5], likely[likely["risk"] >= 0.5].iloc[::-1]])
    chosen = [knee(table[table["on_front"]]), *front.nsmallest(1, third)["id"], *front.nsmallest(1, "drop")["id"]]
    for origin in ("guided", "qsvit"):
        chosen += list(designs[designs["origin"] == origin]["id"][:1])
    exact = [str(i) for i in designs[designs["origin"] == EXACT]["id"]]
    uniform = designs[designs["origin"].str.startswith("uniform")]
    chosen += list(uniform.nsmallest(1, "memory_bytes")["id"])
    ids = list(dict.fromkeys([*exact, *sure, *(str(c) for c in chosen if c is not None)]))
    ids += [str(i) for i in fair["id"] if str(i) not in ids]
    return ids[:most]


def _cheapest_by_chance(designs: pd.DataFrame, budgets: Mapping[str, float], expected: pd.DataFrame) -> list[str]:
    """The designs with the least memory whose chance of keeping the drop budget is at least each of CHANCES."""
    known = designs[[_others_met(row, budgets) for _, row in designs.iterrows()]].drop_duplicates("id").set_index("id")
    known = known.join(expected[~expected.index.duplicated()], how="inner")
    chance = norm.cdf(budgets["drop"], loc=known["expected"], scale=known["sd"].clip(lower=1e-9))
    found = [known.index[chance >= least] for least in CHANCES]
    return list(dict.fromkeys(str(known.loc[ids, "memory_bytes"].idxmin()) for ids in found if len(ids)))


def _risk(designs: pd.DataFrame, budgets: Mapping[str, float]) -> pd.Series:
    """Chance that the drop budget is missed, judged by the search images alone."""
    if "drop" not in budgets:
        return pd.Series(0.0, index=designs.index)
    sd = (designs["drop_high"] - designs["drop_low"]).clip(lower=1e-9) / (2 * Z95)
    return pd.Series(norm.sf(budgets["drop"], loc=designs["drop"], scale=sd), index=designs.index)


def within(evaluation: Evaluation | Verified, limit: float) -> float:
    """P(true drop <= limit) by the paired measurement; the interval's half width stands for the uncertainty."""
    sd = (evaluation.drop_high - evaluation.drop_low) / (2 * Z95)
    return float(norm.cdf(limit, loc=evaluation.drop, scale=max(sd, 1e-9)))


def choose(
    table: pd.DataFrame,
    budgets: Mapping[str, float],
    verified: Mapping[str, Evaluation] | Mapping[str, Verified],
    third: str,
    needed_images: int | None = None,
    expected: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """The content of picks.json: the recommended design and two alternatives, judged against the budgets.

    `verified` are evaluations on images the search never saw; `needed_images` is how many a promise takes on this
    network: a pick verified on fewer is REVIEW. `expected` are the drops by the model of all search measurements.
    """
    rows = table.set_index("id", drop=False)
    feasible = [i for i in verified if _others_met(rows.loc[i], budgets)]
    limit = budgets.get("drop")
    safe = [i for i in feasible if limit is None or within(verified[i], limit) >= CONFIDENCE]
    by_memory = sorted(safe, key=lambda i: (rows.loc[i, "memory_bytes"], i))
    picks: list[tuple[str, str, str]] = []
    if by_memory:
        picks.append(("recommended", by_memory[0], "least memory among the designs verified to meet every budget"))
    elif feasible and limit is not None:
        surest = max(feasible, key=lambda i: (within(verified[i], limit), i))
        picks.append(("recommended", surest, "no design is verified within the drop budget; this one comes closest"))
    bend = knee(table[table["on_front"]])
    pool = safe or feasible
    cost = third.split("_")[0]
    options = [
        ("knee", bend if bend in verified else None, "largest distance to the chord of the front"),
        (f"least {cost}", _least(rows, pool, third), f"least {cost} among the safe designs"),
        ("most accurate", _least(rows, pool, "drop"), "smallest measured drop among the verified designs"),
        ("runner-up", by_memory[1] if len(by_memory) > 1 else None, "second least memory among the safe designs"),
    ]
    for name, design, why in options if picks else ():
        if design is not None and design not in [p[1] for p in picks] and len(picks) < 3:
            picks.append((name, design, why))
    return {
        "budgets": dict(budgets),
        "verified_candidates": len(verified),
        "needed_images": needed_images,
        "picks": [
            _pick(n, w, rows.loc[i], budgets, verified[i], needed_images) | {"predicted_drop": _expected(expected, i)}
            for n, i, w in picks
        ],
        "savings": {"id": picks[0][1], "against": savings(table, picks[0][1])} if picks else None,
    }


def _expected(expected: pd.DataFrame | None, design: str) -> dict[str, float] | None:
    """Model mean of a design's drop with its 95 % interval."""
    if expected is None or design not in expected.index:
        return None
    row = expected[~expected.index.duplicated()].loc[design]
    mean, reach = float(row["expected"]), Z95 * float(row["sd"])
    return {"value": mean, "low": mean - reach, "high": mean + reach}


def _others_met(row: pd.Series, budgets: Mapping[str, float]) -> bool:
    return all(row[column] <= limit for column, limit in budgets.items() if column != "drop")


def _least(rows: pd.DataFrame, pool: Sequence[str], column: str) -> str | None:
    return min(pool, key=lambda i: (rows.loc[i, column], i), default=None)


def _pick(
    name: str,
    why: str,
    row: pd.Series,
    budgets: Mapping[str, float],
    verified: Evaluation | Verified,
    needed_images: int | None,
) -> dict[str, Any]:
    limit = budgets.get("drop")
    probability = None if limit is None else within(verified, limit)
    enough = needed_images is None or verified.images >= needed_images
    judged = []
    for budget in BUDGETS:
        if budget.column not in budgets:
            continue
        allowed = budgets[budget.column]
        achieved = verified.drop if budget.column == "drop" else float(row[budget.column])
        good, note = achieved <= allowed, ""
        if budget.column == "drop":
            good, note = _drop_verdict(verified, probability, enough, needed_images)
        judged.append(
            {
                "quantity": budget.column,
                "unit": budget.unit,
                "budget": allowed,
                "achieved": achieved,
                "slack": allowed - achieved,
                "verdict": "OK" if good else "REVIEW",
                "note": note or f"{show(achieved, budget.unit)} of {show(allowed, budget.unit)}",
            }
        )
    searched = {k: float(row[c]) for k, c in (("value", "drop"), ("low", "drop_low"), ("high", "drop_high"))}
    return {
        "name": name,
        "id": str(row["id"]),
        "why": why,
        "p_drop_within_budget": probability,
        "rows": judged,
        "searched_drop": searched | {"images": int(row["images"])},
        "verified_drop": {
            "value": verified.drop,
            "low": verified.drop_low,
            "high": verified.drop_high,
            "images": verified.images,
        },
    }


def _drop_verdict(
    verified: Evaluation | Verified, probability: float | None, enough: bool, needed: int | None
) -> tuple[bool, str]:
    assert probability is not None
    note = f"P(drop within budget) = {probability:.2f} on {verified.images} unseen images"
    if not enough:
        return False, f"{note}; this network needs {needed} images for such a promise"
    return probability >= CONFIDENCE, note


def savings(table: pd.DataFrame, design: str) -> dict[str, dict[str, float]]:
    """Shares of memory and energy that a design saves against float, uniform 8 bits and the guided baseline."""
    rows = table.drop_duplicates("origin").set_index("origin")
    row = table.set_index("id").loc[design]
    return {
        origin: {name: float(1 - row[column] / rows.loc[origin, column]) for name, column in SAVINGS.items()}
        for origin in ("float", "uniform-8", "guided")
        if origin in rows.index
    }
