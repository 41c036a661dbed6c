"""What is believed of a problem's harm: the fit at the hyperparameters that the measurements speak for."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from dse.arrays import FloatArray
from dse.problem.problem import Problem
from dse.surrogate.evidence import choose, last_asked
from dse.surrogate.hyper import Hyper
from dse.surrogate.likelihood import Data
from dse.surrogate.posterior import Posterior, fit, fitted
from dse.surrogate.prior import Prior, prior_of

MANY = 500  # measurements, from which every EVERY-th refits: a fit takes longer than all else of a proposal
EVERY = 10
MOST_FITTED = 5000  # measurements, evenly spaced where there are more: a fit takes half a second of a processor
HYPER, MEANS = "hyper", "means"  # what workers share


def belief(problem: Problem, data: Data) -> Posterior:
    """What is believed of a problem's harm given all measurements; the evidence of all of them is asked."""
    prior = prior_of(problem)
    return fit(replace(prior, hyper=choose(prior, data)), data.spread(MOST_FITTED))


def last_fitted(count: int) -> int:
    """After how many measurements the model was fitted last where there are `count` of them."""
    return count if count < MANY else count - count % EVERY


@dataclass
class Learner:
    """Fits to a growing list of measurements: after each of them, later after every few; the evidence less often.

    What is kept depends on the measurements alone: a search that goes on in another process has the same.
    """

    prior: Prior
    _asked: tuple[str, Hyper] = field(default=("", Hyper()), init=False)
    _latest: tuple[str, Posterior] | None = field(default=None, init=False)

    def __call__(self, data: Data, shared: MutableMapping[str, Any] | None = None) -> Posterior:
        """The posterior given the measurements, in the order in which they were made.

        shared: what other workers have found for the same measurements, JSON values by name; filled.
        """
        shared = {} if shared is None else shared
        used = data.first(last_fitted(len(data))).spread(MOST_FITTED)
        key = digest(used)
        if self._latest is None or self._latest[0] != key:
            prior = replace(self.prior, hyper=self._hyper(data.first(last_asked(len(data))), shared))
            self._latest = key, self._fit(prior, used, key, shared)
        return self._latest[1]

    def _hyper(self, data: Data, shared: MutableMapping[str, Any]) -> Hyper:
        if self._asked[0] != (key := digest(data)):
            told = shared.get(HYPER) or {}
            if told.get("of") == key:
                self._asked = key, Hyper(**told["found"])
            else:
                self._asked = key, choose(self.prior, data)
                shared[HYPER] = {"of": key, "found": asdict(self._asked[1])}
        return self._asked[1]

    @staticmethod
    def _fit(prior: Prior, data: Data, key: str, shared: MutableMapping[str, Any]) -> Posterior:
        told = shared.get(MEANS) or {}
        if told.get("of") == key:
            return fitted(prior, data, tuple(_read(text) for text in told["found"]))
        found = fit(prior, data)
        if len(data):
            shared[MEANS] = {"of": key, "found": [_written(found.first), _written(found.mean)]}
        return found


def digest(data: Data) -> str:
    """A SHA-256, in hexadecimal, of measurements."""
    found = hashlib.sha256()
    for each in fields(data):
        found.update(np.ascontiguousarray(getattr(data, each.name)).tobytes())
    return found.hexdigest()


def _written(numbers: FloatArray) -> str:
    return numbers.astype("<f8").tobytes().hex()


def _read(text: str) -> FloatArray:
    return np.frombuffer(bytes.fromhex(text), dtype="<f8").astype(np.float64)
