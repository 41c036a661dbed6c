"""What a search is for: what is minimised, what is limited, what a pick must obey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dse.problem.constraints import Sides

CONFIDENCE = 0.95  # probability of keeping the drop budget from which a design counts as keeping it


@dataclass(frozen=True)
class Goals:
    """What a search is for.

    objectives: columns of results.csv that are minimised, the drop first; budgets: by column the largest value a user
    accepts; sides: what a pick must obey beside them.
    """

    objectives: tuple[str, str, str]
    budgets: Mapping[str, float]
    sides: Sides
