"""What every operation of a graph computes in integers: plain torch, exact, and the same bits in any batch.

The rules are those of `arithmetic`: sums of integers are exact, constants are applied in float64 and rounded once to
float32, membranes are float32. A layer's result stays a sum of integers with a gain and a shift for each channel until
something other than a batch norm takes it. Numbers that no layer bounds (behind a mean of potentials, say) become
integers as the image does, where a layer or a product takes them: 24 bits behind the point and 7 in front.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sviT_models.engine.arithmetic import (
    ACTIVATION_BITS,
    IMAGE_FRACTION,
    Floats,
    IntegerWeight,
    extremes_of,
    fixed_activation,
    fixed_image,
    hand_over_of,
    join,
    mean_of,
)
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph, Node, sizes
from sviT_models.graph.neurons import SpikingLaw
from sviT_models.graph.run import FLOAT

EXACT_FLOAT64 = 2**53
LARGEST_ACTIVATION = 2 ** (ACTIVATION_BITS - 1)
LARGEST_NUMBER = 2**31
Integers = NDArray[np.int64]
MOVES = ("reshape", "permute", "expand", "select", "slice")


@dataclass(frozen=True, eq=False)
class Codes:
    """Integers, float64, that count in units of `step`; bounded by `low` and `high`.

    `known` says that the step does not depend on the weights, so that two such steps can be compared.
    """

    integers: Tensor
    step: float
    low: int
    high: int
    known: bool = True


@dataclass(frozen=True, eq=False)
class Sums:
    """A layer's exact sums, float64: worth gain * sum + shift, (C,) each, along `axis`; bounded by `low` and `high`.

    `unshifted` says that the layer has no bias and that no norm has been applied: zeros stay zeros.
    """

    sums: Tensor
    gain: Floats
    shift: Floats
    axis: int
    low: Integers
    high: Integers
    unshifted: bool = False

    def wide(self, constants: Floats) -> Tensor:
        """Constants of the channels, to be multiplied with the sums."""
        shape = [1] * self.sums.ndim
        shape[self.axis] = -1
        return torch.from_numpy(np.broadcast_to(constants, self.low.shape).copy()).to(self.sums.device).view(shape)


Value = Codes | Sums | Tensor


def finished(value: Value) -> Tensor:
    """A value as float32 numbers; float64 ones, which are logits, stay."""
    if isinstance(value, Codes):
        return (value.integers * value.step).float()
    if isinstance(value, Sums):
        return (value.sums * value.wide(value.gain) + value.wide(value.shift)).float()
    return value


@dataclass(frozen=True, eq=False)
class Rules:
    """The rules for the nodes of one graph with integer weights by layer, on a batch of some size."""

    graph: Graph
    weights: Mapping[str, IntegerWeight]
    batch: int

    def result(self, node: Node, given: Sequence[Value]) -> Value:
        """What a node gives, from what its inputs gave; the image node takes the images."""
        match node.op:
            case "image":
                return Codes(fixed_image(finished(given[0])).double(), 2.0**-IMAGE_FRACTION, -(2**31), 2**31 - 1)
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
            case "average_pool":
                return self.average_pool(node, given[0])
            case "pad" if isinstance(given[0], Sums) and keeps_zeros(node, given[0]):
                return replace(given[0], sums=F.pad(given[0].sums, node.attributes["sides"]))
            case "output":
                return given[0]
        return self.moved(node, given)

    def plain(self, node: Node, *tensors: Tensor) -> Tensor:
        """The operation of the float walk."""
        own = {role: self.graph.parameters[name].to(tensors[0]) for role, name in node.parameters.items()}
        return FLOAT[node.op](node, tensors, own, sizes(node.shape, self.graph.time_steps, self.batch))

    def moved(self, node: Node, given: Sequence[Value]) -> Codes | Tensor:
        """Integers stay integers where they are only moved, compared, joined or added in the same unit."""
        codes = [value for value in given if isinstance(value, Codes)]
        if len(codes) < len(given) or not stay_integers(node, [code.step if code.known else None for code in codes]):
            return self.plain(node, *map(finished, given))
        integers = self.plain(node, *(code.integers for code in codes))
        low, high = moved_bounds(node, [(code.low, code.high) for code in codes])
        return Codes(integers, codes[0].step, low, high, codes[0].known)

    def neuron(self, node: Node, value: Value) -> Codes:
        """Membranes are float32."""
        law = node.attributes["law"]
        out = law.fire(finished(value).float())
        step, top = (1.0, 1) if isinstance(law, SpikingLaw) else (1 / law.divisor, law.levels)
        integers = out.double() if step == 1.0 else (out.double() / step).round()
        return Codes(integers, step, 0, top)

    def layer(self, node: Node, value: Value) -> Sums:
        """Exact sums over integers; a depthwise convolution takes the sums of the layer before it as they are."""
        weight, axis = self.weights[node.layer], len(node.shape) - 1 if node.op == "linear" else 1
        if isinstance(value, Sums) and takes_sums(node, value.sums.shape[1], len(weight.scale), value.unshifted):
            return self.depthwise(node, value, weight)
        codes = self.integers(value)
        low, high = extremes_of(weight.codes(), codes.low, codes.high)
        gain, unshifted = weight.scale * codes.step, "bias" not in node.parameters
        sums = Sums(self.sums(node, weight, codes.integers), gain, weight.bias, axis, low, high, unshifted)
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
        digits = [digit.to(x) for digit in weight.digits]
        if node.op == "linear":
            return join(F.linear(x, digit) for digit in digits)
        conv, a = F.conv1d if digits[0].ndim == 3 else F.conv2d, node.attributes
        return join(conv(x, digit, None, a["stride"], a["padding"], a["dilation"], a["groups"]) for digit in digits)

    @staticmethod
    def integers(value: Value) -> Codes:
        """What a layer or a product sees: sums as 24-bit integers, numbers in 24 bits behind the point, saturating."""
        if isinstance(value, Codes):
            return value
        if isinstance(value, Sums):
            rule = hand_over_of(value.gain, value.shift, value.low, value.high)
            handed = fixed_activation(value.sums.movedim(value.axis, -1), rule).movedim(-1, value.axis)
            return Codes(handed, rule.step, -LARGEST_ACTIVATION, LARGEST_ACTIVATION - 1, False)
        step = 2.0**-IMAGE_FRACTION
        fixed = (value.double() / step).round().clamp(-LARGEST_NUMBER, LARGEST_NUMBER - 1)
        return Codes(fixed, step, -LARGEST_NUMBER, LARGEST_NUMBER - 1)

    def norm(self, node: Node, value: Value) -> Sums | Tensor:
        """Gain and shift of a batch norm, folded where a layer stands before it."""
        gain, shift = norm_of(self.graph, node)
        if isinstance(value, Sums):
            shift = value.shift * gain + shift
            return replace(value, gain=value.gain * gain, shift=shift, unshifted=False)
        x = finished(value)
        wide = [torch.from_numpy(part).to(x.device).view(-1, *[1] * (x.ndim - 2)) for part in (gain, shift)]
        return (x.double() * wide[0] + wide[1]).float()

    def scale(self, node: Node, value: Value) -> Codes | Tensor:
        """A constant goes into the unit of integers."""
        if not node.parameters and isinstance(value, Codes):
            return replace(value, step=value.step * factor_of(node))
        return self.plain(node, finished(value))

    def product(self, node: Node, first: Value, second: Value) -> Codes:
        """Products of integers are exact."""
        a, b = self.integers(first), self.integers(second)
        summed = a.integers.shape[-1] if node.op == "matmul" else 1
        ends = product_bounds(node, summed, (a.low, a.high), (b.low, b.high))
        return Codes(self.plain(node, a.integers, b.integers), a.step * b.step, *ends, a.known and b.known)

    def reduced(self, node: Node, value: Value) -> Codes | Tensor:
        """Sums and means: exact over integers, over sums, and over numbers with 24 bits behind the point."""
        axes, keep = node.attributes["axes"], node.attributes["keep"]
        tensor = value.integers if isinstance(value, Codes) else value.sums if isinstance(value, Sums) else value
        terms = int(np.prod([tensor.shape[axis] for axis in axes]))
        count = terms if node.op == "mean" else 1
        if isinstance(value, Codes):
            integers = tensor.sum(axes, keep)
            return Codes(integers, value.step / count, value.low * terms, value.high * terms, value.known)
        if isinstance(value, Sums) and node.op == "mean" and value.axis not in axes:
            kept = replace(value, sums=tensor.sum(axes, keepdim=True))
            total = kept.sums * kept.wide(value.gain) / count + kept.wide(value.shift)
            return total if keep else total.squeeze(axes)
        return mean_of(finished(value), axes, keep, count)

    def average_pool(self, node: Node, value: Value) -> Codes | Tensor:
        """Windows of equal size are sums; numbers have 24 bits behind the point. Raises ModelError for others."""
        a = node.attributes
        if any(a["padding"]) or a["ceil_mode"] or len(a["kernel"]) != 2:
            raise ModelError(f"{node.name}: an average pool over windows of different sizes; there is no rule for it")
        count = a["kernel"][0] * a["kernel"][1]
        x = value.integers if isinstance(value, Codes) else (finished(value).double() * 2.0**IMAGE_FRACTION).round()
        sums = F.avg_pool2d(x, a["kernel"], a["stride"], divisor_override=1)
        if isinstance(value, Codes):
            return Codes(sums, value.step / count, value.low * count, value.high * count, value.known)
        return (sums / (count * 2.0**IMAGE_FRACTION)).float()


def factor_of(node: Node) -> float:
    """The constant that a `scale` multiplies by."""
    return 1 / node.attributes["divisor"] if "divisor" in node.attributes else node.attributes["factor"]


def norm_of(graph: Graph, node: Node) -> tuple[Floats, Floats]:
    """Gain and shift (C,) of a batch norm in evaluation."""
    own = {role: graph.parameters[name].double().numpy(force=True) for role, name in node.parameters.items()}
    gain = own.get("weight", np.float64(1)) / np.sqrt(own["variance"] + node.attributes["eps"])
    return gain, own.get("bias", np.float64(0)) - own["mean"] * gain


def takes_sums(node: Node, seen: int, made: int, unshifted: bool) -> bool:
    """Whether a layer takes the sums (N, seen, ...) of another as they are: a depthwise one whose border is right."""
    depthwise = node.op == "conv" and node.attributes["groups"] == seen == made
    return depthwise and (unshifted or not any(node.attributes["padding"]))


def keeps_zeros(node: Node, value: Sums) -> bool:
    """Whether a padding of sums is one of zeros."""
    return value.unshifted and not node.attributes["value"]


def stay_integers(node: Node, steps: Sequence[float | None]) -> bool:
    """Whether integers of these units (None: it depends on the weights) stay integers in an operation that moves."""
    whole = node.op in (*MOVES, "max_pool", "concat", "add") or (node.op == "pad" and not node.attributes["value"])
    alike = len(steps) == 1 or (None not in steps and len(set(steps)) == 1)
    return whole and alike and node.attributes.get("factor", 1) == 1


def moved_bounds(node: Node, bounds: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Least and largest integer after an operation that moves, compares, joins or adds."""
    if node.op == "add":
        return sum(low for low, _ in bounds), sum(high for _, high in bounds)
    return min(0, *(low for low, _ in bounds)), max(0, *(high for _, high in bounds))


def product_bounds(node: Node, summed: int, first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    """Least and largest sum of so many products. Raises ModelError where float64 may not hold it."""
    ends = [summed * a * b for a in first for b in second]
    if max(map(abs, ends)) >= EXACT_FLOAT64:
        raise ModelError(f"{node.name}: its sums may pass 2^53")
    return min(ends), max(ends)
