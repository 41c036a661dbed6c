"""Verification on images that the search never saw: which candidate is measured on which images, and what they show.

Values in, values out: `plan(race, rows)` says what to measure next, `Row` holds what was measured, and `posterior` and
`shown` say what all rows together show.  Nothing is remembered between calls.
"""

from dse.verification.estimate import Estimate, estimate
from dse.verification.mixture import Belief, posterior
from dse.verification.prior import Prediction
from dse.verification.race import COPIES, Candidate, Race, outcome, plan
from dse.verification.rows import Row, Task
from dse.verification.sequential import shown
from dse.verification.strata import strata_of

__all__ = [
    "COPIES",
    "Belief",
    "Candidate",
    "Estimate",
    "Prediction",
    "Race",
    "Row",
    "Task",
    "estimate",
    "outcome",
    "plan",
    "posterior",
    "shown",
    "strata_of",
]
