"""The evaluator: designs as really quantized networks on one set of images, against their float network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from dse.arrays import BoolArray, FloatArray, IntArray
from dse.errors import ConfigError
from dse.evaluation.activation_widths import ActivationWidths
from dse.evaluation.measurement import Evaluation, Partial, check_finite, measure
from dse.evaluation.subsets import Subsets
from dse.problem.by_form import ByForm
from dse.problem.design import Design
from dse.progress import Progress
from dse.verification.strata import strata_of
from sviT_models.measure import accuracy

BATCHES_LOADED = 4  # held in memory of images that stay on disk, so that every thread has one


class Runner(Protocol):
    """What evaluates a batch of images: the integer engine, or a user's own evaluator."""

    def run(
        self, images: Any, weight_bits: Any, *, time_steps: int | None = None, batch_size: int | None = None
    ) -> Any:
        """An object with `logits` (N, classes) and `spikes` (LIF layers, T) summed over the images.

        Where designs have state widths, it is also given `state_bits`, the width of every LIF layer by its name; where
        progress is shown, `on_batch`, a function that takes the result of every finished batch.
        """


def _counting(progress: Progress, total: int) -> Callable[[Any], None]:
    """A function that counts the images of finished batches and shows the progress."""
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
    designs with state widths, which also have `activations`, the engine's widths between layers.
    """

    runner: Runner
    reference: Design
    lif_layers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    activations: ActivationWidths = field(default_factory=ActivationWidths)


class Evaluator:
    """Evaluates designs on one set of images, each design at most once, against the float network of its form.

    All designs have the same images, or subsets of them that take turns (`share`).

    subjects: by form of the network, one as a rule. The float network of the first form is run when the evaluator is
    made, that of another when its first design is evaluated; `floats` are those evaluated so far, by form.
    images, labels: N of each; batch_size: images per batch; progress: of the first float network's images.
    `seconds` and `images_run` count the work done so far. Raises ConfigError for labels beyond the network's classes.
    """

    def __init__(
        self,
        subjects: ByForm[Subject],
        images: Any,
        labels: Any,
        batch_size: int = 100,
        progress: Progress | None = None,
    ) -> None:
        self._subjects = subjects
        self._images = images
        self._labels = np.asarray(labels, dtype=np.int64)
        self._batch = batch_size
        self._known: dict[str, Evaluation] = {}
        self._float_logits: dict[str, FloatArray] = {}
        self._subsets: Subsets | None = None
        self.images_run = 0
        self.seconds = 0.0
        self.floats: dict[str, Evaluation] = {}
        self.float = self._float_of(next(iter(subjects)), progress)

    def _float_of(self, form: str, progress: Progress | None = None) -> Evaluation:
        """The float network of a form."""
        if form not in self.floats:
            count = len(self._labels)
            logits, spikes = self._forward(slice(0, count), self._subjects[form].reference, progress)
            if count and self._labels.max() >= logits.shape[1]:
                most, classes = int(self._labels.max()), logits.shape[1]
                raise ConfigError(
                    f"labels: the largest is {most} and the network has {classes} classes; expected 0 to {classes - 1}"
                )
            self._float_logits[form] = logits
            self.floats[form] = measure(logits, logits, self._labels, spikes, count)
        return self.floats[form]

    @property
    def images(self) -> int:
        """Number of all images, on which the float network is known."""
        return len(self._labels)

    @property
    def each(self) -> int:
        """Number of images of a full evaluation of a design."""
        return self.images if self._subsets is None else self._subsets.size

    def share(self, each: int, seed: int) -> None:
        """From now on, a design is evaluated on `each` images, stratified by the float network's margin."""
        whole = each >= self.images
        strata = strata_of(next(iter(self._float_logits.values())), self._labels)
        self._subsets = None if whole else Subsets(strata, each, seed)

    def pace(self, design: Design) -> float:
        """Images of a design evaluated per second: of a second batch, as the first one prepares weights and kernels."""
        part = slice(0, self._batch)
        self._forward(part, design)
        before, run = self.seconds, self.images_run
        self._forward(part, design)
        return (self.images_run - run) / max(self.seconds - before, 1e-9)

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
        self,
        design: Design,
        cut: Callable[[Partial], bool] | None = None,
        progress: Progress | None = None,
        turn: int = 0,
    ) -> Evaluation:
        """Evaluate a design; `cut` may stop it between batches, which leaves an incomplete evaluation.

        Without `cut`, `progress` hears how many of the images are done; `turn` chooses the subset, where there are any.
        """
        known = self.known(design)
        if known is not None:
            return known
        places = None if self._subsets is None else self._subsets.places(turn)
        if cut is None:
            logits, spikes = self._forward(slice(0, self.images) if places is None else places, design, progress)
        else:
            logits, spikes = self._raced(design, cut, places)
        chosen = slice(0, len(logits)) if places is None else places[: len(logits)]
        strata = None if self._subsets is None else self._subsets.strata[chosen]
        reference = self.float_logits(design)[chosen]
        evaluation = measure(logits, reference, self._labels[chosen], spikes, self.each, strata)
        self.remember(design, evaluation)
        return evaluation

    def _raced(
        self, design: Design, cut: Callable[[Partial], bool], places: IntArray | None
    ) -> tuple[FloatArray, IntArray]:
        """Logits and spikes of the images, all or at some `places`, that were evaluated before `cut` stopped it."""
        parts: list[FloatArray] = []
        spikes: IntArray | int = 0
        stop, total = 0, self.each
        step = max(self._batch, total // 8)
        while stop < total:
            start, stop = stop, min(stop + step, total)
            logits, counted = self._forward(slice(start, stop) if places is None else places[start:stop], design)
            parts.append(logits)
            spikes = spikes + counted
            chosen = slice(0, stop) if places is None else places[:stop]
            if stop < total and cut(self._partial(design, np.concatenate(parts), chosen)):
                break
        return np.concatenate(parts), np.asarray(spikes)

    def _partial(self, design: Design, logits: FloatArray, chosen: slice | IntArray) -> Partial:
        labels, reference = self._labels[chosen], self.float_logits(design)[chosen]
        paired = accuracy.paired_drop(accuracy.correct(reference, labels), accuracy.correct(logits, labels))
        changed = float((logits.argmax(1) != reference.argmax(1)).mean())
        return Partial(len(logits), self.each, paired.drop, paired.stderr, changed)

    def float_logits(self, design: Design) -> FloatArray:
        """Logits (N, classes) of the float network in the form of a design."""
        form = self._subjects.form_of(design.layers)
        self._float_of(form)
        return self._float_logits[form]

    def sides(self, design: Design, places: Sequence[int]) -> tuple[BoolArray, BoolArray]:
        """Which of some images the float network and a design get right, (images,) each; nothing is remembered.

        places: positions of the images.  Raises EvaluationError when a logit of the design is not finite.
        """
        chosen = np.asarray(places, dtype=np.int64)
        logits, _ = self._forward(chosen, design)
        return self._sides(logits, self.float_logits(design)[chosen], chosen)

    def sides_of(self, logits_of: Callable[[Any], FloatArray], places: Sequence[int]) -> tuple[BoolArray, BoolArray]:
        """As `sides`, of another network than a design; `logits_of` gives its logits (n, classes) of n images."""
        start, chosen = time.perf_counter(), np.asarray(places, dtype=np.int64)
        logits = np.concatenate([logits_of(images) for images in self._loaded(chosen)])
        self.seconds += time.perf_counter() - start
        self.images_run += len(chosen)
        return self._sides(logits, next(iter(self._float_logits.values()))[chosen], chosen)

    def _sides(self, logits: FloatArray, reference: FloatArray, chosen: IntArray) -> tuple[BoolArray, BoolArray]:
        check_finite(logits)
        labels = self._labels[chosen]
        return np.asarray(accuracy.correct(reference, labels)), np.asarray(accuracy.correct(logits, labels))

    @property
    def labels(self) -> IntArray:
        """(N,)."""
        return self._labels

    def _forward(
        self, part: slice | IntArray, design: Design, progress: Progress | None = None
    ) -> tuple[FloatArray, IntArray]:
        start, count = time.perf_counter(), len(self._labels[part])
        subject, options = self._subjects.with_layers(design.layers), dict[str, Any]()
        if states := design.lif_bits(subject.lif_layers):
            options |= {"state_bits": states} | subject.activations.options(design)
        if progress is not None:
            options["on_batch"] = _counting(progress, count)
        outs = [
            subject.runner.run(
                images, design.widths.tolist(), time_steps=design.time_steps, batch_size=self._batch, **options
            )
            for images in self._loaded(part)
        ]
        self.seconds += time.perf_counter() - start
        self.images_run += count
        logits = np.concatenate([np.asarray(out.logits, dtype=np.float64) for out in outs])
        return logits, np.sum([np.asarray(out.spikes, dtype=np.int64) for out in outs], axis=0)

    def _loaded(self, part: slice | IntArray) -> Iterable[Any]:
        """The images of a part: at once, or batch by batch where they stay on disk and load meanwhile."""
        if hasattr(self._images, "part"):
            batches: Iterable[Any] = self._images.part(part).split(BATCHES_LOADED * self._batch)
            return batches
        return (self._images[part],)
