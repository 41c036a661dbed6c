"""picks.json: the budgets, the designs that a run puts forward, and what the first of them saves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reports.run.json_file import Entry, read_json


@dataclass(frozen=True)
class BudgetCheck:
    """One budget of one pick [SI, or pp of accuracy]; `slack` is budget minus achieved, `verdict` OK or REVIEW."""

    quantity: str
    unit: str
    budget: float
    achieved: float
    slack: float
    verdict: str
    note: str


@dataclass(frozen=True)
class PickedDesign:
    """A design put forward: why, the checks of its budgets, and the probability that its drop is within the budget.

    `verified_images` is 0 where it was not measured on unseen images; `predicted_drop` [pp] and `probability` are
    None where they are unknown.
    """

    name: str
    id: str
    why: str
    probability: float | None
    checks: tuple[BudgetCheck, ...]
    verified_images: int
    predicted_drop: float | None

    @property
    def verdict(self) -> str:
        """OK where every budget is met, else REVIEW."""
        return "OK" if all(check.verdict == "OK" for check in self.checks) else "REVIEW"


@dataclass(frozen=True)
class Saving:
    """Shares of memory and energy that the recommended design saves against a baseline."""

    against: str
    memory: float
    energy: float


@dataclass(frozen=True)
class Picks:
    """Budgets by column of results.csv, the picks (the recommended first) and the savings of the first.

    `needed_images` is how many unseen images tell a drop of half the budget from one beyond it, None where unknown.
    """

    budgets: dict[str, float]
    picks: tuple[PickedDesign, ...]
    savings: tuple[Saving, ...]
    needed_images: int | None


def read_picks(path: Path) -> Picks:
    """The picks of a run; raises ReportError naming what the file lacks."""
    tree = read_json(path)
    tree.need("budgets", "picks")
    budgets, savings = tree.entry("budgets"), tree.optional("savings")
    against = None if savings is None else savings.optional("against")
    return Picks(
        budgets={name: budgets.number(name) for name in budgets},
        picks=tuple(_pick(p) for p in tree.entries("picks")),
        savings=() if against is None else tuple(_saving(name, against.entry(name)) for name in against),
        needed_images=int(tree.number("needed_images")) if "needed_images" in tree else None,
    )


def _pick(entry: Entry) -> PickedDesign:
    verified, predicted = entry.optional("verified_drop"), entry.optional("predicted_drop")
    return PickedDesign(
        name=entry.text("name"),
        id=entry.text("id"),
        why=entry.text("why"),
        probability=entry.number("p_drop_within_budget") if "p_drop_within_budget" in entry else None,
        checks=tuple(_check(row) for row in entry.entries("rows")),
        verified_images=0 if verified is None else int(verified.number("images", 0)),
        predicted_drop=predicted.number("value") if predicted is not None and "value" in predicted else None,
    )


def _check(entry: Entry) -> BudgetCheck:
    return BudgetCheck(
        quantity=entry.text("quantity"),
        unit=entry.text("unit").replace("mm2", "mm²"),
        budget=entry.number("budget"),
        achieved=entry.number("achieved"),
        slack=entry.number("slack"),
        verdict=entry.text("verdict"),
        note=entry.text("note", ""),
    )


def _saving(against: str, entry: Entry) -> Saving:
    return Saving(against, entry.number("memory"), entry.number("energy"))
