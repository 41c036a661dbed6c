"""Layers that several families have."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def weight_of(layer: nn.Module) -> Tensor:
    """The weight of a convolution, a linear layer or a norm."""
    return cast(Tensor, layer.weight)


def statistics(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Running mean and variance of a batch norm; every norm of the zoo keeps them."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


def bias_of(layer: nn.Module) -> Tensor | None:
    """The bias of a convolution or a linear layer, where it has one."""
    return cast(Tensor | None, layer.bias)


class PaddedBatchNorm(nn.Module):
    """Batch norm, then a border of one pixel that holds what the norm makes of zero.

    With the running statistics this is zero padding before the norm. In training the border still takes the running
    statistics, so that it does not dilute those of the batch.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H + 2, W + 2)."""
        if not self.training:
            return self.bn(F.pad(x, (1, 1, 1, 1)))
        inside, bn = self.bn(x), self.bn
        mean, variance = statistics(bn)
        border = bn.bias.detach() - mean * bn.weight.detach() / torch.sqrt(variance + bn.eps)
        n, _, height, width = inside.shape
        padded = border.to(x.dtype).view(1, -1, 1, 1).repeat(n, 1, height + 2, width + 2)
        padded[:, :, 1:-1, 1:-1] = inside
        return padded
