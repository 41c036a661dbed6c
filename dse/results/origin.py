"""Where a design comes from: the column `origin` of results.csv, read in one place.

The column holds one name, so that a table stays readable and old runs stay valid:

    float                            reference  the float network
    uniform-8, uniform-8-T1, guided  baseline   every search measures these first
    uniform-8-fused, guided-fused    baseline   the same in the second form of a search over forms
    exact                            exact      the optimum of the integer program on the fitted model
    surer                            exact      the same for a part of the drop budget
    finetuned, reestimated           tuned      a row of finetuned.csv
    posterior, qsvit, ...            strategy   a proposal of the strategy of that name
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

FLOAT, GUIDED, EXACT, SURER = "float", "guided", "exact", "surer"
FINETUNED, REESTIMATED = "finetuned", "reestimated"
_UNIFORM = re.compile(r"uniform-(\d+)(-T\d+)?(-[a-z]+)?")
_GUIDED = re.compile(rf"{GUIDED}(-[a-z]+)?")


class Kind(StrEnum):
    """What a design is to a search."""

    REFERENCE = "reference"
    BASELINE = "baseline"
    EXACT = "exact"
    TUNED = "tuned"
    STRATEGY = "strategy"


@dataclass(frozen=True)
class Origin:
    """Kind of a design and the name that stands in the table."""

    kind: Kind
    name: str


def origin_of(name: str) -> Origin:
    """The origin that a name stands for; `guided` is read as the baseline."""
    fixed = {FLOAT: Kind.REFERENCE, EXACT: Kind.EXACT, SURER: Kind.EXACT}
    fixed |= {FINETUNED: Kind.TUNED, REESTIMATED: Kind.TUNED}
    if name in fixed:
        return Origin(fixed[name], name)
    baseline = _UNIFORM.fullmatch(name) or _GUIDED.fullmatch(name)
    return Origin(Kind.BASELINE if baseline else Kind.STRATEGY, name)


def origins(names: Sequence[str], strategy: str) -> list[Origin]:
    """The origins of the rows of a results table, in its order.

    The strategy `guided` has the name of a baseline: the first design of that name is the baseline, as baselines are
    measured first, and the others are proposals.
    """
    found, seen = [], False
    for name in names:
        again = name == strategy and seen
        seen = seen or name == strategy
        found.append(Origin(Kind.STRATEGY, name) if again else origin_of(name))
    return found


def is_uniform(name: str) -> bool:
    """Whether a name is a uniform width, in any form and at any number of time steps."""
    return _UNIFORM.fullmatch(name) is not None


def is_plain_uniform(name: str) -> bool:
    """Whether a name is a uniform width at all time steps in the first form: `uniform-8`, not `uniform-8-T1`."""
    match = _UNIFORM.fullmatch(name)
    return match is not None and match.group(2) is None and match.group(3) is None
