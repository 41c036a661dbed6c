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
from torch import Tensor

from sviT_models.engine.arithmetic import (
    IMAGE_FRACTION,
    IntegerWeight,
    extremes_of,
    fixed_activation,
    fixed_image,
    hand_over_of,
    join,
    mean_of,
)
from sviT_models.engine.exact_values import Codes, Sums, Value, finished, keeps_zeros
from sviT_models.engine.static_rules import (
    EXACT_FLOAT64,
    LARGEST_ACTIVATION,
    LARGEST_NUMBER,
    factor_of,
    moved_bounds,
    norm_of,
    product_bounds,
    stay_integers,
    takes_sums,
    window_of,
)
from sviT_models.errors import ModelError
from sviT_models.graph.graph import Graph, Node, sizes
from sviT_models.graph.neurons import SpikingLaw
from sviT_models.graph.run import FLOAT


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
        a, count = node.attributes, window_of(node)
        x = value.integers if isinstance(value, Codes) else (finished(value).double() * 2.0**IMAGE_FRACTION).round()
        sums: Tensor = F.avg_pool2d(x, a["kernel"], a["stride"], divisor_override=1)
        if isinstance(value, Codes):
            return Codes(sums, value.step / count, value.low * count, value.high * count, value.known)
        mean: Tensor = sums / (count * 2.0**IMAGE_FRACTION)
        return mean.float()
