"""How many images a statistical guarantee on the accuracy drop takes, on a network whose predictions are chaotic."""

from __future__ import annotations

import math
from statistics import NormalDist


def needed_images(
    changed: float, budget: float, confidence: float = 0.95, slack: float = 0.5, images: int | None = None
) -> int:
    """Images after which the uncertainty of a paired drop is small against its budget.

    `changed` is the share of images whose predicted class differs between two copies of the network: each of them may
    count for or against the quantized network, so the standard error of the drop is sqrt(changed / n) (McNemar's test
    without its sign). The number returned makes the one-sided margin at `confidence` equal to `slack` times the
    budget (percentage points): a design whose true drop uses up the rest of the budget can then be told from one that
    misses it. Zero when nothing changes; but where `images` says on how many `changed` was measured, one of each
    are added to them (the rule of succession): seeing no change on ten images does not show that there is none.
    """
    if images is not None:
        changed = (changed * images + 1) / (images + 2)
    margin = slack * budget / 100.0
    if margin <= 0:
        raise ValueError(f"a drop budget of {budget} points cannot be guaranteed on any number of images")
    return math.ceil(changed * (NormalDist().inv_cdf(confidence) / margin) ** 2 - 1e-9)
