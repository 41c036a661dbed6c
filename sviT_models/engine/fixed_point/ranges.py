"""How large membrane potentials, residual streams and activations of the float network get, on unlabelled images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sviT_models.engine.number_formats import EXPONENTS, Curve, Floats, curve
from sviT_models.measure.hooks import batches, evaluating, watching
from sviT_models.network.layers import Block, DownSampling, RepConv, SepConv
from sviT_models.network.meta_spikeformer import MetaSpikeFormer, lif_layers

IMAGES = 32
RESERVE = 4  # a potential's range is considered up to 2^3 thresholds


@dataclass(frozen=True)
class Ranges:
    """Clipping errors by LIF layer (`states`), by first module of a residual stream (`streams`), by depthwise layer
    whose sums go on (`activations`) and of the image; `peaks` (C,) of the first layer of every RepConv; `images` seen.
    """

    states: dict[str, Curve]
    streams: dict[str, Curve]
    activations: dict[str, Curve]
    peaks: dict[str, Floats]
    image: Curve
    images: int


def streams(model: MetaSpikeFormer) -> dict[str, str]:
    """The residual stream, by the down-sampling module that starts it, that every block or neuron reads or leaves."""
    found, current, before = {}, "", ""
    for path, module in model.named_modules():
        if isinstance(module, DownSampling):
            before, current = current, path
            found[path] = path
            if not module.first:
                found[f"{path}.encode_lif"] = before
        elif path.endswith((".Conv.lif1", ".lif1", ".head_lif", ".fc1_lif")):
            found[path] = current
    found["lif"] = current
    return found


def observe(model: MetaSpikeFormer, images: Tensor | Iterable[Tensor], count: int = IMAGES) -> Ranges:
    """The Ranges of the float network on the first `count` of `images` (N, 3, H, W)."""
    modules = dict(model.named_modules())
    lifs, stream = lif_layers(model), streams(model)
    first = [f"{name}.body.0" for name, module in modules.items() if isinstance(module, RepConv)]
    handing = [f"{name}.body.2.0" for name, module in modules.items() if isinstance(module, RepConv)]
    handing += [f"{name}.dwconv" for name, m in modules.items() if isinstance(m, SepConv) and not _fused(m)]
    seen: dict[tuple[str, str], list[Curve]] = {}
    peaks: dict[str, Floats] = {}

    def note(kind: str, name: str, values: Tensor, exponents: Iterable[int] = EXPONENTS) -> None:
        seen.setdefault((kind, name), []).append(curve(values.double().numpy(force=True), list(exponents)))

    def look(name: str, given: Tensor, result: Tensor) -> None:
        if name in first:
            peak = result.abs().transpose(0, 1).flatten(1).amax(1).double().numpy(force=True)
            peaks[name] = np.maximum(peaks.get(name, 0), peak)
        elif name in handing:
            note("activation", name, result.abs())
        if name in lowest:
            note(
                "state", name, -potentials(given, modules[name].threshold), range(lowest[name], lowest[name] + RESERVE)
            )
            if name in stream and name != "lif":
                note("stream", stream[name], given.abs())
        if name == last:
            note("stream", stream["lif"], result.abs())

    lowest = {name: int(np.floor(np.log2(modules[name].threshold))) for name in lifs}
    last = [name for name, m in model.named_modules() if isinstance(m, Block)][-1]
    total = 0
    with evaluating(model), watching(model, [*lifs, *first, *handing, last], look):
        for batch in batches(model, images, pixels=8 * 224 * 224):
            batch = batch[: count - total]
            note("image", "", batch.abs())
            model(batch)
            total += len(batch)
            if total == count:
                break
    mean = {key: _mean(parts) for key, parts in seen.items()}
    kinds = {kind: {n: c for (k, n), c in mean.items() if k == kind} for kind in ("state", "stream", "activation")}
    return Ranges(kinds["state"], kinds["stream"], kinds["activation"], peaks, mean["image", ""], total)


def potentials(current: Tensor, threshold: float) -> Tensor:
    """What the neurons keep after each step, (T, ...)."""
    kept, v = [], torch.zeros_like(current[0])
    for x in current:
        v = v + (x - v) / 2
        v = torch.where(v >= threshold, 0.0, v)
        kept.append(v)
    return torch.stack(kept)


def _fused(module: SepConv) -> bool:
    return isinstance(module.dwconv, torch.nn.Identity)


def _mean(parts: list[Curve]) -> Curve:
    errors = np.mean([[error for _, error in part.errors] for part in parts], axis=0)
    return Curve(tuple((e, float(error)) for (e, _), error in zip(parts[0].errors, errors, strict=True)))
