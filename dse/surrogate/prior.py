"""What is believed of the harm before any measurement, and how its parameters are laid out in one vector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.problem.problem import Problem
from dse.problem.shared_error import SharedError
from dse.problem.space import Space
from dse.surrogate.hyper import USUAL, Hyper

# Spreads of the prior, all of logarithms unless said otherwise. They were set by hand and come from no publication.
FISHER_ERROR = 0.6  # of one dimension's gradient score
DISTANCE_ERROR = 0.4  # of one dimension's one-at-a-time distance
MOST_DISAGREEMENT = 4.0  # by which the variance of both may grow where they contradict each other
UNKNOWN_ERROR = 1.5  # of a dimension without any score
SLOPE_ERROR = 0.08  # per bit
JITTER = 0.15  # per entry
SCALE_ERROR = 2.0  # common to all dimensions: scores have no unit
COMMON_SLOPE_ERROR = 0.15  # per bit
CAP, CAP_ERROR = 70.0, 0.3
NLL_PER_POINT, NLL_ERROR = 0.03, 1.0
POWER_ERROR = 0.1
TRUST_ERROR = 0.25  # of the power to which the scores' differences between dimensions are right
EARLY_ERROR, LATE_ERROR = 0.05, 0.08  # of the slope of the drop's curve below its knee, and of its change there
# points of harm at the knee: the geometric middle of a usual budget (1) and the drops of interest (10), and its error
KNEE, KNEE_ERROR = 3.0, 0.6
PAIR_MEAN, PAIR_ERROR = (0.1, 0.05, 0.01), (0.1, 0.05, 0.0)  # inside, next, all: common part and spread of weights
LARGEST_LOG = 12.0  # of a harm: far beyond any cap, far below overflow


@dataclass(frozen=True)
class Prior:
    """What is believed before any measurement.

    log_harm: (D, B) mean of log T, -inf where a level does no harm (the widest) or does not exist; spread: (D,) its
    error per dimension; position: (D, B) bits relative to the middle; blocks: (D,) number of each dimension's block;
    shared_error: what all measurements have in common; hyper: what the evidence of measurements changes.

    log_harm and spread are those of T at any norm; `scaled` has those of T^norm, which is what adds up.
    """

    log_harm: FloatArray
    spread: FloatArray
    position: FloatArray
    blocks: IntArray
    shared_error: SharedError | None = None
    hyper: Hyper = USUAL

    @cached_property
    def scaled(self) -> FloatArray:
        """Mean of log T^norm of every entry, (D, B)."""
        return np.asarray(self.log_harm * self.hyper.norm)

    @cached_property
    def most_log(self) -> float:
        """The largest logarithm of T^norm that is told from larger ones."""
        return LARGEST_LOG * self.hyper.norm

    @cached_property
    def deviation(self) -> FloatArray:
        """How far each dimension's log T^norm lies above the others' on average, (D,): what the scores tell apart.

        Residuals of one straight line in bits through all entries, averaged over the entries of a dimension.
        """
        live = self.column >= 0
        if live.sum() < 3:
            return np.zeros(len(live))
        x, y = self.position[live], self.scaled[live]
        line = np.stack([np.ones(len(x)), x], axis=1)
        left = np.zeros(live.shape)
        left[live] = y - line @ np.linalg.lstsq(line, y, rcond=None)[0]
        return np.asarray(left.sum(axis=1) / np.maximum(live.sum(axis=1), 1))

    @cached_property
    def median_harm(self) -> FloatArray:
        """Median T of every entry before any measurement, (D, B), in the unit of the scores."""
        return np.asarray(np.exp(np.minimum(self.log_harm, LARGEST_LOG)))

    @cached_property
    def column(self) -> IntArray:
        """Number of each entry among the parameters, (D, B), -1 for entries without harm."""
        live = np.isfinite(self.log_harm)
        return np.asarray(np.where(live, np.cumsum(live).reshape(live.shape) - 1, -1))

    @cached_property
    def membership(self) -> FloatArray:
        """Which dimension is in which block, (D, K)."""
        return np.asarray(np.eye(int(self.blocks.max()) + 1)[self.blocks])

    @cached_property
    def normal(self) -> tuple[FloatArray, FloatArray]:
        """Mean (P,) and precision (P, P) of all parameters; not to be written to."""
        return precision_of(self)

    @cached_property
    def log_root(self) -> float:
        """Half the logarithm of the determinant of the prior precision."""
        return 0.5 * float(np.linalg.slogdet(self.normal[1])[1])

    @cached_property
    def entries(self) -> int:
        """Number of entries with harm."""
        return int(np.isfinite(self.log_harm).sum())


def prior_harm(space: Space, scores: FloatArray) -> FloatArray:
    """Prior scores (D, B) as a complete table (D, B): relative to the widest level, never rising with width.

    +inf beyond a dimension's choices. A dimension without scores is taken to be like the median of the others; time
    steps without scores like the most harmful one. Without any score, harm falls fourfold per bit (the squared
    rounding step of a uniform quantizer).
    """
    exists = space.exists
    scores = np.where(exists, scores, np.nan)
    known = ~np.isnan(np.where(exists, scores, 0.0)).any(axis=1)
    if known.any():
        rows = np.where(exists, scores, 0.0)[known]
        typical, worst = np.median(rows, axis=0), rows.max(axis=0)
    else:
        typical = worst = 4.0 ** -np.arange(scores.shape[1], dtype=float)
    for d in np.flatnonzero(~known):
        size = int(space.sizes[d])
        pattern = worst if space.dimensions[d].kind == "time_steps" else typical
        scores[d, :size] = np.where(np.isnan(scores[d, :size]), pattern[:size], scores[d, :size])
    last = scores[np.arange(len(scores)), space.sizes - 1]
    rising = np.where(exists, scores - last[:, None], 0.0)
    monotone = np.maximum.accumulate(np.maximum(rising, 0.0)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.where(exists, monotone, np.inf))


def prior_of(problem: Problem, scores: FloatArray | None = None) -> Prior:
    """The prior of a problem from its scores, or those (D, B) of one part, and the distances where they were measured.

    Both are known up to their unit; the distances are brought to the scale of the scores, and each dimension's error
    is the precision-weighted mean of the two.
    """
    scores = problem.whole.scores if scores is None else scores
    exists, harm = problem.space.exists, prior_harm(problem.space, scores)
    scored = np.isfinite(np.where(exists, scores, 0.0)).all(axis=1)
    with np.errstate(divide="ignore"):
        log_harm = np.where(exists & (harm > 0), np.log(np.where(harm > 0, harm, 1.0)), -np.inf)
    spread = np.where(scored, FISHER_ERROR, UNKNOWN_ERROR)
    if problem.distances is not None:
        log_harm, spread = _with_distances(problem.distances, log_harm, spread)
    position = problem.space.choices
    names = [d.block or d.name for d in problem.space.dimensions]
    order = {name: i for i, name in enumerate(dict.fromkeys(names))}
    blocks = np.array([order[name] for name in names], dtype=np.int64)
    return Prior(log_harm, spread, np.clip(position - 4.0, -3.0, 4.0), blocks, problem.shared_error)


def _with_distances(distances: FloatArray, log_harm: FloatArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Logarithms of harm (D, B) and their error per dimension (D,) after distances (D, B) to the float network."""
    both = np.isfinite(log_harm) & (np.nan_to_num(distances) > 0)
    gap = np.where(both, np.log(np.where(both, distances, 1.0)) - log_harm, 0.0)
    seen = both.sum(axis=1)
    known = seen > 0
    if not known.any():
        return log_harm, spread
    mean = gap.sum(axis=1) / np.maximum(seen, 1)
    apart = np.where(known, mean - np.median(mean[known]), 0.0)
    precision = spread**-2
    total = precision + np.where(known, DISTANCE_ERROR**-2, 0.0)
    moved = log_harm + (apart * (1 - precision / total))[:, None]
    # sources that disagree more than their errors allow are both worth less, but never worth next to nothing
    expected = float(np.mean((spread**2 + DISTANCE_ERROR**2)[known]))
    disagreement = float(np.mean(apart[known] ** 2))
    return moved, np.sqrt(np.clip(disagreement / expected, 1.0, MOST_DISAGREEMENT) / total)


class Layout:
    """Where each parameter stands in the vector."""

    def __init__(self, prior: Prior) -> None:
        blocks = prior.membership.shape[1]
        self.entries = prior.entries
        self.scale, self.slope = self.entries, self.entries + 1
        start = self.entries + 2
        self.trust = start  # power of the scores' differences, less one
        self.inside = slice(start + 1, start + 1 + blocks)
        self.following = slice(self.inside.stop, self.inside.stop + blocks - 1)
        self.everywhere = self.following.stop
        self.shared = self.everywhere + 1  # parameters that act through z
        own = range(self.shared, self.shared + 8)
        self.cap, self.early, self.late, self.knee, self.offset, self.kappa, self.power, self.nll_offset = own
        self.size = self.shared + 8


def precision_of(prior: Prior) -> tuple[FloatArray, FloatArray]:
    """Prior mean (P,) and precision (P, P)."""
    at, hyper = Layout(prior), prior.hyper
    mean, out = np.zeros(at.size), np.zeros((at.size, at.size))
    for d, columns in enumerate(prior.column):
        live = columns >= 0
        if not live.any():
            continue
        x = prior.position[d, live]
        spread = hyper.spread * prior.spread[d]
        cover = spread**2 + SLOPE_ERROR**2 * np.outer(x, x) + JITTER**2 * np.eye(len(x))
        out[np.ix_(columns[live], columns[live])] = np.linalg.inv(hyper.norm**2 * cover)
    for part, common, spread in zip((at.inside, at.following), PAIR_MEAN, PAIR_ERROR, strict=False):
        count = part.stop - part.start
        cover = common**2 * np.ones((count, count)) + spread**2 * np.eye(count)
        out[part, part] = np.linalg.inv(hyper.pairs**2 * cover)
    mean[at.cap], mean[at.kappa], mean[at.power] = np.log(CAP), np.log(NLL_PER_POINT), 1.0
    mean[at.knee] = np.log(KNEE)
    single = {
        at.scale: hyper.norm * SCALE_ERROR,
        at.slope: hyper.norm * COMMON_SLOPE_ERROR,
        at.trust: hyper.spread * TRUST_ERROR,
    }
    single |= {at.everywhere: hyper.pairs * PAIR_MEAN[2], at.cap: CAP_ERROR, at.kappa: NLL_ERROR}
    single |= {at.power: POWER_ERROR, at.knee: KNEE_ERROR}
    for i, spread in single.items():
        out[i, i] = spread**-2
    bends = [at.early, at.late]  # log early, and log late, which is early's plus a change
    cover = EARLY_ERROR**2 * np.ones((2, 2)) + np.diag([0.0, LATE_ERROR**2])
    out[np.ix_(bends, bends)] = np.linalg.inv(hyper.bend**2 * cover)
    offsets = [at.offset, at.nll_offset]
    mean[offsets], cover = (prior.shared_error or SharedError.none()).prior
    out[np.ix_(offsets, offsets)] = np.linalg.inv(cover)
    return mean, out
