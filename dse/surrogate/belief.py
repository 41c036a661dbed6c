"""What is believed of a problem's harm: the fit at the hyperparameters that the measurements speak for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from dse.problem.problem import Problem
from dse.surrogate.evidence import choose, last_asked
from dse.surrogate.hyper import Hyper
from dse.surrogate.likelihood import Data
from dse.surrogate.posterior import Posterior, fit
from dse.surrogate.prior import Prior, prior_of


def belief(problem: Problem, data: Data) -> Posterior:
    """What is believed of a problem's harm given all measurements; the evidence of all of them is asked."""
    prior = prior_of(problem)
    return fit(replace(prior, hyper=choose(prior, data)), data)


@dataclass
class Learner:
    """Fits to a growing list of measurements; the evidence is asked after every few of them.

    The answer is kept, but depends on the measurements alone: a search that goes on in another process has the same.
    """

    prior: Prior
    _asked: tuple[bytes, Hyper] | None = field(default=None, init=False)

    def __call__(self, data: Data) -> Posterior:
        """The posterior given the measurements, in the order in which they were made."""
        first = data.first(last_asked(len(data)))
        seen = first.levels.tobytes() + first.drop.tobytes()
        if self._asked is None or self._asked[0] != seen:
            self._asked = seen, choose(self.prior, first)
        return fit(replace(self.prior, hyper=self._asked[1]), data)
