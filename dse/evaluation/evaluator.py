"""Design -> Evaluation: the accuracy of the really quantized network, measured against its float self."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.errors import EvaluationError
from dse.problem.design import Design
from dse.progress import Progress
from sviT_models.measure import accuracy

BATCHES_LOADED = 4  # held in memory of images that stay on disk, so that every thread has one


class Runner(Protocol):
    """What evaluates a batch of images: the integer engine, or a user's own evaluator."""

    def run(
        self, images: Any, weight_bits: Any, *, time_steps: int | None = None, batch_size: int | None = None
    ) -> Any:
        """An object with `logits` (N, classes) and `spikes` (LIF layers, T) summed over the images.

        Where designs have state widths, it is also given `state_bits`, the width of every LIF layer by its name; where
        somebody waits for images, `on_batch`, a function that takes the result of every finished batch.
        """


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


def measure(logits: FloatArray, reference: FloatArray, labels: IntArray, spikes: IntArray, total: int) -> Evaluation:
    """Statistics of one design's logits (N, classes) against the float network's on the same images.

    `spikes` (LIF layers, T) are summed over the N images; `total` is the number of images a full evaluation has.
    Raises EvaluationError when a logit is not finite.
    """
    if not np.isfinite(logits).all():
        raise EvaluationError("the quantized network gave NaN or infinite logits; widen its narrowest layers")
    right = accuracy.correct(logits, labels)
    right_float = accuracy.correct(reference, labels)
    paired = accuracy.paired_drop(right_float, right)
    share, stderr = accuracy.top1(logits, labels)
    nll, reference_nll = accuracy.nll_per_image(logits, labels), accuracy.nll_per_image(reference, labels)
    lost, harm = right_float.astype(float) - right, nll - reference_nll
    return Evaluation(
        top1=share,
        top1_stderr=stderr,
        top5=accuracy.topk(logits, labels, min(5, logits.shape[1])),
        right=tuple(accuracy.per_class(logits, labels)[0].tolist()),
        drop=paired.drop,
        drop_low=paired.low,
        drop_high=paired.high,
        drop_stderr=paired.stderr,
        changed=float((logits.argmax(1) != reference.argmax(1)).mean()),
        kl=accuracy.kl(reference, logits),
        logit_distance=accuracy.logit_distance(reference, logits),
        nll=float(nll.mean()),
        nll_delta=float(nll.mean()) - float(reference_nll.mean()),
        images=len(labels),
        spikes=tuple(float(s) for s in spikes.sum(1) / len(labels)),
        complete=len(labels) == total,
        nll_stderr=float(harm.std() / np.sqrt(len(labels))),
        drop_nll_correlation=accuracy.correlation(lost, harm),
    )


def _counting(progress: Progress, total: int) -> Callable[[Any], None]:
    """What counts the images of finished batches."""
    done = 0

    def count(output: Any) -> None:
        nonlocal done
        done += len(output.logits)
        progress(done, total)

    return count


@dataclass(frozen=True)
class Subject:
    """What evaluates the designs of one form of the network.

    runner: the engine; reference: the float network as a design (every width 32); lif_layers: LIF layers by stage, for
    designs with state widths, which also have `activation_bits`, the engine's widths between layers.
    """

    runner: Runner
    reference: Design
    lif_layers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    activation_bits: Mapping[str, int] = field(default_factory=dict)


class Evaluator:
    """Evaluates designs on one fixed set of images, each design at most once, against the float network of its form.

    subjects: one per form of the network, one as a rule; a design belongs to the one that has its layers. The float
    network of the first is run when the evaluator is made, that of another when its first design is evaluated.
    images, labels: N of each; batch_size: images per batch; progress: hears of the first float network's images.
    `seconds` and `images_run` count the work done so far.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        images: Any,
        labels: Any,
        batch_size: int = 100,
        progress: Progress | None = None,
    ) -> None:
        self._subjects = {subject.reference.layers: subject for subject in subjects}
        self._images = images
        self._labels = np.asarray(labels, dtype=np.int64)
        self._batch = batch_size
        self._known: dict[str, Evaluation] = {}
        self._float_logits: dict[tuple[str, ...], FloatArray] = {}
        self.images_run = 0
        self.seconds = 0.0
        self.floats: dict[tuple[str, ...], Evaluation] = {}  # float networks evaluated so far, by their layers
        self.float = self._float_of(subjects[0].reference.layers, progress)

    def _float_of(self, layers: tuple[str, ...], progress: Progress | None = None) -> Evaluation:
        """The float network of the form with these layers."""
        if layers not in self.floats:
            count = len(self._labels)
            logits, spikes = self._forward(slice(0, count), self._subjects[layers].reference, progress)
            self._float_logits[layers] = logits
            self.floats[layers] = measure(logits, logits, self._labels, spikes, count)
        return self.floats[layers]

    @property
    def images(self) -> int:
        """Number of images of a full evaluation."""
        return len(self._labels)

    @property
    def images_per_second(self) -> float:
        """Throughput so far."""
        return self.images_run / max(self.seconds, 1e-9)

    def known(self, design: Design) -> Evaluation | None:
        """The evaluation of a design that was evaluated before."""
        return self._known.get(design.id)

    def remember(self, design: Design, evaluation: Evaluation) -> None:
        """Take over an evaluation from an earlier run of the same search."""
        if evaluation.complete:
            self._known[design.id] = evaluation

    def __call__(
        self, design: Design, cut: Callable[[Partial], bool] | None = None, progress: Progress | None = None
    ) -> Evaluation:
        """Evaluate a design; `cut` may stop it between batches, which leaves an incomplete evaluation.

        Without `cut`, `progress` hears how many of the images are done.
        """
        known = self.known(design)
        if known is not None:
            return known
        self._float_of(design.layers)
        reference, done = self._float_logits[design.layers], len(self._labels)
        if cut is None:
            logits, spikes = self._forward(slice(0, done), design, progress)
        else:
            logits, spikes, done = self._raced(design, cut)
        evaluation = measure(logits, reference[:done], self._labels[:done], spikes, len(self._labels))
        self.remember(design, evaluation)
        return evaluation

    def _raced(self, design: Design, cut: Callable[[Partial], bool]) -> tuple[FloatArray, IntArray, int]:
        parts: list[FloatArray] = []
        spikes: IntArray | int = 0
        stop = 0
        total = len(self._labels)
        step = max(self._batch, total // 8)
        while stop < total:
            start, stop = stop, min(stop + step, total)
            logits, counted = self._forward(slice(start, stop), design)
            parts.append(logits)
            spikes = spikes + counted
            if stop < total and cut(self._partial(design, np.concatenate(parts), stop)):
                break
        return np.concatenate(parts), np.asarray(spikes), stop

    def _partial(self, design: Design, logits: FloatArray, done: int) -> Partial:
        labels, reference = self._labels[:done], self._float_logits[design.layers][:done]
        paired = accuracy.paired_drop(accuracy.correct(reference, labels), accuracy.correct(logits, labels))
        changed = float((logits.argmax(1) != reference.argmax(1)).mean())
        return Partial(done, len(self._labels), paired.drop, paired.stderr, changed)

    def _forward(self, part: slice, design: Design, progress: Progress | None = None) -> tuple[FloatArray, IntArray]:
        start = time.perf_counter()
        subject, options = self._subjects[design.layers], dict[str, Any]()
        if states := design.lif_bits(subject.lif_layers):
            options["state_bits"] = states
            if subject.activation_bits:
                options["activation_bits"] = dict(subject.activation_bits)
        if progress is not None:
            options["on_batch"] = _counting(progress, part.stop - part.start)
        outs = [
            subject.runner.run(
                images, design.widths.tolist(), time_steps=design.time_steps, batch_size=self._batch, **options
            )
            for images in self._loaded(part)
        ]
        self.seconds += time.perf_counter() - start
        self.images_run += part.stop - part.start
        logits = np.concatenate([np.asarray(out.logits, dtype=np.float64) for out in outs])
        return logits, np.sum([np.asarray(out.spikes, dtype=np.int64) for out in outs], axis=0)

    def _loaded(self, part: slice) -> Iterable[Any]:
        """The images of a part: at once, or batch by batch where they stay on disk and load meanwhile."""
        if hasattr(self._images, "part"):
            batches: Iterable[Any] = self._images.part(part).split(BATCHES_LOADED * self._batch)
            return batches
        return (self._images[part],)
