"""The chaos floor: what a change of the weights too small to matter does to a network of thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_network, weight_layers
from sviT_models.measure.hooks import batches, evaluating
from sviT_models.network.layers import weight_of

NOISE = 1e-3  # relative to each weight: far below what any width does
Square = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class ChaosFloor:
    """How far noise alone moves a network: a loss of accuracy below this says nothing about a design.

    `changed` is the share of images whose class changes, `drop` the top-1 accuracy lost in percentage points, `kl` the
    mean divergence from the clean to the noisy class probabilities [nat]; `nll` is the mean negative log-likelihood of
    the labels with noise [nat], `nll_clean` without. All are means over `copies` noisy networks and `images` images;
    `changed_spread` is the standard deviation of `changed` over the copies (0 for a single copy).

    Per image, drop [percentage points] and rise of the negative log-likelihood [nat] scatter with a covariance (2, 2)
    that has a part common to all copies, `shared`, as the clean network is the same in all, and a part of each copy's
    own, `alone`. With a single copy both are taken to be half.
    """

    noise: float
    copies: int
    images: int
    changed: float
    changed_spread: float
    drop: float
    kl: float
    nll: float
    nll_clean: float
    shared: Square
    alone: Square


def chaos_floor(
    model: nn.Module | Graph,
    images: Tensor | Iterable[Tensor],
    labels: Tensor | np.ndarray,
    noise: float = NOISE,
    copies: int = 3,
    seed: int = 0,
) -> ChaosFloor:
    """What multiplying every weight by 1 + `noise` * N(0, 1) does to the classes of `images` (B, 3, H, W).

    model   a network, or the graph of one; it stays as it is
    noise   standard deviation of the factors, relative to each weight
    copies  noisy networks to average over
    seed    of the noise

    Only the weights of convolutions and linear layers are disturbed, those that quantization disturbs as well.
    `labels` are integers (B,). Raises ModelError for a noise or a number of copies that is not positive, and where
    labels and images differ in number.
    """
    if not 0 < noise < float("inf"):
        raise ModelError(f"noise is {noise}; expected a positive number (relative to each weight)")
    if copies < 1:
        raise ModelError(f"copies is {copies}; expected at least 1")
    model = as_network(model)
    images = list(batches(model, images))
    clean = _logits(model, images)
    truth = torch.as_tensor(labels).to(clean.device, torch.int64)
    if truth.shape != clean.shape[:1]:
        raise ModelError(f"labels have shape {tuple(truth.shape)}; expected ({len(clean)},), one for each image")
    generator = torch.Generator().manual_seed(seed)
    noisy = torch.stack([_logits(model, images, noisy_weights(model, noise, generator)) for _ in range(copies)])
    changed = (noisy.argmax(2) != clean.argmax(1)).double().mean(1)  # (copies,)
    before, after = clean.log_softmax(1), noisy.log_softmax(2)
    right = [float((logits.argmax(-1) == truth).double().mean()) for logits in (clean, noisy)]
    lost = (clean.argmax(1) == truth).double() - (noisy.argmax(2) == truth).double()
    harm = F.nll_loss(after.flatten(0, 1), truth.repeat(copies), reduction="none").view(copies, -1) - F.nll_loss(
        before, truth, reduction="none"
    )
    shared, alone = shared_and_alone(torch.stack([100 * lost, harm.double()], dim=2).numpy())
    return ChaosFloor(
        noise=noise,
        copies=copies,
        images=len(clean),
        changed=changed.mean().item(),
        changed_spread=changed.std(correction=0).item(),
        drop=100 * (right[0] - right[1]),
        kl=(before.exp() * (before - after)).sum(2).mean().item(),
        nll=F.nll_loss(after.flatten(0, 1), truth.repeat(copies)).item(),
        nll_clean=F.nll_loss(before, truth).item(),
        shared=shared,
        alone=alone,
    )


def copy_logits(
    model: nn.Module | Graph, images: Tensor | Iterable[Tensor], seed: int, noise: float = NOISE
) -> np.ndarray:
    """Logits (B, classes), float64, of a copy of a network whose weights are multiplied by 1 + `noise` * N(0, 1).

    model   a network, or the graph of one; it stays as it is
    images  (B, 3, H, W), or an iterable of such
    seed    of the noise: the same copy for all images

    Such a copy is as good as the network, and classifies some images otherwise.
    """
    network = as_network(model)
    weights = noisy_weights(network, noise, torch.Generator().manual_seed(seed))
    return _logits(network, list(batches(network, images)), weights).numpy(force=True)


def shared_and_alone(
    differences: np.ndarray,
) -> tuple[Square, Square]:
    """Covariance over the images of differences (copies, N, 2): what two copies share, and what each has alone."""
    centred = differences - differences.mean(1, keepdims=True)
    copies, images = centred.shape[:2]
    each = np.einsum("cni,cnj->ij", centred, centred) / (copies * images)
    if copies == 1:
        shared = each / 2
    else:
        together = centred.sum(0)  # products of all pairs of copies, less those of a copy with itself
        shared = (together.T @ together / images - copies * each) / (copies * (copies - 1))
    return _square(shared), _square(each - shared)


def _square(covariance: np.ndarray) -> Square:
    (a, b), (c, d) = covariance.tolist()
    return (a, b), (c, d)


def noisy_weights(model: nn.Module, noise: float, generator: torch.Generator) -> dict[str, Tensor]:
    """Every layer's weight w as w * (1 + noise * N(0, 1)), by the name of the parameter."""
    weights = {}
    for name in weight_layers(model):
        clean = weight_of(model.get_submodule(name)).detach()
        factors = torch.randn(clean.shape, generator=generator, dtype=torch.float64)  # the same on every device
        weights[f"{name}.weight"] = clean * (1 + noise * factors).to(clean)
    return weights


def _logits(model: nn.Module, images: list[Tensor], weights: Mapping[str, Tensor] | None = None) -> Tensor:
    """Logits (B, classes); `weights` stand for the parameters of these names, and a copy of the network is not made."""
    with evaluating(model):
        return torch.cat([functional_call(model, dict(weights or {}), (batch,)) for batch in images]).double()
