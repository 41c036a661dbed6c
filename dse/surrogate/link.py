"""From summed scores to a drop: the link function that a few measurements calibrate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dse.arrays import FloatArray


@dataclass(frozen=True)
class Link:
    """drop = cap (1 - exp(-scale * score ** power / cap)), in percentage points."""

    scale: float = 1.0
    power: float = 1.0
    cap: float = 80.0

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Predicted drop of summed scores, any shape."""
        return np.asarray(self.cap * -np.expm1(-self.scale * scores**self.power / self.cap))


def fit_link(scores: FloatArray, drop: FloatArray, stderr: FloatArray) -> Link:
    """The link that fits measured drops best, by weighted squares over a grid; unit slope without measurements.

    scores, drop, stderr: (N,). A tenth of the prediction is added to the standard error: the scores are only roughly
    additive, and the largest drops must not decide alone.
    """
    usable = np.isfinite(drop) & (scores > 0)
    if not usable.any():
        return Link()
    scores, drop, stderr = scores[usable], drop[usable], stderr[usable]
    # around the scale at which the largest score would mean a drop of 10 points
    centre = 10.0 / scores.max()
    best, least = Link(), np.inf
    for power in (0.7, 0.85, 1.0, 1.15, 1.3) if len(drop) > 2 else (1.0,):
        for scale in np.geomspace(1e-3, 1e3, 121) * centre * scores.max() ** (1 - power):
            link = Link(float(scale), power)
            guess = link(scores)
            variance = stderr**2 + (0.1 * guess) ** 2
            loss = float((((drop - guess) ** 2) / variance + np.log(variance)).sum())
            if loss < least:
                best, least = link, loss
    return best
