"""The decision of a finished run taken again under other budgets, by the report's own rule, without searching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dse.config.quantities import objective_columns
from dse.errors import ConfigError
from dse.problem.goals import CONFIDENCE
from dse.results.candidates import with_chances
from dse.results.origin import FLOAT
from dse.results.picks import choose
from dse.results.run import Run

POSTERIOR = "posterior"  # in the place of a verdict, where a budget was changed after verification


@dataclass(frozen=True)
class Choice:
    """A design under the budgets: `probability` that its drop keeps the budget, None without such a budget.

    verified: whether that rests on unseen images, or on the search's model alone; verdict: OK, REVIEW or POSTERIOR.
    """

    role: str
    id: str
    verified: bool
    probability: float | None
    verdict: str
    why: str


@dataclass(frozen=True)
class Decision:
    """Budgets by column of results.csv [SI; percentage points, mm2], those of the run among them, and the designs.

    changed: the columns whose budget is not the one that the designs were verified for.
    """

    budgets: Mapping[str, float]
    changed: tuple[str, ...]
    choices: tuple[Choice, ...]


def decide(run: Run, given: Mapping[str, float]) -> Decision:
    """The designs that the report's rule picks under other budgets, and the cheapest that the model trusts.

    run    a finished run
    given  budgets by column; those of the run stay where nothing is given

    Verified designs are judged on their unseen images.  A budget that was chosen after verification gets a probability
    and no verdict: it was not fixed before the images were looked at.  Raises ConfigError where nothing was verified.
    """
    if run.verified is None:
        raise ConfigError(f"{run.path / 'verified.csv'}: no such file; `svit-dse search` verifies at its end")
    before = run.config.column_budgets()
    budgets = before | dict(given)
    changed = tuple(column for column, limit in budgets.items() if before.get(column) != limit)
    third = objective_columns(run.config.search.objectives)[2]
    found = choose(run.table, budgets, run.verified, third, run.expected)
    choices = []
    for pick in found["picks"]:
        verdict = "OK" if all(row["verdict"] == "OK" for row in pick["rows"]) else "REVIEW"
        verdict = POSTERIOR if changed else verdict
        choices.append(Choice(pick["name"], pick["id"], True, pick["p_drop_within_budget"], verdict, pick["why"]))
    predicted = _predicted(run, budgets)
    if predicted is not None and predicted.id not in [c.id for c in choices]:
        choices.append(predicted)
    return Decision(budgets, changed, tuple(choices))


def _predicted(run: Run, budgets: Mapping[str, float]) -> Choice | None:
    """The design with the least memory of those that the search's model trusts to keep every budget."""
    if run.expected is None or "drop" not in budgets:
        return None
    known = with_chances(run.table[(run.table["origin"] != FLOAT) & run.table["fits"]], budgets, run.expected)
    trusted = known[known["chance"] >= CONFIDENCE]
    if trusted.empty:
        return None
    best = str(trusted["memory_bytes"].idxmin())
    seen = run.verified is not None and best in run.verified
    why = "least memory among the designs that the search's model trusts" + ("" if seen else "; not verified")
    return Choice("predicted", best, False, float(trusted.loc[best, "chance"]), POSTERIOR, why)
