"""What is measured of a design: statistics of its logits against those of the float network on the same images."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.errors import EvaluationError
from sviT_models.measure import accuracy


@dataclass(frozen=True)
class Evaluation:
    """What was measured of one design on `images` images.

    `top1` and its standard error are shares; `drop`, its 95 % interval and `drop_stderr` are percentage points lost
    against the float network on the same images; `changed` is the share of images whose predicted class differs;
    `kl` [nat], `logit_distance` (mean squared) and `nll_delta` [nat] compare with the float network's outputs;
    `nll_stderr` is the standard error of `nll_delta`, `drop_nll_correlation` that of its error with the drop's;
    `right` counts the images of every class that get it; `spikes` are spikes per image of every LIF layer, summed over
    the time steps.
    """

    top1: float
    top1_stderr: float
    top5: float
    right: tuple[int, ...]
    drop: float
    drop_low: float
    drop_high: float
    drop_stderr: float
    changed: float
    kl: float
    logit_distance: float
    nll: float
    nll_delta: float
    images: int
    spikes: tuple[float, ...]
    complete: bool = True
    nll_stderr: float = float("nan")
    drop_nll_correlation: float = 0.0

    def record(self) -> dict[str, Any]:
        """The evaluation as JSON values, for the study."""
        return asdict(self) | {"spikes": list(self.spikes), "right": list(self.right)}


def from_record(record: dict[str, Any]) -> Evaluation:
    """The evaluation in a study's record."""
    return Evaluation(**(record | {name: tuple(record[name]) for name in ("spikes", "right")}))


@dataclass(frozen=True)
class Partial:
    """A running evaluation, for racing: images so far and what they say."""

    images: int
    total: int
    drop: float
    drop_stderr: float
    changed: float


def check_finite(logits: FloatArray) -> None:
    """Raises EvaluationError when a logit is not finite."""
    if not np.isfinite(logits).all():
        raise EvaluationError("the quantized network gave NaN or infinite logits; widen its narrowest layers")


def measure(
    logits: FloatArray,
    reference: FloatArray,
    labels: IntArray,
    spikes: IntArray,
    total: int,
    strata: IntArray | None = None,
) -> Evaluation:
    """Statistics of one design's logits (N, classes) against the float network's on the same images.

    `spikes` (LIF layers, T) are summed over the N images; `total` is the number of images a full evaluation has.
    `strata` (N,) say where the images were drawn in the shares that their strata have among all: then errors are those
    within the strata.  Raises EvaluationError when a logit is not finite.
    """
    check_finite(logits)
    right = accuracy.correct(logits, labels)
    right_float = accuracy.correct(reference, labels)
    paired = accuracy.paired_drop(right_float, right)
    share, stderr = accuracy.top1(logits, labels)
    nll, reference_nll = accuracy.nll_per_image(logits, labels), accuracy.nll_per_image(reference, labels)
    lost, harm = right_float.astype(float) - right, nll - reference_nll
    low, high, gain, spread = paired.low, paired.high, 1.0, 1.0
    if strata is not None:
        gain, spread = within(lost, strata), within(harm, strata)
        low, high = (100 * end for end in accuracy.tango_interval(*(x / gain for x in counted(lost))))
    return Evaluation(
        top1=share,
        top1_stderr=stderr,
        top5=accuracy.topk(logits, labels, min(5, logits.shape[1])),
        right=tuple(accuracy.per_class(logits, labels)[0].tolist()),
        drop=paired.drop,
        drop_low=low,
        drop_high=high,
        drop_stderr=float(paired.stderr * np.sqrt(gain)),
        changed=float((logits.argmax(1) != reference.argmax(1)).mean()),
        kl=accuracy.kl(reference, logits),
        logit_distance=accuracy.logit_distance(reference, logits),
        nll=float(nll.mean()),
        nll_delta=float(nll.mean()) - float(reference_nll.mean()),
        images=len(labels),
        spikes=tuple(float(s) for s in spikes.sum(1) / len(labels)),
        complete=len(labels) == total,
        nll_stderr=float(harm.std() * np.sqrt(spread / len(labels))),
        drop_nll_correlation=accuracy.correlation(lost, harm),
    )


LEAST_WITHIN = 0.3  # share of a variance within strata, which few images per stratum estimate badly


def within(values: FloatArray, strata: IntArray) -> float:
    """The share of the variance of values (N,) that lies within their strata (N,), between LEAST_WITHIN and 1.

    The mean of a sample with the strata's own shares errs by this part alone (Cochran, Sampling Techniques, 1977,
    eq. 5.3); a stratum loses one degree of freedom.
    """
    _, at = np.unique(strata, return_inverse=True)
    count = np.bincount(at)
    mean = np.bincount(at, values) / count
    whole, free = float(values.var()), len(values) - len(count)
    if whole <= 0 or free <= 0:
        return 1.0
    return float(np.clip(((values - mean[at]) ** 2).sum() / free / whole, LEAST_WITHIN, 1.0))


def counted(lost: FloatArray) -> tuple[float, float, float]:
    """Images lost, won and all, of values 1 (lost), -1 (won) and 0."""
    return float((lost > 0).sum()), float((lost < 0).sum()), float(len(lost))


def share_text(share: float, images: int) -> str:
    """A share that was measured on `images`, with its 95 % interval."""
    low, high = accuracy.share_interval(share, images)
    return f"{share:.2%} ({low:.2%} to {high:.2%})"
