"""Gradient sensitivity of widths between layers: what rounding streams and handed-over sums does to the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sviT_models.engine.fixed_point.plan_cache import PIXELS as OBSERVED
from sviT_models.engine.fixed_point.ranges import Ranges, node_of, observe
from sviT_models.engine.fixed_point.streams import Streams
from sviT_models.engine.programs import Programs
from sviT_models.graph.graph import Graph, Node, sizes
from sviT_models.graph.layers import as_network
from sviT_models.graph.run import FLOAT, typed, walked
from sviT_models.measure.hooks import PIXELS, batches
from sviT_models.threads import one_thread


@dataclass(frozen=True)
class _Place:
    """Where the float network has a value that the integer network rounds: the name of its width, and at which 2^e
    [bit -> e] it is clipped.
    """

    name: str
    exponent: Callable[[int], int]


@one_thread()
def activation_scores(
    model: nn.Module | Graph,
    images: Tensor | Iterable[Tensor],
    labels: Tensor | NDArray[np.integer],
    widths: Sequence[int],
    seen: Tensor,
) -> pd.DataFrame:
    """Diagonal Fisher score of every width between layers but the image's: columns `name, bits, score`.

    model   the float network, or the graph of one
    images  (N, 3, H, W), or an iterable of such batches
    labels  (N,) classes
    widths  widths [bit] to score, 4 to 16
    seen    unlabelled images (M, 3, H, W) that show how large the values get

    The score is the sum over elements of (gradient of the loss x change by rounding and clipping)^2, mean over
    images, as `fisher_scores` has it for weights: both add up. A stream is rounded wherever something is added to it.
    Names are those of `Engine.activation_names`.
    """
    network = as_network(model)
    program = Programs(model).of(next(batches(network, seen))[:1])
    streams, graph = Streams(program), program.graph
    places = _places(streams, observe(streams, batches(network, seen, OBSERVED)))
    scores = {place.name: np.zeros(len(widths)) for found in places.values() for place in found}
    truth, done = torch.as_tensor(labels).long(), 0
    parameters = typed(graph.parameters, next(network.parameters()).dtype)
    for batch in batches(network, images, PIXELS // 8):  # activations are kept until their gradient arrives
        given = batch.clone().requires_grad_()  # the image has a gradient, so that everything behind it has one

        def result_of(node: Node, inputs: tuple[Tensor, ...], given: Tensor = given) -> Tensor:
            if node.op == "image":
                return given
            own = {role: parameters[name] for role, name in node.parameters.items()}
            result = FLOAT[node.op](node, inputs, own, sizes(node.shape, graph.time_steps, len(given)))
            for place in places.get(node.name, []):
                result.register_hook(_scoring(place, result.detach(), widths, scores[place.name]))
            return result

        with torch.enable_grad():
            logits = walked(graph, result_of)
            F.cross_entropy(logits, truth[done : done + len(batch)], reduction="sum").backward()
        done += len(batch)
    rows = [(name, b, value / done) for name, found in scores.items() for b, value in zip(widths, found, strict=True)]
    return pd.DataFrame(rows, columns=["name", "bits", "score"])


def _places(streams: Streams, ranges: Ranges) -> dict[str, list[_Place]]:
    """By node of the graph the widths of its result.

    Sums before a depthwise layer keep the step of their weights: they are shifted until the largest of them fits.
    """
    found: dict[str, list[_Place]] = {}
    for name in streams.members:
        if name != streams.logits:
            for source, norms in streams.written(name):
                place = _Place(name, ranges.numbers[name].exponent)
                found.setdefault(_spread(streams.program.graph, norms[-1] if norms else source), []).append(place)
    for operation, name in streams.inputs.items():
        (given,) = streams.program.by_name[operation].inputs
        if operation in streams.handed:
            found.setdefault(node_of(given), []).append(_Place(name, ranges.inputs[operation].exponent))
        else:
            largest = int(np.ceil(np.log2(max(float(ranges.peaks[given.source].max()), 2.0**-24))))
            found.setdefault(given.source, []).append(_Place(name, partial(_fixed, largest)))
    return found


def _fixed(exponent: int, _: int) -> int:
    return exponent


def _spread(graph: Graph, name: str) -> str:
    """Where a number has its time steps: behind re-shapings that nothing else sees."""
    takers = graph.consumers[name]
    while len(takers) == 1 and takers[0].op in ("reshape", "expand"):
        name = takers[0].name
        takers = graph.consumers[name]
    return name


def _scoring(
    place: _Place, kept: Tensor, widths: Sequence[int], scores: NDArray[np.float64]
) -> Callable[[Tensor], None]:
    """What adds to `scores`, once the gradient of a value is known, what each width does to it."""

    def score(gradient: Tensor) -> None:
        with torch.no_grad():
            for i, bits in enumerate(widths):
                scores[i] += float(((_rounded(kept, bits, place.exponent(bits)) - kept) * gradient).square().sum())

    return score


def _rounded(values: Tensor, bits: int, exponent: int) -> Tensor:
    """Values as integers of `bits` bits in steps of 2^(exponent - bits + 1), ties up."""
    step, limit = 2.0 ** (exponent - bits + 1), 2 ** (bits - 1)
    return (values / step + 0.5).floor().clamp(-limit, limit - 1) * step
