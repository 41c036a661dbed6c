"""Which candidate is measured next on which unseen images: images go where they decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri

from dse.arrays import BoolArray, FloatArray, IntArray
from dse.problem.goals import CONFIDENCE
from dse.problem.shared_error import OWN_ERROR
from dse.verification import sequential
from dse.verification.estimate import Estimate, Sample, estimate
from dse.verification.mixture import Belief, posterior
from dse.verification.prior import Prediction
from dse.verification.rows import Row, Task, table
from dse.verification.strata import batches, first_batch

SAFE = 0.995  # posterior at which a candidate is not measured further; few images that came out well are no promise
HOPELESS = 0.1  # chance of reaching CONFIDENCE on all images below which it is not measured further
COPIES = 2  # of the float network beside the candidates; benchmarks/verification.py


@dataclass(frozen=True)
class Candidate:
    """A design to verify: its predicted drop with standard deviation [points], and the costs that it is chosen by."""

    id: str
    drop: float
    sd: float
    costs: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Race:
    """What is verified and on what.

    candidates: the designs; common: scale of their predictions' common error [points]; strata: (M,) of the unseen
    images; budget: the largest drop [points], None where there is none and every candidate is measured on all images;
    copies: names of copies of the float network that lose nothing, measured as long as any candidate is.
    """

    candidates: tuple[Candidate, ...]
    common: float
    strata: IntArray
    budget: float | None
    copies: tuple[str, ...] = ()

    @property
    def ids(self) -> list[str]:
        """Of the candidates."""
        return [c.id for c in self.candidates]

    @property
    def names(self) -> list[str]:
        """Of all that is measured: the candidates, then the copies."""
        return [*self.ids, *self.copies]

    @property
    def prediction(self) -> Prediction:
        """What the search says of the candidates, and what is known of the copies."""
        none = [0.0] * len(self.copies)
        return Prediction(
            np.array([c.drop for c in self.candidates] + none),
            np.array([c.sd for c in self.candidates] + [OWN_ERROR[0] for _ in none]),
            self.common,
            len(none),
        )

    @cached_property
    def first(self) -> IntArray:
        """Positions of the first batch."""
        return first_batch(self.strata)

    @property
    def order(self) -> IntArray:
        """The candidates in the order of the frequentist test: those that the search is surest of first."""
        if self.budget is None:
            return np.arange(len(self.candidates))
        surest = [(c.drop - self.budget) / max(c.sd, 1e-9) for c in self.candidates]
        return np.lexsort((self.ids, surest))


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the rows of a race show: estimates, posterior, P(within budget) and the frequentist test, by candidate.

    within: (K,) probabilities, and shown: (K,) whether the test shows it; None without a budget.
    """

    found: Estimate
    belief: Belief
    within: FloatArray | None
    shown: BoolArray | None


def plan(race: Race, rows: Sequence[Row]) -> tuple[Task, ...]:
    """What to measure next, in this order; nothing when the race is over.

    race: the candidates and images; rows: all that was measured so far, in any order.  The first round is the first
    batch for all candidates and copies; which images later batches have follows from it.  In every further round, the
    candidates of the last one that its rows leave undecided are measured on the next batch, and with them the copies.
    A function of its arguments alone: tasks that others are about to measure are in the plan until their rows are
    there, and the rows of a whole race do not depend on who measured what when.
    """
    done = {(row.candidate, row.batch) for row in rows}
    start = [Task(c, 0, tuple(race.first.tolist())) for c in race.names if (c, 0) not in done]
    if start or not race.candidates:
        return tuple(start)
    parts, last = _batches(race, rows), max(batch for _, batch in done)
    for number in range(max(last, 1), min(last + 2, len(parts))):
        before = [row for row in rows if row.batch < number]
        live = undecided(race, before)
        on = [c for c, go in zip(race.ids, live, strict=True) if go and (c, number - 1) in done]
        on += [c for c in race.copies if on]
        if missing := [c for c in on if (c, number) not in done]:
            return tuple(Task(c, number, tuple(parts[number].tolist())) for c in missing)
    return ()


def undecided(race: Race, rows: Sequence[Row]) -> BoolArray:
    """Of which candidates more images may change what is recommended, (K,).

    Not of one that is safe, that would hardly reach the confidence on all images, or that costs more in everything
    than one that is safe.
    """
    if race.budget is None:
        return np.ones(len(race.candidates), dtype=np.bool_)
    out = outcome(race, rows, test=False)
    assert out.within is not None
    safe = out.within >= SAFE
    costs = np.array([c.costs for c in race.candidates])
    better = (costs[:, None] <= costs[None]).all(axis=2) & (costs[:, None] < costs[None]).any(axis=2)  # row over column
    beaten = (better & safe[:, None]).any(axis=0)
    return np.asarray(~safe & ~beaten & (_chance(race, out) >= HOPELESS))


def outcome(race: Race, rows: Iterable[Row], test: bool = True) -> Outcome:
    """What the rows show of every candidate, each measured on the first batch at least; `test`: by the test as well."""
    rows = list(rows)
    seen, changed = table(rows, race.names, len(race.strata))
    both = estimate(seen, changed, race.strata)
    count = len(race.candidates)
    found, belief = both.first(count), posterior(race.prediction, both).first(count)
    if race.budget is None:
        return Outcome(found, belief, None, None)
    return Outcome(found, belief, belief.within(race.budget), _shown(race, rows) if test else None)


def _batches(race: Race, rows: Sequence[Row]) -> tuple[IntArray, ...]:
    """The images of all batches, from what the first batch of all candidates shows."""
    seen, changed = table([row for row in rows if row.batch == 0], race.ids, len(race.strata))
    sample = Sample.of(seen, changed, race.strata)
    return batches(race.strata, race.first, sample.shares().mean(axis=1))


def _chance(race: Race, out: Outcome) -> FloatArray:
    """Chance (K,) that the posterior reaches CONFIDENCE once a candidate is measured on all images."""
    assert race.budget is not None
    variance = out.belief.sd**2
    whole = 1e4 * out.found.discordance / len(race.strata)  # of a drop that is measured on all images
    more = np.maximum(1 / whole - 1 / np.diag(out.found.covariance), 0.0)
    last = 1 / (1 / variance + more)
    moves = np.sqrt(np.maximum(variance - last, 1e-12))
    edge = race.budget - ndtri(CONFIDENCE) * np.sqrt(last)
    return np.asarray(ndtr((edge - out.belief.mean) / moves))


def _shown(race: Race, rows: Sequence[Row]) -> BoolArray:
    """Whether the frequentist test shows that candidates keep the budget, (K,)."""
    assert race.budget is not None
    parts = _batches(race, rows)
    size = np.cumsum([len(part) for part in parts])
    when = sequential.looks(len(parts))
    limits = sequential.boundaries([size[k - 1] / size[-1] for k in when])
    scores: list[list[float]] = []
    for k in race.order:
        mine = [row for row in rows if row.candidate == race.ids[k]]
        reached = [count for count in when if count <= len({row.batch for row in mine})]
        scores.append([_score(race, [row for row in mine if row.batch < count]) for count in reached])
    out = np.zeros(len(race.candidates), dtype=np.bool_)
    out[race.order] = sequential.shown(scores, limits.tolist())
    return out


def _score(race: Race, rows: Sequence[Row]) -> float:
    """Budget minus the drop that one candidate's rows alone show, in standard errors."""
    seen, changed = table(rows, [rows[0].candidate], len(race.strata))
    found = estimate(seen, changed, race.strata)
    assert race.budget is not None
    return float((race.budget - found.drop[0]) / np.sqrt(found.covariance[0, 0]))
