"""What the search predicts of the candidates on unseen images, as a prior that does not trust itself too far.

Two things may be wrong with a prediction.  Its own error: the model's standard deviation, times the root mean square of
the leave-one-out errors in units of their standard deviations where that is above 1.  And an error common to all: luck
of the search images that the model did not find.  The model's estimate of that luck is not believed; the common error
is scaled by the standard deviation that the search images give to any two designs together
(`dse/problem/shared_error.py`), with the tails of Student's t (Lange, Little and Taylor 1989).  Only its bad side
counts, and the search is taken to be too optimistic by one such standard deviation before anything is measured: a
promise has to hold for a search that was, and where it was not, unseen images say so.

Copies of the float network with a little weight noise stand beside the candidates.  That they lose nothing is known, so
that what they seem to lose is the luck of the float network on the unseen images, which all drops share: they are
control variates with known means (Cochran, Sampling Techniques, 1977, section 7.8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dse.arrays import BoolArray, FloatArray

FREEDOM = 3  # of the common error: the fewest with a finite variance
CENTRE = 1.0  # of the common error in units of the scale; benchmarks/verification.py
REACH, POINTS = 10.0, 201  # grid of the common error: its end in units of the scale


@dataclass(frozen=True)
class Prediction:
    """Predicted drops of K candidates, percentage points.

    mean, sd: (K,) with its own error; common: scale of the error that all have in common, at least zero; copies: how
    many of them, the last ones, are copies of the float network, to which the common error does not apply.
    """

    mean: FloatArray
    sd: FloatArray
    common: float
    copies: int = 0

    @property
    def shared(self) -> BoolArray:
        """Which of them have the common error, (K,)."""
        return np.arange(len(self.mean)) < len(self.mean) - self.copies

    def shifts(self) -> tuple[FloatArray, FloatArray]:
        """Common errors (S,) [points] and their probabilities."""
        from scipy.stats import t  # takes longer to import than most commands

        at = np.linspace(0.0, REACH, POINTS)
        weight = t.pdf(at - CENTRE, FREEDOM)
        return self.common * at, weight / weight.sum()
