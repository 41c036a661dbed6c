"""What is said of a design: what verification found, and else what the search predicts."""

import pytest

from reports.run.designs import VerifiedDrop
from reports.run.standing import standing

BUDGETS = {"drop": 1.0, "memory_bytes": 200.0}


def verified(p: float | None, budget: float | None = 1.0) -> VerifiedDrop:
    return VerifiedDrop(0.2, -0.1, 0.5, 1000, (0.2, -0.1, 0.5), budget, p)


@pytest.mark.parametrize(
    ("memory", "predicted", "reasons", "found", "said"),
    [
        (100.0, True, "", None, (True, "")),
        (100.0, False, "", None, (False, "not expected to keep the drop")),
        (100.0, False, "", verified(0.99), (True, "")),  # verification found what the search did not dare to expect
        (100.0, True, "", verified(0.6), (False, "P(drop ≤ 1 pp) = 0.60")),
        (300.0, True, "", verified(0.99), (False, "over a budget")),
        (100.0, True, "no such memory", verified(0.99), (False, "does not fit the chip")),
        (100.0, False, "", verified(0.99, budget=2.0), (False, "not expected to keep the drop")),  # of another budget
        (100.0, True, "", verified(None, None), (True, "")),  # an older run
    ],
)
def test_verification_decides_and_costs_are_known(memory, predicted, reasons, found, said):
    assert standing({"memory_bytes": memory}, BUDGETS, predicted, reasons, found) == said
