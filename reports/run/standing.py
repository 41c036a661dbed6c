"""Whether a design keeps the budgets, by the best that is known of it, and what to say where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

CONFIDENCE = 0.95  # of keeping the drop, as `dse` gives OK


class Known(Protocol):
    """What verification says of a drop."""

    @property
    def budget(self) -> float | None:
        """The budget of the verification [pp]."""

    @property
    def p_within(self) -> float | None:
        """The probability that the drop is within it."""


def standing(
    costs: Mapping[str, float], budgets: Mapping[str, float], predicted: bool, reasons: str, verified: Known | None
) -> tuple[bool, str]:
    """Whether a design keeps every budget, and a few words where it does not.

    `costs` and `budgets` are by column of results.csv; `predicted` is what the search said (`feasible`), `reasons` why
    the chip cannot run it.  A verified drop decides over the prediction, where it is known for this budget.
    """
    known = verified is not None and verified.p_within is not None and verified.budget == budgets.get("drop")
    if not known and predicted:
        return True, ""
    if reasons:
        return False, "does not fit the chip"
    if any(column != "drop" and costs.get(column, 0.0) > limit for column, limit in budgets.items()):
        return False, "over a budget"
    if verified is None or verified.p_within is None or not known:
        return False, "not expected to keep the drop"
    within = verified.p_within >= CONFIDENCE
    return within, "" if within else f"P(drop ≤ {verified.budget:g} pp) = {verified.p_within:.2f}"
