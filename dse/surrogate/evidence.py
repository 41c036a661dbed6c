"""Which hyperparameters the measurements speak for: their marginal likelihood by Laplace's method, climbed on a grid.

The evidence of a prior is the probability of the measurements, all parameters integrated out. Around the fit, the
posterior is taken as normal (MacKay 1992, "Bayesian interpolation"):

    log evidence = -loss - sum of log noise + (log det prior precision - log det posterior precision) / 2
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dse.arrays import FloatArray
from dse.surrogate.hyper import GRID, Hyper
from dse.surrogate.likelihood import Data
from dse.surrogate.posterior import Fit, with_shared_error
from dse.surrogate.prior import Prior

LEAST_MEASUREMENTS = 10  # before the evidence is asked
EVERY = ((60, 5), (500, 10), (math.inf, 50))  # measurements between two askings, below so many of them
MOST_ASKED = 1000  # measurements, evenly spaced where there are more: an answer takes about two seconds of a processor
ROUNDS = 3  # through all hyperparameters; the climb ends earlier where nothing improves
STEPS = 8  # of Gauss-Newton at one trial, from the best fit so far
WORTH = 0.1  # nats that a change must gain
STARTS = (Hyper(norm=2.0, pairs=0.5), Hyper(norm=3.0, pairs=0.5))  # beside the defaults: harm that does not add up


def log_evidence(task: Fit, p: FloatArray) -> float:
    """Logarithm of the evidence at a fit p, up to a constant of the data, with the hyperparameters' own prior."""
    now = task.linear(p)
    noise = task.noise(now)
    known = task.with_nll
    scatter = 0.5 * float(np.log(noise.drop).sum() + np.log(noise.rest[known]).sum())
    posterior = float(np.log(np.diag(task.factor(p))).sum())
    return task.prior.log_root - posterior - task.loss(p, now, noise) - scatter + task.prior.hyper.log_prior


def choose(prior: Prior, data: Data) -> Hyper:
    """The hyperparameters with the largest evidence, by changing one at a time by one step of its grid.

    The climb begins at the best of the defaults and STARTS. It depends on the measurements alone, not on an earlier
    choice. The defaults below LEAST_MEASUREMENTS; beyond MOST_ASKED, so many of the measurements, evenly spaced.
    """
    if len(data) < LEAST_MEASUREMENTS:
        return Hyper()
    prior, data = with_shared_error(prior, data), data.spread(MOST_ASKED)
    found = []
    for hyper in (Hyper(), *STARTS):
        task = Fit(replace(prior, hyper=hyper), data)
        p = task.climb(task.start())
        found.append((log_evidence(task, p), task.prior, p))
    return _climbed(data, *max(found, key=lambda one: one[0]))


def _climbed(data: Data, best: float, prior: Prior, p: FloatArray) -> Hyper:
    """The hyperparameters that a climb from one prior, its fit p and its evidence ends at."""
    for _ in range(ROUNDS):
        before = best
        for name, grid in GRID.items():
            for step in (1, -1):
                while (hyper := _moved(prior.hyper, name, grid, step)) is not None:
                    trial = replace(prior, hyper=hyper)
                    task = Fit(trial, data)
                    q = task.climb(_carried(task, p, hyper.norm / prior.hyper.norm), STEPS)
                    found = log_evidence(task, q)
                    if found < best + WORTH:
                        break
                    prior, p, best = trial, q, found
        if best < before + WORTH:
            break
    return prior.hyper


def last_asked(count: int) -> int:
    """After how many measurements the evidence was asked last where there are `count` of them."""
    every = next(step for below, step in EVERY if count < below)
    return count - count % every


def _moved(hyper: Hyper, name: str, grid: tuple[float, ...], step: int) -> Hyper | None:
    at = grid.index(getattr(hyper, name)) + step
    return replace(hyper, **{name: grid[at]}) if 0 <= at < len(grid) else None


def _carried(task: Fit, p: FloatArray, ratio: float) -> FloatArray:
    """Parameters of a fit at another norm, `ratio` times the old one: log T^norm grows with it."""
    out = p.copy()
    out[: task.at.slope + 1] *= ratio
    return out
