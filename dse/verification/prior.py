"""What the search predicts of the candidates on unseen images, as a prior that does not trust itself too far.

Two things may be wrong with a prediction.  Its own error: the model's standard deviation, times the root mean square of
the leave-one-out errors in units of their standard deviations where that is above 1.  And an error common to all: luck
of the search images that the model did not find.  The model's estimate of that luck is not believed; the common error
is scaled by the standard deviation that the search images give to any two designs together
(`dse/problem/shared_error.py`), with the tails of Student's t (Lange, Little and Taylor 1989).  Only its bad side
counts: the search may have been too optimistic, and where all candidates do better than predicted, that is taken for
luck of the unseen images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from dse.arrays import FloatArray

FREEDOM = 3  # of the common error: the fewest with a finite variance
REACH, POINTS = 10.0, 201  # grid of the common error: its end in units of the scale


@dataclass(frozen=True)
class Prediction:
    """Predicted drops of K candidates, percentage points.

    mean, sd: (K,) with its own error; common: scale of the error that all have in common, at least zero.
    """

    mean: FloatArray
    sd: FloatArray
    common: float

    def shifts(self) -> tuple[FloatArray, FloatArray]:
        """Common errors (S,) [points] and their probabilities."""
        at = np.linspace(0.0, REACH, POINTS)
        weight = t.pdf(at, FREEDOM)
        return self.common * at, weight / weight.sum()
