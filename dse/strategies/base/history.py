"""What a study has measured so far, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from dse.arrays import BoolArray, FloatArray, IntArray
from dse.ledger.proposals import has_levels, levels_of
from dse.problem.problem import Problem
from dse.surrogate.likelihood import Data
from dse.surrogate.spike_rates import spike_rows

# an evaluation without a single changed prediction still leaves room for one in the images not seen
SMALLEST_CHANGE = 1.0


@dataclass(frozen=True)
class History:
    """Finished measurements, one row each, and the designs that need not be proposed again.

    levels: (N, D); drop and stderr: (N,) percentage points; nll and nll_stderr: (N,) nat over the float network's, NaN
    where it was not recorded; correlation: (N,) of the errors of both, 0 where it was not recorded; images: (N,);
    costs: (N, 2), the second and third objective; complete: (N,), False for an evaluation that was cut short;
    taken: (M, D), also with designs that are being evaluated or failed; under_way: (R, D), those being evaluated;
    spikes: (N, LIF layers) per image, NaN where not recorded; None where the problem's costs do not follow them.
    """

    levels: IntArray
    drop: FloatArray
    stderr: FloatArray
    nll: FloatArray
    nll_stderr: FloatArray
    correlation: FloatArray
    images: FloatArray
    costs: FloatArray
    complete: BoolArray
    taken: IntArray
    spikes: FloatArray | None = None
    under_way: IntArray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))

    def __len__(self) -> int:
        return len(self.drop)

    def seen(self) -> set[bytes]:
        """Keys (see `key`) of the designs not to be proposed again."""
        return {key(row) for row in self.taken}

    def points(self) -> FloatArray:
        """Measured objectives of complete evaluations (K, 3); a drop below zero counts as zero."""
        values = np.column_stack([np.maximum(self.drop, 0.0), self.costs])
        return np.asarray(values[self.complete])


def measurements(past: History) -> Data:
    """A study's measurements for the surrogate."""
    return Data(past.levels, past.drop, past.stderr, past.nll, past.nll_stderr, past.images, past.correlation)


def key(levels: IntArray) -> bytes:
    """A design as a dictionary key."""
    return np.asarray(levels, dtype=np.int64).tobytes()


def stderr_floor(stderr: FloatArray, images: FloatArray) -> FloatArray:
    """Standard errors with one more changed image each, so that none is zero (percentage points)."""
    count = np.maximum(images, 1.0)
    return np.asarray(np.sqrt(stderr**2 + SMALLEST_CHANGE * (100.0 / count) ** 2))


def read(study: optuna.Study, problem: Problem, without: int | None = None) -> History:
    """The study's history, in the order of trial numbers; `without` is a trial to leave out (the one asking)."""
    trials = [t for t in study.get_trials(deepcopy=False) if t.number != without]
    space = problem.space
    width = len(space.distributions())
    taken = [t for t in trials if has_levels(t, width)]
    done = [t for t in taken if t.state in (TrialState.COMPLETE, TrialState.PRUNED) and "drop" in t.user_attrs]
    designs = _levels(taken, problem)
    measured = {t.number for t in done}
    levels = designs[[t.number in measured for t in taken]]
    costs = np.array([t.values[1:] if t.values else (np.nan, np.nan) for t in done], dtype=float).reshape(-1, 2)
    complete = np.array([t.state == TrialState.COMPLETE for t in done], dtype=np.bool_)
    if (~complete).any():
        costs[~complete] = problem.costs(levels[~complete])
    images = _attribute(done, "images", 1.0)
    return History(
        levels=levels,
        drop=_attribute(done, "drop", np.nan),
        stderr=stderr_floor(_attribute(done, "drop_stderr", 0.0), images),
        nll=_attribute(done, "nll_delta", np.nan),
        nll_stderr=_nll_stderr(done, images),
        correlation=_attribute(done, "drop_nll_correlation", 0.0),
        images=images,
        costs=costs,
        complete=complete,
        taken=designs,
        under_way=designs[[t.state == TrialState.RUNNING for t in taken]],
        spikes=_spikes(done, problem),
    )


def _spikes(trials: list[FrozenTrial], problem: Problem) -> FloatArray | None:
    if problem.following is None:
        return None
    recorded = [t.user_attrs.get("evaluation", {}).get("spikes") for t in trials]
    return spike_rows(recorded, len(problem.following.features.lif_layers))


def _levels(trials: list[FrozenTrial], problem: Problem) -> IntArray:
    """Levels (N, D) of trials that have all parameters; a dimension with one choice is none."""
    space = problem.space
    return np.array([levels_of(t, space) for t in trials], dtype=np.int64).reshape(-1, len(space.names))


def _nll_stderr(trials: list[FrozenTrial], images: FloatArray) -> FloatArray:
    """Standard error of the difference in cross-entropy, (N,) nat: as recorded, else estimated.

    Log-probabilities of two networks that differ by noise scatter with variance 2 KL (second order in the logits).
    """
    kl = np.maximum(_attribute(trials, "kl", 0.1), 1e-4)
    recorded = _attribute(trials, "nll_stderr", np.nan)
    return np.asarray(np.where(np.isfinite(recorded), recorded, np.sqrt(2 * kl / np.maximum(images, 1.0))))


def _attribute(trials: list[FrozenTrial], name: str, missing: float) -> FloatArray:
    kept = [t.user_attrs.get("evaluation") or t.user_attrs for t in trials]
    return np.array([record.get(name, missing) for record in kept], dtype=float)
