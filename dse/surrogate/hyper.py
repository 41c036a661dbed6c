"""What the evidence of the measurements may change about the prior: hyperparameters, their priors and defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters of the prior and of the noise; the defaults are what is believed before any measurement.

    spread: factor on the error of every dimension's score and on that of the power to which scores are right;
    bend: factor on the errors of the slopes of the drop's curve; pairs: factor on the weights of pair terms;
    misfit, nll_misfit: model error of drop and cross-entropy as a share of the prediction;
    agreement: share of the correlation of a design's own errors in drop and cross-entropy that is believed;
    norm: the exponent in z = (sum T^norm)^(1/norm); 1 where harm adds up, large where the worst layer decides.
    """

    spread: float = 1.0
    bend: float = 1.0
    pairs: float = 1.0
    misfit: float = 0.04
    nll_misfit: float = 0.06
    agreement: float = 1.0
    norm: float = 1.0

    @property
    def log_prior(self) -> float:
        """Logarithm of the prior density up to a constant: normal in the logarithms around the defaults."""
        usual = USUAL
        total = 0.0
        for field in fields(self):
            apart = np.log(getattr(self, field.name) / getattr(usual, field.name))
            total -= 0.5 * float(apart / WIDTH[field.name]) ** 2
        return total


USUAL = Hyper()
# Standard deviations of the logarithms around the defaults, and the values that are tried.
WIDTH = {"spread": 0.7, "bend": 1.0, "pairs": 0.7, "misfit": 0.7, "nll_misfit": 0.7, "agreement": 0.3, "norm": 0.5}
GRID = {
    "spread": (1.0, 1.4, 2.0, 2.8),
    "bend": (1.0, 2.0, 4.0, 8.0, 16.0),
    "pairs": (0.5, 1.0, 2.0, 4.0),
    "misfit": (0.02, 0.04, 0.08, 0.15, 0.3),
    "nll_misfit": (0.06, 0.12, 0.25, 0.5),
    "agreement": (0.6, 0.8, 0.9, 1.0),
    "norm": (1.0, 1.5, 2.0, 3.0, 4.5),
}
