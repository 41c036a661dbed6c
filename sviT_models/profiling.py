"""The layer table: shapes and operations of every layer, and what images make of them (docs/design.md).

Batch norms are taken as folded, which leaves RepConv a zero-padded depthwise convolution: its input is then the plain
sum of the 1x1 before it, zero where no spike arrived.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.layers import Attention, RepConv
from sviT_models.measure import batches, evaluating, watching
from sviT_models.network import MetaSpikeFormer, lif_layers, weight_layers, with_time_steps
from sviT_models.wiring import Wire, wiring

COLUMNS = (
    *("name", "kind", "group", "block", "stage", "input", "input_bits", "in_channels", "out_channels", "groups"),
    *("kernel", "stride", "padding", "in_height", "in_width", "out_height", "out_width", "weights"),
    *("channel_constants", "macs", "fan_in", "neurons", "lif", "lif_spikes", "spikes", "synops", "balance"),
    "time_steps",
)
Shape = tuple[int, int, int]  # channels, height, width


def layer_table(model: MetaSpikeFormer, resolution: int) -> pd.DataFrame:
    """The layer table of square images of `resolution` pixels, computed from shapes alone.

    The measured columns `lif_spikes`, `spikes`, `synops` and `balance` are NaN.
    """
    if resolution < 1:
        raise ModelError(f"resolution is {resolution}; expected at least 1 pixel")
    return _table(model, resolution, resolution)


def profile(model: MetaSpikeFormer, images: Tensor | Iterable[Tensor]) -> pd.DataFrame:
    """The layer table with what `images` cause, as a mean per image; one batch at a time is held in memory.

    `images` is (B, 3, H, W) or an iterable of such batches, all of one resolution.  The image is counted as the input
    of every time step, although its convolution has the same result each time.  In the row `qkv`, `synops` are pairs
    of a spike of Q and a non-zero entry of K^T V.  Raises ModelError where there is no image.
    """
    counter = _Counter(model)
    total, size = 0, ()
    with evaluating(model), watching(model, counter.watched, counter.see):
        for batch in batches(model, images):
            model(batch)
            total, size = total + len(batch), batch.shape[2:]
    table = _table(model, *size)
    for column in ("lif_spikes", "spikes", "synops"):
        counts = getattr(counter, column)
        table[column] = [counts.get(name, 0.0) / total for name in table["name"]]
    table["balance"] = [_balance(counter.per_channel[name]) for name in table["name"]]
    return table


def _balance(per_channel: Tensor) -> float:
    busiest = per_channel.max().item()
    return per_channel.mean().item() / busiest if busiest else 1.0


def fan_out(size: int, kernel: int, stride: int, padding: int) -> np.ndarray:
    """How many outputs along one axis of `size` inputs see each input, borders included; (size,) int64."""
    outputs = (size + 2 * padding - kernel) // stride + 1
    seen = np.arange(outputs)[:, None] * stride + np.arange(kernel) - padding  # (outputs, kernel)
    return np.bincount(seen[(seen >= 0) & (seen < size)], minlength=size)


class _Counter:
    """Sums over images and time steps: `spikes` and `synops` by row, `per_channel` (C,) by row, `lif_spikes` by row."""

    def __init__(self, model: MetaSpikeFormer):
        self.modules = dict(model.named_modules())
        self.time_steps = model.config.time_steps
        self.consumer = {lif: wire.name for wire in wiring(model) for lif in wire.lif}
        self.first = next(wire.name for wire in wiring(model) if wire.input_bits == 8)
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
        repeats = self.time_steps if row == self.first else 1
        if isinstance(layer, nn.Linear):
            per_channel = (x != 0).sum((0, 1)).double()
            self._add(row, per_channel, per_channel.sum().item() * layer.out_features)
            return
        where = (x != 0).sum(0).double() * repeats  # (C, H, W) or (C, N)
        reach = torch.ones(where.shape[1:], dtype=torch.float64, device=x.device)
        if layer.kernel_size[0] > 1:
            geometry = (layer.kernel_size[0], layer.stride[0], layer.padding[0] if padding is None else padding)
            rows, columns = (torch.from_numpy(fan_out(size, *geometry)).to(reach) for size in x.shape[2:])
            reach = rows[:, None] * columns
        outputs = layer.out_channels // layer.groups
        self._add(row, where.flatten(1).sum(1), (where * reach).sum().item() * outputs)

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


def _table(model: MetaSpikeFormer, height: int, width: int) -> pd.DataFrame:
    inputs, outputs, neurons = _shapes(model, height, width)
    modules = dict(model.named_modules())
    rows = []
    for wire in wiring(model):
        module = modules.get(wire.name)
        if module is None:
            shape = _attention_shape(modules[wire.name.rpartition(".")[0]], wire, inputs)
        else:
            shape = _layer_shape(module, wire, inputs[wire.name], outputs[wire.name])
        rows.append(shape | _place(wire) | {"neurons": sum(neurons[lif] for lif in wire.lif)})
    table = pd.DataFrame(rows).assign(
        macs=lambda t: t.fan_in * t.out_channels * t.out_height * t.out_width,
        **dict.fromkeys(("lif_spikes", "spikes", "synops", "balance"), np.nan),
        time_steps=model.config.time_steps,
    )
    return table[list(COLUMNS)]


def _shapes(model: MetaSpikeFormer, height: int, width: int) -> tuple[dict, dict, dict]:
    """Input and output shape of every weight layer, and neurons of every LIF layer, from a run without numbers."""
    inputs: dict[str, Shape] = {}
    outputs: dict[str, Shape] = {}
    neurons: dict[str, int] = {}
    maps = [(1, 1)]  # the feature map that tokens (N, C, H * W) came from
    lifs = set(lif_layers(model))

    def note(name: str, x: Tensor, out: Tensor) -> None:
        if name in lifs:
            neurons[name] = out[0, 0].numel()
            return
        if out.ndim == 4:
            maps.append(tuple(out.shape[2:]))
            inputs[name], outputs[name] = tuple(x.shape[1:]), tuple(out.shape[1:])
        else:
            pixels = maps[-1] if isinstance(modules[name], nn.Conv1d) else (1, 1)
            channels = 1 if isinstance(modules[name], nn.Conv1d) else -1
            inputs[name], outputs[name] = (x.shape[channels], *pixels), (out.shape[channels], *pixels)

    modules = dict(model.named_modules())
    weightless = {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in (*model.named_parameters(), *model.named_buffers())
    }
    image = torch.empty(1, 3, height, width, device="meta", dtype=next(model.parameters()).dtype)
    with evaluating(model), watching(model, [*weight_layers(model), *lifs], note):
        torch.func.functional_call(with_time_steps(model, 1), weightless, (image,))
    return inputs, outputs, neurons


def _place(wire: Wire) -> dict[str, str | int]:
    path = wire.name.split(".")
    return {
        "name": wire.name,
        "group": wire.group,
        "block": ".".join(path[:2]) if len(path) > 1 and path[1].isdigit() else path[0],
        "stage": path[0],
        "input": "spike" if wire.source else "multibit",
        "input_bits": wire.input_bits,
        "lif": ";".join(wire.lif),
    }


def _layer_shape(layer: nn.Module, wire: Wire, inputs: Shape, outputs: Shape) -> dict[str, str | int]:
    kernel, stride, padding, groups = 1, 1, 0, 1
    if not isinstance(layer, nn.Linear):
        kernel, stride, padding, groups = layer.kernel_size[0], layer.stride[0], layer.padding[0], layer.groups
    kind = "linear" if isinstance(layer, nn.Linear) else "depthwise" if groups > 1 else "conv"
    if kind == "depthwise" and wire.group != wire.name:  # RepConv: the border lies in the map, the chip pads it
        padding, inputs = 1, (inputs[0], inputs[1] - 2, inputs[2] - 2)
    return {
        "kind": kind,
        **dict(zip(("in_channels", "in_height", "in_width"), inputs, strict=True)),
        **dict(zip(("out_channels", "out_height", "out_width"), outputs, strict=True)),
        **{"kernel": kernel, "stride": stride, "padding": padding, "groups": groups},
        "weights": layer.weight.numel(),
        "channel_constants": outputs[0] if wire.constants else 0,
        "fan_in": layer.weight[0].numel(),
    }


def _attention_shape(attention: Attention, wire: Wire, inputs: dict[str, Shape]) -> dict[str, str | int]:
    """K^T V sums over tokens and has C * d entries; Q (K^T V) sums over the d channels of a head."""
    path, _, product = wire.name.rpartition(".")
    name = next(key for key in inputs if key.startswith(f"{path}.q_conv."))
    channels, height, width = inputs[name]
    size = channels // attention.heads
    return {
        "kind": "attention",
        **{"in_channels": channels, "in_height": height, "in_width": width, "out_channels": channels},
        "out_height": 1 if product == "kv" else height,
        "out_width": size if product == "kv" else width,
        **{"kernel": 1, "stride": 1, "padding": 0, "groups": attention.heads, "weights": 0, "channel_constants": 0},
        "fan_in": height * width if product == "kv" else size,
    }
