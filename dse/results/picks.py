"""From the evaluated designs to the few that a design review looks at, each with its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dse.config.quantities import QUANTITIES, show
from dse.evaluation.sample_size import needed_images
from dse.problem.goals import CONFIDENCE
from dse.results.candidates import knee, others_met
from dse.results.origin import FLOAT, GUIDED, is_uniform
from dse.results.picks_file import Interval, Judgement, Picks, Verdict
from dse.results.tables import expected_chance
from dse.results.verified import Verified
from sviT_models.measure.accuracy import Z95

ALIKE = 0.01  # probabilities that differ by less name no better design
SAVINGS = {"memory": "memory_bytes", "energy": "energy_j"}


def choose(
    table: pd.DataFrame,
    budgets: Mapping[str, float],
    verified: Mapping[str, Verified],
    third: str,
    expected: pd.DataFrame | None = None,
) -> Picks:
    """The recommended design and at most two alternatives, judged against the budgets.

    `table` is results.csv and `budgets` are by its columns, in SI units (percentage points, mm2); `third` is the column
    of the third objective.  `verified` says what is known of designs on unseen images, by id.  A drop is OK where it is
    within the budget with CONFIDENCE by search and verification together, and the budget is the one that was verified.
    `expected` (`expected, sd` [points] by id) are the drops by the model of all search measurements.
    """
    rows = table.set_index("id", drop=False)
    chosen = _chosen(table, budgets, verified, third)
    limit = budgets.get("drop")
    return {
        "budgets": dict(budgets),
        "verified_candidates": len(verified),
        "needed_images": needed(verified[chosen[0][1]], limit) if chosen and limit is not None else None,
        "picks": [
            {
                "name": name,
                "id": str(rows.loc[design, "id"]),
                "why": why,
                **_judged(rows.loc[design], budgets, verified[design]),
                "predicted_drop": _expected(expected, design),
            }
            for name, design, why in chosen
        ],
        "savings": {"id": chosen[0][1], "against": savings(table, chosen[0][1], budgets, verified)} if chosen else None,
    }


def _chosen(
    table: pd.DataFrame,
    budgets: Mapping[str, float],
    verified: Mapping[str, Verified],
    third: str,
) -> list[tuple[str, str, str]]:
    """Name, id and reason of at most three designs, the recommended one first."""
    rows = table.set_index("id", drop=False)
    feasible = [i for i in verified if others_met(rows.loc[i], budgets)]
    limit = budgets.get("drop")
    safe = [i for i in feasible if limit is None or verified[i].within(limit) >= CONFIDENCE]
    by_memory = sorted(safe, key=lambda i: (rows.loc[i, "memory_bytes"], i))
    if by_memory:
        chosen = [("recommended", by_memory[0], "least memory among the designs verified to meet every budget")]
    elif feasible and limit is not None:
        chances = {i: verified[i].within(limit) for i in feasible}
        alike = [i for i in feasible if chances[i] >= max(chances.values()) - ALIKE]
        why = "no design is verified within the drop budget; the cheapest of those that come closest"
        chosen = [("recommended", str(_least(rows, alike, "memory_bytes")), why)]
    else:
        return []
    bend, pool, cost = knee(table[table["on_front"]]), safe or feasible, third.split("_")[0]
    among = "safe designs" if safe else "verified designs, none of which is safe"
    options = [
        ("knee", bend if bend in verified else None, "largest distance to the chord of the front"),
        (f"least {cost}", _least(rows, pool, third), f"least {cost} among the {among}"),
        ("most accurate", _most_accurate(verified, pool), f"smallest drop on unseen images among the {among}"),
        ("runner-up", by_memory[1] if len(by_memory) > 1 else None, "second least memory among the safe designs"),
    ]
    for name, design, why in options:
        if design is not None and design not in [pick[1] for pick in chosen] and len(chosen) < 3:
            chosen.append((name, design, why))
    return chosen


def _expected(expected: pd.DataFrame | None, design: str) -> Interval | None:
    """Model mean of a design's drop with its 95 % interval."""
    if expected is None or design not in expected.index:
        return None
    row = expected.loc[design]
    mean, reach = float(row["expected"]), Z95 * float(row["sd"])
    return {"value": mean, "low": mean - reach, "high": mean + reach}


def _least(rows: pd.DataFrame, pool: Sequence[str], column: str) -> str | None:
    return min(pool, key=lambda i: (rows.loc[i, column], i), default=None)


def _most_accurate(verified: Mapping[str, Verified], pool: Sequence[str]) -> str | None:
    """The design with the least drop by search and verification together, by the unseen images in older runs."""
    return min(pool, key=lambda i: (verified[i].told["value"], i), default=None)


def _judged(row: pd.Series, budgets: Mapping[str, float], verified: Verified) -> Judgement:
    """One design, a row of results.csv, against every budget."""
    limit = budgets.get("drop")
    return {
        "p_drop_within_budget": None if limit is None else verified.within(limit),
        "rows": [
            _drop_verdict(budgets["drop"], verified)
            if quantity.column == "drop"
            else _verdict(quantity.column, quantity.unit, budgets[quantity.column], float(row[quantity.column]))
            for quantity in QUANTITIES
            if quantity.column in budgets
        ],
        "searched_drop": {
            "value": float(row["drop"]),
            "low": float(row["drop_low"]),
            "high": float(row["drop_high"]),
            "images": int(row["images"]),
        },
        "verified_drop": verified.measured,
        "unseen_drop": verified.joint,
    }


def _verdict(column: str, unit: str, budget: float, achieved: float) -> Verdict:
    return {
        "quantity": column,
        "unit": unit,
        "budget": budget,
        "achieved": achieved,
        "slack": budget - achieved,
        "verdict": "OK" if achieved <= budget else "REVIEW",
        "note": f"{show(achieved, unit)} of {show(budget, unit)}",
    }


def _drop_verdict(budget: float, verified: Verified) -> Verdict:
    probability = verified.within(budget)
    note = f"P(drop within budget) = {probability:.2f} by the search and {verified.images} unseen images"
    good = probability >= CONFIDENCE
    if not verified.is_for(budget):
        good, note = False, f"{note}; the verification was for a budget of {verified.budget:g} pp; search again"
    elif not np.isnan(verified.budget):
        note += f"; these images alone {'show' if verified.shown else 'do not show'} it at the 5 % level"
    if not good and (more := needed(verified, budget)) is not None and more > verified.images:
        note += f"; a clear answer takes about {more} images"
    verdict = "OK" if good else "REVIEW"
    return {**_verdict("drop", "pp", budget, verified.told["value"]), "verdict": verdict, "note": note}


def needed(verified: Verified, budget: float) -> int | None:
    """Unseen images that tell half the budget from a drop beyond it, by the images that the design itself changes.

    None where it is not known how many it changes, and without a positive budget.
    """
    if np.isnan(verified.discordance) or budget <= 0:
        return None
    return needed_images(verified.discordance, budget)


def savings(
    table: pd.DataFrame,
    design: str,
    budgets: Mapping[str, float] | None = None,
    verified: Mapping[str, Verified] | None = None,
) -> dict[str, dict[str, float]]:
    """Shares of memory and energy that a design saves, by origin of what it is compared with.

    table     results.csv
    design    an id of it
    budgets   by column
    verified  drops on unseen images, by id

    Compared are the float network, the best uniform width, uniform 8 bits and the guided baseline.  The best uniform
    width has the least memory of those that keep the budgets, the drop as surely as the design or with 95 %.
    """
    rows = table.drop_duplicates("origin").set_index("origin")
    row = table.set_index("id").loc[design]
    best = _best_uniform(rows, design, budgets or {}, verified or {})
    return {
        origin: {name: float(1 - row[column] / rows.loc[origin, column]) for name, column in SAVINGS.items()}
        for origin in dict.fromkeys([FLOAT, *best, "uniform-8", GUIDED])
        if origin in rows.index
    }


def _kept(row: pd.Series, verified: Mapping[str, Verified], limit: float) -> float:
    """P(drop on unseen images <= limit) of a row: by verification, else by the model; 0 where neither knows."""
    if row["id"] in verified:
        return verified[str(row["id"])].within(limit)
    return float(np.nan_to_num(expected_chance(row.to_frame().T, limit))[0])


def _best_uniform(
    rows: pd.DataFrame,
    design: str,
    budgets: Mapping[str, float],
    verified: Mapping[str, Verified],
) -> list[str]:
    """The origin of the best uniform width, none where no uniform width is sure enough; `rows` are by origin."""
    kept = [o for o in rows.index if is_uniform(str(o)) and others_met(rows.loc[o], budgets)]
    if "drop" in budgets:
        limit = budgets["drop"]
        wanted = min(CONFIDENCE, verified[design].within(limit)) if design in verified else CONFIDENCE
        kept = [o for o in kept if _kept(rows.loc[o], verified, limit) >= wanted]
    return [str(o) for o in sorted(kept, key=lambda o: rows.loc[o, "memory_bytes"])[:1]]
