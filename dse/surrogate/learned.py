"""What the measurements said about the prior, in words and in figures for the manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from dse.surrogate.hyper import Hyper
from dse.surrogate.posterior import Posterior
from dse.surrogate.prior import Layout

TRUSTED, NOT_TRUSTED = 0.7, 0.4  # power of the scores' differences from and below which they are called so
UNEXPLAINED = 3.0  # standard deviations of its prior, from which a constant part is no error of the images


@dataclass(frozen=True)
class Learned:
    """What the evidence chose.

    trust, trust_sd: the power to which the scores' differences between dimensions are right; doubt: 0 to 1, how little
    they help; slopes: of the drop's curve, in logarithms, at small and at large harm; offset_sd: standard deviations by
    which the constant part of all measurements lies from what the chaos floor lets expect.
    """

    hyper: Hyper
    trust: float
    trust_sd: float
    doubt: float
    slopes: tuple[float, float]
    offset_sd: float

    @property
    def lines(self) -> list[str]:
        """What a reader of the search is told."""
        word = "trusted" if self.trust >= TRUSTED else "not trusted" if self.trust < NOT_TRUSTED else "trusted in part"
        told = [
            f"scores {word}: their differences between layers count to the power {self.trust:.2f} +- "
            f"{self.trust_sd:.2f}, with {self.hyper.spread:g} times the usual errors"
        ]
        early, late = self.slopes
        if max(early, late, 1 / early, 1 / late) > 1.3:
            told.append(
                f"the drop bends: it grows with the harm to the power {early:.1f} while small, {late:.1f} when large"
            )
        return told

    @property
    def warnings(self) -> list[str]:
        """What a reader should know before a prediction is believed."""
        told = []
        if self.hyper.norm > 1:
            told.append(
                "harm does not add up over layers: the worst layers decide (norm with exponent "
                f"{self.hyper.norm:g} by the evidence)"
            )
        if not self.offset_explained:
            told.append(
                f"all measurements lie {self.offset_sd:.1f} standard deviations off what images and chaos explain: "
                "the drop's curve does not fit this network, and small predicted drops are unsure"
            )
        return told

    @property
    def offset_explained(self) -> bool:
        """Whether the constant part of all measurements can be the shared error of the search images."""
        return self.offset_sd <= UNEXPLAINED

    @property
    def record(self) -> dict[str, object]:
        """The figures for the manifest."""
        return asdict(self) | {"slopes": list(self.slopes)}


def learned(posterior: Posterior) -> Learned:
    """What the measurements said about the prior of a fit."""
    at, mean = Layout(posterior.prior), posterior.mean
    usual, precision = posterior.prior.normal
    gap = float(mean[at.offset] - usual[at.offset])
    both = [at.offset, at.nll_offset]
    variance = np.linalg.inv(precision[np.ix_(both, both)])[0, 0]
    slopes = tuple(float(x) for x in np.exp(mean[[at.early, at.late]]))
    trust, sd = posterior.trust
    return Learned(
        posterior.prior.hyper, trust, sd, posterior.doubt, (slopes[0], slopes[1]), abs(gap) / float(np.sqrt(variance))
    )
