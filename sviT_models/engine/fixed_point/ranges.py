"""How large membrane potentials, streams and activations of the float network get, on unlabelled images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from sviT_models.engine.fixed_point.streams import Streams
from sviT_models.engine.number_formats import EXPONENTS, Curve, Floats, curve
from sviT_models.engine.values import Value, Weighted
from sviT_models.graph.graph import Node
from sviT_models.graph.neurons import SpikingLaw
from sviT_models.graph.run import run

IMAGES = 32
RESERVE = 4  # a potential's range is considered up to 2^3 thresholds


@dataclass(frozen=True)
class Ranges:
    """Clipping errors by neuron layer (`states`), by stream (`numbers`), by hand-over of sums to a layer (`inputs`) and
    of the image; `peaks` (C,) by layer whose sums a depthwise layer takes; `images` seen.
    """

    states: dict[str, Curve]
    numbers: dict[str, Curve]
    inputs: dict[str, Curve]
    peaks: dict[str, Floats]
    image: Curve
    images: int


@dataclass(eq=False)
class _Observer:
    """What is looked at: streams and hand-overs by the node of the graph whose result they hold, and layers' peaks."""

    streams: Streams
    seen: dict[tuple[str, str], list[Curve]] = field(default_factory=dict)
    peaks: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kept: dict[str, list[tuple[str, str]]] = {}
        self.axes: dict[str, int] = {}
        for name in self.streams.members:
            for source, norms in self.streams.written(name):
                self.kept.setdefault(norms[-1] if norms else source, []).append(("number", name))
        for operation in self.streams.inputs:
            (given,) = self.streams.program.by_name[operation].inputs
            if operation in self.streams.handed:
                self.kept.setdefault(node_of(given), []).append(("input", operation))
            elif isinstance(given.kind, Weighted):
                self.axes[given.source] = given.kind.axis

    def note(self, kind: str, name: str, values: Tensor, exponents: Iterable[int] = EXPONENTS) -> None:
        """A tensor's curve."""
        self.seen.setdefault((kind, name), []).append(curve(values.double().numpy(force=True), list(exponents)))

    def see(self, node: Node, given: tuple[Tensor, ...], result: Tensor) -> None:
        """Hears of every node of the graph."""
        for kind, name in self.kept.get(node.name, []):
            self.note(kind, name, result.abs())
        if node.name in self.axes:
            peak = result.abs().transpose(0, self.axes[node.name]).flatten(1).amax(1).double().numpy(force=True)
            self.peaks[node.name] = np.maximum(self.peaks.get(node.name, 0), peak)
        law = node.attributes.get("law")
        if isinstance(law, SpikingLaw):
            lowest = int(np.ceil(np.log2(law.threshold)))
            kept = potentials(given[0], law)
            high = law.delayed or law.reset == "subtract"  # else what is kept is below the threshold
            self.note("state", node.path, kept.abs() if high else -kept, range(lowest, lowest + RESERVE))

    def means(self, kind: str) -> dict[str, Curve]:
        """The mean curves of a kind."""
        return {name: _mean(parts) for (known, name), parts in self.seen.items() if known == kind}


def observe(streams: Streams, batches: Iterable[Tensor], count: int = IMAGES) -> Ranges:
    """The Ranges of the float network of a program on the first `count` images.

    streams  the streams of the program, whose graph is run
    batches  images (B, ...) as the graph takes them
    """
    observer, total = _Observer(streams), 0
    for batch in batches:
        batch = batch[: count - total]
        observer.note("image", "", batch.abs())
        run(streams.program.graph, batch.float(), dtype=torch.float32, see=observer.see)
        total += len(batch)
        if total == count:
            break
    states, numbers, inputs = (observer.means(kind) for kind in ("state", "number", "input"))
    return Ranges(states, numbers, inputs, observer.peaks, observer.means("image")[""], total)


def potentials(current: Tensor, law: SpikingLaw) -> Tensor:
    """What the neurons keep after each step, (T, ...)."""
    v, kept = torch.zeros_like(current[0]), []
    owed, subtract = torch.zeros_like(v), law.reset == "subtract"
    for x, spikes in zip(current, law.fire(current), strict=True):
        v = law.integrated(v if subtract or not law.delayed else v * (1 - owed), x)
        if law.delayed:
            v = v - owed * law.threshold if subtract else v
        else:
            v = v - spikes * law.threshold if subtract else torch.where(spikes > 0, 0.0, v)
        owed = spikes
        kept.append(v)
    return torch.stack(kept)


def node_of(value: Value) -> str:
    """The node of the graph whose result a value is, behind its norms."""
    return value.norms[-1] if value.norms else value.source


def _mean(parts: list[Curve]) -> Curve:
    errors = np.mean([[error for _, error in part.errors] for part in parts], axis=0)
    return Curve(tuple((e, float(error)) for (e, _), error in zip(parts[0].errors, errors, strict=True)))
