"""What the integer evaluator computes on any captured network: plain torch, slow, and the same bits in any batch.

The rules are those of `arithmetic`: sums of integers are exact, constants are applied in float64 and rounded once to
float32, membranes are float32. A layer's result stays a sum of integers with a gain and a shift for each channel until
something other than a batch norm takes it. On SDTv2 it equals `definition` bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sviT_models.engine.arithmetic import (
    ACTIVATION_BITS,
    IMAGE_FRACTION,
    Floats,
    IntegerWeight,
    extremes_of,
    fixed_activation,
    fixed_image,
    hand_over_of,
    integer_weight,
    join,
    mean_of,
)
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph, Node, sizes
from sviT_models.graph.neurons import SpikingLaw
from sviT_models.graph.run import FLOAT, check_images
from sviT_models.quantization.quantizers import quantize_weight

EXACT_FLOAT64 = 2**53
Integers = NDArray[np.int64]
MOVES = ("reshape", "permute", "expand", "select", "slice")


@dataclass(frozen=True, eq=False)
class Codes:
    """Integers, float64, that count in units of `step`; bounded by `low` and `high`."""

    integers: Tensor
    step: float
    low: int
    high: int


@dataclass(frozen=True, eq=False)
class Sums:
    """A layer's exact sums, float64: worth gain * sum + shift, (C,) each, along `axis`; bounded by `low` and `high`."""

    sums: Tensor
    gain: Floats
    shift: Floats
    axis: int
    low: Integers
    high: Integers

    def wide(self, constants: Floats) -> Tensor:
        """Constants of the channels, to be multiplied with the sums."""
        shape = [1] * self.sums.ndim
        shape[self.axis] = -1
        return torch.from_numpy(np.broadcast_to(constants, self.low.shape).copy()).view(shape)


@dataclass(frozen=True, eq=False)
class GraphOutput:
    """`logits` (N, classes) float32, and by path what every neuron layer emits in each of its steps, (T,) int64."""

    logits: NDArray[np.float32]
    spikes: dict[str, NDArray[np.int64]]


class _Bias(nn.Module):
    def __init__(self, bias: Tensor | None) -> None:
        super().__init__()
        self.bias = bias


def graph_weights(graph: Graph, weight_bits: Mapping[str, int] | int) -> dict[str, IntegerWeight]:
    """The weight layers of a graph in integers, rounded to nearest, at one width or one for each module path.

    graph        a captured network
    weight_bits  one width [bit], or one by module path

    Raises ModelError, naming the layer, for a width that does not exist.
    """
    found = {}
    for node in graph.of("conv", "linear"):
        bits = weight_bits if isinstance(weight_bits, int) else weight_bits[node.layer]
        weight, bias = (graph.parameters.get(node.parameters.get(role, "")) for role in ("weight", "bias"))
        try:
            found[node.layer] = integer_weight(_Bias(bias), quantize_weight(weight, bits))
        except ModelError as error:
            raise ModelError(f"{node.layer}: {error}") from None
    return found


def graph_definition(graph: Graph, weights: Mapping[str, IntegerWeight], images: Tensor) -> GraphOutput:
    """Logits and spikes of a captured network with integer weights on `images` (N, ...).

    graph    a captured network
    weights  its integer weights by layer, as `graph_weights` gives them

    Raises ModelError, naming the node, where a layer sees numbers that no layer before it bounds.
    """
    check_images(graph, images)
    walk = _Walk(graph, weights, len(images))
    with torch.no_grad():
        for node in graph.nodes:
            walk.held[node.name] = walk.result(node, images)
    logits = finished(walk.held[graph.nodes[-1].name]).float().numpy()
    return GraphOutput(logits, walk.spikes)


def finished(value: Codes | Sums | Tensor) -> Tensor:
    """A value as float32 numbers; float64 ones, which are logits, stay."""
    if isinstance(value, Codes):
        return (value.integers * value.step).float()
    if isinstance(value, Sums):
        return (value.sums * value.wide(value.gain) + value.wide(value.shift)).float()
    return value


class _Walk:
    def __init__(self, graph: Graph, weights: Mapping[str, IntegerWeight], batch: int) -> None:
        self.graph, self.weights, self.batch = graph, weights, batch
        self.held: dict[str, Codes | Sums | Tensor] = {}
        self.spikes: dict[str, NDArray[np.int64]] = {}

    def result(self, node: Node, images: Tensor) -> Codes | Sums | Tensor:
        """What a node gives."""
        given = [self.held[name] for name in node.inputs]
        match node.op:
            case "image":
                return Codes(fixed_image(images).double(), 2.0**-IMAGE_FRACTION, -(2**31), 2**31)
            case "neuron":
                return self.neuron(node, given[0])
            case "conv" | "linear":
                return self.layer(node, given[0])
            case "norm":
                return self.norm(node, given[0])
            case "scale":
                return self.scale(node, given[0])
            case "matmul" | "product":
                return self.product(node, *given)
            case "sum" | "mean":
                return self.reduced(node, given[0])
            case "pad" if isinstance(given[0], Sums) and not node.attributes["value"] and not given[0].shift.any():
                return replace(given[0], sums=F.pad(given[0].sums, node.attributes["sides"]))
            case "output":
                return given[0]
        return self.moved(node, given)

    def plain(self, node: Node, *tensors: Tensor) -> Tensor:
        """The operation of the float walk."""
        own = {role: self.graph.parameters[name].to(tensors[0]) for role, name in node.parameters.items()}
        return FLOAT[node.op](node, tensors, own, sizes(node.shape, self.graph.time_steps, self.batch))

    def moved(self, node: Node, given: list[Codes | Sums | Tensor]) -> Codes | Tensor:
        """Integers stay integers where they are only moved, compared, joined or added in the same unit."""
        codes = [value for value in given if isinstance(value, Codes)]
        alike = len(codes) == len(given) and len({code.step for code in codes}) == 1
        whole = node.op in (*MOVES, "max_pool", "concat", "add") or (node.op == "pad" and not node.attributes["value"])
        if not alike or not whole or node.attributes.get("factor", 1) != 1:
            if node.op == "average_pool":
                raise ModelError(f"{node.name}: an average pool is not exact; there is no rule for its sums")
            return self.plain(node, *map(finished, given))
        integers = self.plain(node, *(code.integers for code in codes))
        low, high = (sum(c.low for c in codes), sum(c.high for c in codes)) if node.op == "add" else (
            min(0, *(c.low for c in codes)), max(0, *(c.high for c in codes)))  # fmt: skip
        return Codes(integers, codes[0].step, low, high)

    def neuron(self, node: Node, value: Codes | Sums | Tensor) -> Codes:
        """Membranes are float32."""
        law = node.attributes["law"]
        out = law.fire(finished(value).float())
        step, top = (1.0, 1) if isinstance(law, SpikingLaw) else (1 / law.divisor, law.levels)
        integers = out.double() if step == 1.0 else (out.double() / step).round()
        flat = integers.flatten(1) if isinstance(law, SpikingLaw) else integers.reshape(1, -1)
        self.spikes[node.path] = flat.count_nonzero(dim=1).numpy()
        return Codes(integers, step, 0, top)

    def layer(self, node: Node, value: Codes | Sums | Tensor) -> Sums:
        """Exact sums over integers; a depthwise convolution takes the sums of the layer before it as they are."""
        weight, axis = self.weights[node.layer], len(node.shape) - 1 if node.op == "linear" else 1
        if isinstance(value, Sums):
            depthwise = node.op == "conv" and node.attributes["groups"] == value.sums.shape[1] == len(weight.scale)
            unpadded = not any(node.attributes.get("padding", [0])) or not value.shift.any()
            if depthwise and unpadded:
                return self.depthwise(node, value, weight)
            value = self.handed_over(value)
        if not isinstance(value, Codes):
            raise ModelError(f"{node.name}: it sees numbers that no layer before it bounds; there is no rule for them")
        low, high = extremes_of(weight.codes(), value.low, value.high)
        sums = Sums(self.sums(node, weight, value.integers), weight.scale * value.step, weight.bias, axis, low, high)
        return self.checked(node, sums)

    def depthwise(self, node: Node, value: Sums, weight: IntegerWeight) -> Sums:
        """The shift reaches every output with the sum of the codes, as the border holds what the norm makes of zero."""
        codes = weight.codes()
        low, high = extremes_of(codes, value.low[:, None], value.high[:, None])
        shift = weight.scale * value.shift * codes.sum(1) + weight.bias
        sums = Sums(self.sums(node, weight, value.sums), weight.scale * value.gain, shift, 1, low, high)
        return self.checked(node, sums)

    @staticmethod
    def checked(node: Node, value: Sums) -> Sums:
        """The sums, which float64 has to hold exactly; those of single digits it always does."""
        if float(value.sums.abs().max()) >= EXACT_FLOAT64:
            raise ModelError(f"{node.name}: its sums pass 2^53; take fewer bits")
        return value

    @staticmethod
    def sums(node: Node, weight: IntegerWeight, x: Tensor) -> Tensor:
        """Sums of integers, digit by digit."""
        if node.op == "linear":
            return join(F.linear(x, digit.double()) for digit in weight.digits)
        conv, a = F.conv1d if weight.digits[0].ndim == 3 else F.conv2d, node.attributes
        return join(
            conv(x, digit.double(), None, a["stride"], a["padding"], a["dilation"], a["groups"])
            for digit in weight.digits
        )

    @staticmethod
    def handed_over(value: Sums) -> Codes:
        """Sums as the 24-bit integers that the next layer sees."""
        rule = hand_over_of(value.gain, value.shift, value.low, value.high)
        integers = fixed_activation(value.sums.movedim(value.axis, -1), rule).movedim(-1, value.axis)
        return Codes(integers, rule.step, -(2 ** (ACTIVATION_BITS - 1)), 2 ** (ACTIVATION_BITS - 1) - 1)

    def norm(self, node: Node, value: Codes | Sums | Tensor) -> Sums | Tensor:
        """Gain and shift of a batch norm, folded where a layer stands before it."""
        own = {role: self.graph.parameters[name].double().numpy() for role, name in node.parameters.items()}
        gain = own.get("weight", np.float64(1)) / np.sqrt(own["variance"] + node.attributes["eps"])
        shift = own.get("bias", np.float64(0)) - own["mean"] * gain
        if isinstance(value, Sums):
            return replace(value, gain=value.gain * gain, shift=value.shift * gain + shift)
        x = finished(value)
        wide = [torch.from_numpy(part).view(-1, *[1] * (x.ndim - 2)) for part in (gain, shift)]
        return (x.double() * wide[0] + wide[1]).float()

    def scale(self, node: Node, value: Codes | Sums | Tensor) -> Codes | Sums | Tensor:
        """A constant goes into the unit of integers, and into the constants of sums."""
        attributes = node.attributes
        if not node.parameters and isinstance(value, Codes):
            factor = 1 / attributes["divisor"] if "divisor" in attributes else attributes["factor"]
            return replace(value, step=value.step * factor)
        return self.plain(node, finished(value))

    def product(self, node: Node, first: Codes | Sums | Tensor, second: Codes | Sums | Tensor) -> Codes:
        """Products of integers are exact."""
        if not isinstance(first, Codes) or not isinstance(second, Codes):
            raise ModelError(f"{node.name}: a product of numbers; there is no rule for it")
        summed = first.integers.shape[-1] if node.op == "matmul" else 1
        ends = [summed * a * b for a in (first.low, first.high) for b in (second.low, second.high)]
        if max(map(abs, ends)) >= EXACT_FLOAT64:
            raise ModelError(f"{node.name}: its sums may pass 2^53")
        integers = self.plain(node, first.integers, second.integers)
        return Codes(integers, first.step * second.step, min(ends), max(ends))

    def reduced(self, node: Node, value: Codes | Sums | Tensor) -> Codes | Tensor:
        """Sums and means: exact over integers, over sums, and over numbers with 24 bits behind the point."""
        axes, keep = node.attributes["axes"], node.attributes["keep"]
        tensor = value.integers if isinstance(value, Codes) else value.sums if isinstance(value, Sums) else value
        count = int(np.prod([tensor.shape[axis] for axis in axes])) if node.op == "mean" else 1
        if isinstance(value, Codes):
            terms = int(np.prod([tensor.shape[axis] for axis in axes]))
            return Codes(tensor.sum(axes, keep), value.step / count, value.low * terms, value.high * terms)
        if isinstance(value, Sums) and node.op == "mean" and value.axis not in axes:
            kept = replace(value, sums=tensor.sum(axes, keepdim=True))
            total = kept.sums * kept.wide(value.gain) / count + kept.wide(value.shift)
            return total if keep else total.squeeze(axes)
        return mean_of(finished(value), axes, keep, count)
