"""Gradient sensitivity of widths between layers: what rounding streams and handed-over sums does to the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sviT_models.engine.fixed_point.ranges import Ranges, observe, streams
from sviT_models.engine.segments import Segment, SelfAttention, Separable, segments
from sviT_models.measure.hooks import PIXELS, batches
from sviT_models.network.layers import Block
from sviT_models.network.meta_spikeformer import MetaSpikeFormer
from sviT_models.quantization.fisher import frozen
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
    model: MetaSpikeFormer,
    images: Tensor | Iterable[Tensor],
    labels: Tensor | NDArray[np.integer],
    widths: Sequence[int],
    seen: Tensor,
) -> pd.DataFrame:
    """Diagonal Fisher score of every width between layers but the image's: columns `name, bits, score`.

    model   the float network
    images  (N, 3, H, W), or an iterable of such batches
    labels  (N,) classes
    widths  widths [bit] to score, 4 to 16
    seen    unlabelled images (M, 3, H, W) that show how large the values get

    The score is the sum over elements of (gradient of the loss x change by rounding and clipping)^2, mean over
    images, as `fisher_scores` has it for weights: both add up. A stream is rounded wherever something is added to it.
    Names are those of `activation_names`.
    """
    observed = observe(model, seen)
    inputs, outputs = _streams(model, observed), _sums(segments(model), observed)
    scores = {place.name: np.zeros(len(widths)) for place in (*inputs.values(), *outputs.values())}
    truth, done = torch.as_tensor(labels).long(), 0
    with frozen(model), ExitStack() as hooks:
        for path, place in inputs.items():
            hook = _hook(place, widths, scores[place.name], of_input=True)
            hooks.callback(model.get_submodule(path).register_forward_hook(hook).remove)
        for path, place in outputs.items():
            hook = _hook(place, widths, scores[place.name], of_input=False)
            hooks.callback(model.get_submodule(path).register_forward_hook(hook).remove)
        for batch in batches(model, images, PIXELS // 8):  # activations are kept until their gradient arrives
            with torch.enable_grad():  # the image has a gradient, so that everything behind it has one
                logits = model(batch.clone().requires_grad_())
                F.cross_entropy(logits, truth[done : done + len(batch)], reduction="sum").backward()
            done += len(batch)
    rows = [(name, b, value / done) for name, found in scores.items() for b, value in zip(widths, found, strict=True)]
    return pd.DataFrame(rows, columns=["name", "bits", "score"])


def _streams(model: MetaSpikeFormer, observed: Ranges) -> dict[str, _Place]:
    """By the module that reads or ends a stream, as the tensor that the shortcut adds to as well: the streams."""
    found = {path: _Place(name, observed.streams[name].exponent) for path, name in streams(model).items()}
    last = [path for path, module in model.named_modules() if isinstance(module, Block)][-1]
    read = {path: place for path, place in found.items() if path not in observed.streams and path != "lif"}
    return {path.removesuffix(".fc1_lif"): place for path, place in read.items()} | {last: found["lif"]}


def _sums(parts: Iterable[Segment], observed: Ranges) -> dict[str, _Place]:
    """By the layer whose sums are handed over: what the next layer sees.

    Sums before a depthwise layer keep the step of their weights: they are shifted until the largest of them fits.
    """
    found = {}
    for part in parts:
        chains = [part.layers] if isinstance(part, Separable) else []
        if isinstance(part, SelfAttention):
            chains = [part.branch(name)[0] for name in ("q", "k", "v", "proj")]
        for chain in chains:
            if len(chain) < 3:
                continue
            first, depthwise, last = chain
            found[depthwise] = _Place(last, observed.activations[depthwise].exponent)
            if isinstance(part, SelfAttention):
                largest = int(np.ceil(np.log2(max(float(observed.peaks[first].max()), 2.0**-24))))
                found[first] = _Place(depthwise, lambda bits, e=largest: e)
    return found


def _hook(
    place: _Place, widths: Sequence[int], scores: NDArray[np.float64], *, of_input: bool
) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    """A forward hook that lets the backward pass add to `scores` what each width does to the input or the output."""

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        value = inputs[0] if of_input and not isinstance(module, Block) else output
        kept = value.detach()

        def score(gradient: Tensor) -> None:
            with torch.no_grad():
                for i, bits in enumerate(widths):
                    scores[i] += float(((_rounded(kept, bits, place.exponent(bits)) - kept) * gradient).square().sum())

        if value.requires_grad:
            value.register_hook(score)

    return hook


def _rounded(values: Tensor, bits: int, exponent: int) -> Tensor:
    """Values as integers of `bits` bits in steps of 2^(exponent - bits + 1), ties up."""
    step, limit = 2.0 ** (exponent - bits + 1), 2 ** (bits - 1)
    return (values / step + 0.5).floor().clamp(-limit, limit - 1) * step
