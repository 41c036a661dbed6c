"""What the inputs of every weight layer look like: mean and second moments, from one pass over unlabelled images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_network, weight_layers
from sviT_models.measure.hooks import batches, evaluating, watching
from sviT_models.threads import one_thread

POSITIONS = 256  # output positions of one image and time step that are looked at; larger maps are thinned evenly


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a layer multiplies its weights with, as `n` numbers per output position and group.

    `mean` is (G, n) float64 and `moment` the mean of x xᵀ, (G, n, n) float32. G is 1, or for a depthwise convolution
    the number of channels; n counts the weights of one output channel, in their order. `count` positions were seen.
    """

    mean: Tensor
    moment: Tensor
    count: int

    @property
    def covariance(self) -> Tensor:
        """Second moments around the mean, (G, n, n) float64."""
        return self.moment.double() - self.mean[:, :, None] * self.mean[:, None, :]

    @property
    def dead(self) -> float:
        """Share of the inputs that were zero at every position of every image."""
        return float((self.moment.diagonal(dim1=1, dim2=2) == 0).double().mean())


def patches(module: nn.Module, x: Tensor) -> Tensor:
    """The inputs of each output position of a layer: (G, n, positions) for `x` (N, C, ...)."""
    if isinstance(module, nn.Linear):
        return x.flatten(0, -2).T.unsqueeze(0)
    if isinstance(module, nn.Conv1d) and module.kernel_size == (1,) and module.groups == 1:
        return _thinned(x).transpose(0, 1).flatten(1).unsqueeze(0)
    assert isinstance(module, nn.Conv1d | nn.Conv2d)
    geometry: list[tuple[int, ...]] = [
        module.kernel_size, module.dilation, cast(tuple[int, ...], module.padding), module.stride
    ]  # fmt: skip
    if isinstance(module, nn.Conv1d):
        x, rows = x.unsqueeze(2), (1, 1, 0, 1)
        geometry = [(row, *column) for row, column in zip(rows, geometry, strict=True)]
    columns = F.unfold(x, *geometry)  # (N, C k k, L)
    apart: Tensor = _thinned(columns).unflatten(1, (module.groups, -1))
    return apart.permute(1, 2, 0, 3).flatten(2)


def _thinned(x: Tensor) -> Tensor:
    """(N, n, L) -> at most POSITIONS of L, the same distance apart."""
    step = -(-x.shape[2] // POSITIONS)
    return x[:, :, ::step]


@one_thread()
def calibrate(model: nn.Module | Graph, images: Tensor | Iterable[Tensor]) -> dict[str, Inputs]:
    """The `Inputs` of every weight layer of the float network on `images` (N, [T,] C, H, W); labels are not needed.

    model  a network, or the graph of one

    Moments of a layer take n^2 numbers per group: 21 MB for sdtv2_tiny, 1.2 GB for sdtv2_8_512.
    Raises ModelError for images of another shape and, naming the layer, for inputs that are not finite.
    """
    model, names = as_network(model), weight_layers(model)
    modules = {name: model.get_submodule(name) for name in names}
    sums: dict[str, Tensor] = {}
    squares: dict[str, Tensor] = {}
    counts = dict.fromkeys(names, 0)

    def see(name: str, x: Tensor, _: Tensor) -> None:
        seen = patches(modules[name], x)
        square = seen @ seen.transpose(1, 2)  # counts of spikes: exact in float32 up to 2^24 positions
        total = seen.double().sum(2)
        sums[name] = sums[name] + total if name in sums else total
        squares[name] = squares[name].add_(square) if name in squares else square
        counts[name] += seen.shape[2]

    with evaluating(model), watching(model, names, see):
        for batch in batches(model, images):
            model(batch)
    found = {
        name: Inputs(sums[name] / counts[name], squares[name].div_(counts[name]).float(), counts[name])
        for name in names
    }
    for name, inputs in found.items():
        if not (torch.isfinite(inputs.mean).all() and torch.isfinite(inputs.moment).all()):
            raise ModelError(f"{name}: its inputs on the calibration images are not finite; check the images' scaling")
    return found
