"""Counting, layer by layer, the operations that spikes and other non-zero inputs cause while a network runs.

Batch norms are taken as folded, which leaves RepConv a zero-padded depthwise convolution: its input is then the plain
sum of the 1x1 before it, zero where no spike arrived.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sviT_models.graph.activity import fan_out
from sviT_models.graph.product_sparsity import Products, Window, spike_matrices
from sviT_models.network.layers import Attention, RepConv
from sviT_models.network.meta_spikeformer import MetaSpikeFormer, lif_layers, weight_layers
from sviT_models.network.topology import IMAGE_BITS, wiring


class Counter:
    """Sums over images and time steps: `spikes` and `synops` by row, `per_channel` (C,) by row, `lif_spikes` by row.

    `products` counts what product sparsity leaves of the spiking rows, image by image; None: not counted.
    """

    def __init__(self, model: MetaSpikeFormer, products: Products | None = None):
        self.products = products
        self.spiking = {wire.name for wire in wiring(model) if wire.source}
        self.modules = dict(model.named_modules())
        self.time_steps = model.config.time_steps
        self.consumer = {lif: wire.name for wire in wiring(model) for lif in wire.lif}
        self.encoder = next(wire.name for wire in wiring(model) if wire.input_bits == IMAGE_BITS)
        self.behind_rep_conv = {  # rows that see the sums inside a RepConv: counted with the first of its convolutions
            f"{name}.body.{part}"
            for name, module in self.modules.items()
            if isinstance(module, RepConv)
            for part in ("2.0", "2.1")
        }
        self.watched = [*lif_layers(model), *weight_layers(model)]
        self.spikes: dict[str, float] = {}
        self.synops: dict[str, float] = {}
        self.lif_spikes: dict[str, float] = {}
        self.per_channel: dict[str, Tensor] = {}
        self.matrices: dict[str, Tensor] = {}

    def see(self, name: str, x: Tensor, out: Tensor) -> None:
        """Count one call of a LIF or weight layer."""
        if name in self.consumer:
            row = self.consumer[name]
            self.lif_spikes[row] = self.lif_spikes.get(row, 0.0) + out.count_nonzero().item()
            attention, _, lif = name.rpartition(".")
            if lif in ("q_lif", "k_lif", "v_lif"):
                self.matrices[lif] = out
            if lif == "v_lif":
                self._attention(attention)
            return
        if name in self.behind_rep_conv:
            return
        self._convolution(name, x)
        if name.endswith(".body.0"):
            self._rep_conv(name.removesuffix(".body.0"), out)

    def _add(self, row: str, per_channel: Tensor, synops: float) -> None:
        self.per_channel[row] = self.per_channel.get(row, 0.0) + per_channel
        self.spikes[row] = self.spikes.get(row, 0.0) + per_channel.sum().item()
        self.synops[row] = self.synops.get(row, 0.0) + synops

    def _convolution(self, row: str, x: Tensor, padding: int | None = None) -> None:
        """Count the non-zero elements of `x` (N, C, ...), each with the outputs that it reaches."""
        layer = self.modules[row]
        repeats = self.time_steps if row == self.encoder else 1
        if isinstance(layer, nn.Linear):
            per_channel = (x != 0).sum((0, 1)).double()
            self._add(row, per_channel, per_channel.sum().item() * layer.out_features)
            if self.products is not None and row in self.spiking:
                self.products.add(row, x.movedim(0, -2).reshape(-1, x.shape[-1]), layer.out_features)
            return
        where = (x != 0).sum(0).double() * repeats  # (C, H, W) or (C, N)
        reach = torch.ones(where.shape[1:], dtype=torch.float64, device=x.device)
        if layer.kernel_size[0] > 1:
            geometry = (layer.kernel_size[0], layer.stride[0], layer.padding[0] if padding is None else padding)
            rows, columns = (torch.from_numpy(fan_out(size, *geometry)).to(reach) for size in x.shape[2:])
            reach = rows[:, None] * columns
        outputs = layer.out_channels // layer.groups
        self._add(row, where.flatten(1).sum(1), (where * reach).sum().item() * outputs)
        if self.products is not None and row in self.spiking:
            sides = (layer.padding[0] if padding is None else padding,) * (x.ndim - 2)
            window = Window.of((layer.kernel_size, layer.stride, sides, layer.dilation), layer.groups)
            self.products.add(row, spike_matrices(x, window), outputs)

    def _rep_conv(self, path: str, sums: Tensor) -> None:
        """The two inner convolutions, which see the sums of the first one, scaled by the folded batch norm."""
        rep_conv: RepConv = self.modules[path]
        norm, depthwise = rep_conv.body[1].bn, rep_conv.body[2][0]
        self._convolution(f"{path}.body.2.0", sums, padding=1)
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        inner = F.conv2d(sums * scale.view(-1, 1, 1), depthwise.weight, padding=1, groups=depthwise.groups)
        self._convolution(f"{path}.body.2.1", inner)

    def _attention(self, path: str) -> None:
        """The products of one block: coincident pairs of K and V, and of Q with what K^T V left non-zero."""
        attention: Attention = self.modules[path]
        q, k, v = (attention.by_head(self.matrices.pop(f"{matrix}_lif")) for matrix in "qkv")
        pairs = v @ k.transpose(-1, -2)  # (T, B, heads, d of V, d of K)
        self._add(f"{path}.kv", _by_channel(k), pairs.sum(dtype=torch.float64).item())
        met = (q.sum(-1) * (pairs != 0).sum(-2)).sum(dtype=torch.float64).item()
        self._add(f"{path}.qkv", _by_channel(q), met)


def _by_channel(spikes: Tensor) -> Tensor:
    """(T, B, heads, d, N) -> (heads * d,)."""
    return spikes.sum((0, 1, 4), dtype=torch.float64).flatten()
