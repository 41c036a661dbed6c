"""The layer table: shapes and operations of every layer, and what images make of them (docs/design.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sviT_models.errors import ModelError
from sviT_models.graph import layer_table as graph_table
from sviT_models.graph.graph import Graph
from sviT_models.graph.network import GraphNetwork
from sviT_models.graph.product_sparsity import Products
from sviT_models.measure.hooks import batches, evaluating, watching
from sviT_models.measure.operations import Counter
from sviT_models.network.layers import Attention
from sviT_models.network.meta_spikeformer import MetaSpikeFormer, lif_layers, weight_layers, with_time_steps
from sviT_models.network.topology import ACTIVATION_BITS, Wire, shortcuts, wiring

COLUMNS = (
    *("name", "kind", "group", "block", "stage", "input", "input_bits", "in_channels", "out_channels", "groups"),
    *("kernel", "stride", "padding", "in_height", "in_width", "out_height", "out_width", "weights"),
    *("channel_constants", "macs", "fan_in", "neurons", "lif", "lif_spikes", "spikes", "synops", "balance"),
    *("time_steps", "after", "since"),
)
Shape = tuple[int, int, int]  # channels, height, width


def layer_table(model: MetaSpikeFormer, resolution: int) -> pd.DataFrame:
    """The layer table of square images of `resolution` pixels, computed from shapes alone.

    model  the network

    The measured columns `lif_spikes`, `spikes`, `synops` and `balance` are NaN.
    """
    if resolution < 1:
        raise ModelError(f"resolution is {resolution}; expected at least 1 pixel")
    return _table(model, resolution, resolution)


def profile(
    model: MetaSpikeFormer | Graph | GraphNetwork,
    images: Tensor | Iterable[Tensor],
    progress: Callable[[int], None] | None = None,
    *,
    products: bool = False,
) -> pd.DataFrame:
    """The layer table with what `images` cause, as a mean per image; one batch at a time is held in memory.

    model     a network, or the graph of one
    products  whether to count what product sparsity leaves, image by image, which takes longer: the columns
              `product_synops` (operations) and `product_sums` (sums read and written), for the data flow of that name

    `images` is (B, 3, H, W) or an iterable of such batches, all of one resolution. The image is counted as the input
    of every time step, although its convolution has the same result each time. In the row `qkv`, `synops` are pairs
    of a spike of Q and a non-zero entry of K^T V. `progress(done)` hears of the images.
    Of a captured network (`sviT_models.capture`) the table has further columns and rows: see graph.layer_table.
    Raises ModelError where there is no image.
    """
    if isinstance(model, GraphNetwork):
        model = model.graph
    if isinstance(model, Graph):
        return graph_table.profile(model, images, progress, products)
    counted = Products() if products else None
    counter = Counter(model, counted)
    total = height = width = 0
    with evaluating(model), watching(model, counter.watched, counter.see):
        for batch in batches(model, images, *((1,) if products else ())):
            model(batch)
            total, (height, width) = total + len(batch), batch.shape[2:]
            if progress is not None:
                progress(total)
    table = _table(model, height, width)
    for column in ("lif_spikes", "spikes", "synops"):
        counts = getattr(counter, column)
        table[column] = [counts.get(name, 0.0) / total for name in table["name"]]
    table["balance"] = [_balance(counter.per_channel[n]) if n in counter.per_channel else 1.0 for n in table["name"]]
    return table if counted is None else table.assign(**counted.columns(table["name"], table["synops"], total))


def _balance(per_channel: Tensor) -> float:
    busiest = per_channel.max().item()
    return per_channel.mean().item() / busiest if busiest else 1.0


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
        rows.append(shape | _place(wire) | {"after": "", "since": "", "neurons": sum(neurons[lif] for lif in wire.lif)})
    rows += [_addition(outputs[shortcut.after]) | shortcut._asdict() for shortcut in shortcuts(model)]
    table = pd.DataFrame(rows).assign(
        macs=lambda t: (t.kind != "add") * t.fan_in * t.out_channels * t.out_height * t.out_width,
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


def _addition(outputs: Shape) -> dict[str, str | int]:
    """An addition of a residual stream, at the width at which the evaluator adds."""
    return {
        **{"kind": "add", "input": "multibit", "input_bits": ACTIVATION_BITS, "lif": "", "neurons": 0},
        **dict(zip(("in_channels", "in_height", "in_width"), outputs, strict=True)),
        **dict(zip(("out_channels", "out_height", "out_width"), outputs, strict=True)),
        **{"kernel": 1, "stride": 1, "padding": 0, "groups": 1, "weights": 0, "channel_constants": 0, "fan_in": 2},
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
