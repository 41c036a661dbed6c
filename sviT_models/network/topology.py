"""Which neurons feed which weight layer: the graph of a network as its modules declare it, without running it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from sviT_models.errors import ModelError
from sviT_models.network.layers import MLP, Attention, Block, ConvBlock, DownSampling, RepConv, SepConv
from sviT_models.network.meta_spikeformer import MetaSpikeFormer, weight_layers
from sviT_models.network.neuron import IntegerNeuron

SPIKE_BITS = 1
IMAGE_BITS = 8
ACTIVATION_BITS = 16  # of sums that pass from one convolution to the next without a neuron


@dataclass(frozen=True)
class Wire:
    """One row of the layer table: a weight layer, or one of the two products of an attention block.

    `source` is the LIF layer whose spikes it sees (empty: it sees numbers); `lif` are the layers whose neurons are
    charged to it, `constants` tells whether per-channel constants follow it once batch norms are folded.
    """

    name: str
    group: str
    source: str
    lif: tuple[str, ...]
    constants: bool = True
    input_bits: int = SPIKE_BITS


def _spiking(name: str, lif: str, constants: bool = True, group: str = "") -> Wire:
    return Wire(name, group or name, lif, (lif,), constants)


def _multibit(name: str, constants: bool = True, group: str = "", bits: int = ACTIVATION_BITS) -> Wire:
    return Wire(name, group or name, "", (), constants, bits)


def _chain(path: str, module: nn.Module, source: str, charged: bool) -> Iterator[Wire]:
    """A RepConv behind the neurons of `source`, or the one convolution it has been fused into."""
    lif = (source,) if charged else ()
    if not isinstance(module, RepConv):
        yield Wire(path, path, source, lif)
        return
    group = path.removesuffix(".0")
    yield Wire(f"{path}.body.0", group, source, lif, constants=False)
    yield _multibit(f"{path}.body.2.0", constants=False, group=group)
    yield _multibit(f"{path}.body.2.1", group=group)


def _wires(path: str, module: nn.Module) -> Iterator[Wire]:
    match module:
        case DownSampling(first=True):
            yield _multibit(f"{path}.encode_conv", bits=IMAGE_BITS)
        case DownSampling():
            yield _spiking(f"{path}.encode_conv", f"{path}.encode_lif")
        case SepConv(dwconv=nn.Conv2d()):
            yield _spiking(f"{path}.pwconv1", f"{path}.lif1")
            yield _spiking(f"{path}.dwconv", f"{path}.lif2", constants=False)
            yield _multibit(f"{path}.pwconv2")
        case SepConv():  # fused: the last convolution has swallowed the depthwise one
            yield _spiking(f"{path}.pwconv1", f"{path}.lif1")
            yield _spiking(f"{path}.pwconv2", f"{path}.lif2")
        case ConvBlock():
            yield _spiking(f"{path}.conv1", f"{path}.lif1")
            yield _spiking(f"{path}.conv2", f"{path}.lif2")
        case Attention():
            for matrix in "qkv":  # the three share head_lif; the first is charged with it
                conv = getattr(module, f"{matrix}_conv")[0]
                yield from _chain(f"{path}.{matrix}_conv.0", conv, f"{path}.head_lif", charged=matrix == "q")
            products = (f"{path}.kv", ("k", "v")), (f"{path}.qkv", ("q",))
            for name, matrices in products:
                lif = tuple(f"{path}.{matrix}_lif" for matrix in matrices)
                yield Wire(name, name, lif[0], lif, constants=False)
            yield from _chain(f"{path}.proj_conv.0", module.proj_conv[0], f"{path}.attn_lif", charged=True)
        case MLP():
            yield _spiking(f"{path}.fc1_conv", f"{path}.fc1_lif")
            yield _spiking(f"{path}.fc2_conv", f"{path}.fc2_lif")
        case MetaSpikeFormer():
            yield _spiking("head", "lif")
            if module.config.distilled:
                yield Wire("head_kd", "head_kd", "lif", ())


def wiring(model: MetaSpikeFormer) -> list[Wire]:
    """One Wire per row of the layer table in network order, attention products before the projection.

    Raises ModelError for a network of this shape whose neurons do not spike.
    """
    if other := [path for path, module in model.named_modules() if isinstance(module, IntegerNeuron)]:
        raise ModelError(
            f"{model.config.name}: {other[0]} does not spike; it can be trained and run, but layer tables and "
            "quantized evaluation are for LIF neurons"
        )
    found = [wire for path, module in model.named_modules() for wire in _wires(path, module)]
    order = {name: position for position, name in enumerate(weight_layers(model))}

    def position(wire: Wire) -> tuple[float, bool]:
        if wire.name in order:
            return order[wire.name], False
        attention, product = wire.name.rsplit(".", 1)
        projection = min(place for name, place in order.items() if name.startswith(f"{attention}.proj_conv."))
        return projection - 0.5, product == "qkv"

    return sorted(found, key=position)


class Shortcut(NamedTuple):
    """An addition of a residual stream: the layer whose result is added, and the layer or addition that wrote the sum.

    `block` and `stage` are those of the layer; the addition is a `group` of its own.
    """

    name: str
    after: str
    since: str
    group: str
    block: str
    stage: str


def shortcuts(model: MetaSpikeFormer) -> list[Shortcut]:
    """The additions of the residual streams in the order in which they happen, two in every block.

    model  the network, fused or not
    """
    layers, found, since = weight_layers(model), [], ""
    for path, module in model.named_modules():
        if isinstance(module, DownSampling):
            since = f"{path}.encode_conv"
        if not isinstance(module, ConvBlock | Block):
            continue
        first = "Conv" if isinstance(module, ConvBlock) else "attn"
        ends = ([n for n in layers if n.startswith(prefix)][-1] for prefix in (f"{path}.{first}.", f"{path}."))
        for title, after in zip(("add", "add_2"), ends, strict=True):
            name = f"{path}.{title}"
            found.append(Shortcut(name, after, since, name, path, path.split(".")[0]))
            since = name
    return found
