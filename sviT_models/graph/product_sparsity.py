"""Product sparsity: what is left of a spike matrix when rows start from the sums of rows that they contain.

A convolution or linear layer multiplies a matrix of spikes, a row per output position and time step, with its weights.
Where the spikes of one row are all among those of another, the second starts from the sums of the first and adds the
rest (Prosperity: Wei et al., HPCA 2025, arXiv 2503.03379, sections III and V).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

TILE = (256, 16)
"""Rows and columns that are compared with each other at a time (Prosperity, table III)."""
_OVERLAPS = 1 << 22  # of pairs of rows at a time: 16 MB


class Reuse(NamedTuple):
    """What product sparsity makes of spike matrices, summed over tiles.

    spikes  entries of 1
    left    entries that are still added: a row less the row that it starts from
    made    rows of a tile with a spike, whose sums are made
    reused  of these, rows that start from the sums of another one
    """

    spikes: float
    left: float
    made: float
    reused: float


def reuse(spikes: Tensor, tile: tuple[int, int] = TILE) -> Reuse:
    """Bit and product density of a spike matrix, as counts.

    spikes  (M, K) or a batch (..., M, K) of matrices that share nothing, 0 or 1 (any dtype)
    tile    rows and columns of the tiles that the matrices are cut into; the last ones are filled with zeros

    In a tile a row starts from the row with the most spikes among those whose spikes are all its own; of two equal rows
    the second starts from the first. Rows with one spike start from none, as the sums of another row are no cheaper.
    """
    rows, columns = spikes.shape[-2:]
    high, wide = min(tile[0], rows), min(tile[1], columns)
    padded = F.pad(spikes.float(), (0, -columns % wide, 0, -rows % high))
    down, across = padded.shape[-2] // high, padded.shape[-1] // wide
    cut = padded.reshape(-1, down, high, across, wide).transpose(2, 3).reshape(-1, high, wide)
    parts = [_of_tiles(part) for part in cut.split(max(1, _OVERLAPS // high**2))]
    return Reuse(*(float(sum(part[place] for part in parts)) for place in range(4)))


def _of_tiles(tiles: Tensor) -> tuple[float, float, float, float]:
    """The counts of tiles (n, M, K)."""
    count = tiles.sum(-1)  # (n, M)
    overlap = tiles @ tiles.transpose(1, 2)
    inside = overlap == count[:, None, :]  # [i, j]: all spikes of j are among those of i
    earlier = torch.ones(tiles.shape[1], tiles.shape[1], dtype=torch.bool, device=tiles.device).tril(-1)
    allowed = inside & ((count[:, None, :] < count[:, :, None]) | earlier)
    start = (allowed * count[:, None, :]).amax(-1)
    start = torch.where(count > 1, start, torch.zeros_like(start))
    total = count.sum(dtype=torch.float64).item()
    left = total - start.sum(dtype=torch.float64).item()
    return total, left, float((count > 0).sum().item()), float((start > 0).sum().item())


class Window(NamedTuple):
    """How a convolution cuts its input into patches, along height and width, and its groups."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @classmethod
    def of(cls, sides: Iterable[Sequence[int]], groups: int) -> Window:
        """The window of kernel, stride, padding and dilation along one axis (tokens, whose width is 1) or two."""
        alone = (1, 1, 0, 1)
        kernel, stride, padding, dilation = (
            (each[0], each[1] if len(each) > 1 else one) for each, one in zip(sides, alone, strict=True)
        )
        return cls(kernel, stride, padding, dilation, groups)


def spike_matrices(x: Tensor, window: Window) -> Tensor:
    """The spike matrices of a convolution, (groups, P T, K): the time steps of an output position side by side.

    x  one image's spikes over the time steps, (T, C, H, W) or (T, C, N) of tokens

    K inputs of a group and kernel, P output positions.
    """
    kernel, stride, padding, dilation, groups = window
    maps = x.unsqueeze(-1) if x.ndim == 3 else x
    patches: Tensor = F.unfold(maps.float(), kernel, dilation=dilation, padding=padding, stride=stride)  # (T, C k k, P)
    split: Tensor = patches.unflatten(1, (groups, -1))  # (T, G, K, P)
    return torch.flatten(split.permute(1, 3, 0, 2), 1, 2)


class Products:
    """Sums over images by row: operations that are left, and sums that are read and written for it."""

    def __init__(self) -> None:
        self.synops: dict[str, float] = {}
        self.sums: dict[str, float] = {}

    def add(self, row: str, matrices: Tensor, outputs: int, repeats: int = 1) -> None:
        """Count spike matrices (..., M, K) of a row, each of which reaches `outputs` output channels."""
        found = reuse(matrices)
        self.synops[row] = self.synops.get(row, 0.0) + found.left * outputs * repeats
        self.sums[row] = self.sums.get(row, 0.0) + (found.made + found.reused) * outputs * repeats

    def columns(self, names: Iterable[str], synops: Iterable[float], images: int) -> dict[str, list[float]]:
        """The columns of a layer table, a mean per image; a row that was not counted keeps its `synops` and no sums."""
        each = list(zip(names, synops, strict=True))
        left = [self.synops[name] / images if name in self.synops else float(own) for name, own in each]
        return {"product_synops": left, "product_sums": [self.sums.get(name, 0.0) / images for name, _ in each]}
