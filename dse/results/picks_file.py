"""What picks.json holds: the recommended design and its alternatives, judged against the budgets."""

from __future__ import annotations

from typing import TypedDict


class Interval(TypedDict):
    """An estimate with its 95 % interval [percentage points]."""

    value: float
    low: float
    high: float


class MeasuredDrop(Interval):
    """A drop as measured on `images` images."""

    images: int


class Verdict(TypedDict):
    """One budget: the limit, what a design reaches, and OK or REVIEW; in `unit`, SI without a prefix."""

    quantity: str
    unit: str
    budget: float
    achieved: float
    slack: float
    verdict: str
    note: str


class Judgement(TypedDict):
    """A design against every budget, and its drops on the images of the search and on unseen ones.

    `verified_drop` is as measured, too small on average where the design was chosen by it; `unseen_drop` is by search
    and verification together, None in runs that do not have it.
    """

    p_drop_within_budget: float | None
    rows: list[Verdict]
    searched_drop: MeasuredDrop
    verified_drop: MeasuredDrop
    unseen_drop: Interval | None


class Pick(Judgement):
    """A design to look at, and why."""

    name: str
    id: str
    why: str
    predicted_drop: Interval | None


class Savings(TypedDict):
    """Shares of memory and energy that the design `id` saves, by the origin of what it is compared with."""

    id: str
    against: dict[str, dict[str, float]]


class Picks(TypedDict):
    """The content of picks.json; `budgets` are by column of results.csv."""

    budgets: dict[str, float]
    verified_candidates: int
    needed_images: int | None
    picks: list[Pick]
    savings: Savings | None
