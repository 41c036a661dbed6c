"""Layers that several families have."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
        border = bn.bias.detach() - bn.running_mean * bn.weight.detach() / torch.sqrt(bn.running_var + bn.eps)
        n, _, height, width = inside.shape
        padded = border.to(x.dtype).view(1, -1, 1, 1).repeat(n, 1, height + 2, width + 2)
        padded[:, :, 1:-1, 1:-1] = inside
        return padded
