"""From a design to its plan: where the binary points lie and which constants follow from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sviT_models.engine.arithmetic import Floats, IntegerWeight, folded
from sviT_models.engine.fixed_point.plan import LOGIT_BITS, Plan
from sviT_models.engine.fixed_point.ranges import Ranges
from sviT_models.engine.number_formats import INPUT_MARGIN, State, bounds, rescale, right_shift
from sviT_models.engine.segments import Down, Encoder, Head, Pair, Segment, SelfAttention, Separable
from sviT_models.network.meta_spikeformer import MetaSpikeFormer


@dataclass(frozen=True, eq=False)
class Planner:
    """Makes the plan of one design: its integer weights, widths, and the ranges that place the binary points."""

    model: MetaSpikeFormer
    weights: Mapping[str, IntegerWeight]
    state_bits: Mapping[str, int]
    activation_bits: Mapping[str, int]
    ranges: Ranges
    steps: int
    size: tuple[int, int]
    bound: Callable[[str, int, int], tuple[int, int]]  # extremes of a layer's sums for inputs between two integers

    def plan(self, segments: tuple[Segment, ...]) -> Plan:
        """All segments in order."""
        image = self.activation_bits[segments[0].layers[0]]
        plan = Plan(self._fraction(self.ranges.image, image))
        stream, size = "", self.size
        for segment in segments:
            match segment:
                case Encoder():
                    stream = segment.path
                    self._encoder(plan, segment, image)
                    size = self._smaller(segment, size)
                case Down():
                    self._fire(plan, f"{segment.path}.encode_lif", segment.module.encode_lif, stream)
                    stream = segment.path
                    conv = self._conv(plan, segment.layers[0], f"{segment.path}.encode_lif", 0, 1)
                    self._to_stream(plan, conv, [segment.module.encode_bn], stream, fresh=True)
                    size = self._smaller(segment, size)
                case Separable():
                    self._separable(plan, segment, stream)
                case Pair():
                    self._pair(plan, segment, stream)
                case SelfAttention():
                    self._attention(plan, segment, stream)
                case Head():
                    self._head(plan, segment, stream, size[0] * size[1])
        return plan

    @staticmethod
    def _smaller(segment: Encoder | Down, size: tuple[int, int]) -> tuple[int, int]:
        conv = segment.module.encode_conv
        kernel, stride, padding = conv.kernel_size[0], conv.stride[0], conv.padding[0]
        return tuple((s + 2 * padding - kernel) // stride + 1 for s in size)

    @staticmethod
    def _fraction(curve: Any, bits: int) -> int:
        return bits - 1 - curve.exponent(bits)

    def _state(self, name: str, module: Any) -> State:
        bits = self.state_bits[name]
        fraction = self._fraction(self.ranges.states[name], bits)
        return State(bits, fraction, int(module.threshold * 2**fraction))

    def _fire(self, plan: Plan, name: str, module: Any, source: str) -> None:
        state = plan.states[name] = self._state(name, module)
        given = plan.rescales[self._writer(plan, source)]
        plan.nodes.append(
            {"op": "fire", "name": name, "input": source, "left_shift": state.input_fraction - given.fraction}
        )

    @staticmethod
    def _writer(plan: Plan, tensor: str) -> str:
        return next(n["constants"] for n in reversed(plan.nodes) if n.get("output") == tensor)

    def _conv(self, plan: Plan, layer: str, source: str, low: int, high: int, padding: int | None = None) -> str:
        module = self.model.get_submodule(layer)
        plan.largest[layer] = self.bound(layer, low, high)
        conv = getattr(module, "stride", None) is not None
        plan.nodes.append(
            {
                "op": "conv",
                "layer": layer,
                "input": source,
                "output": f"{layer}:sums",
                "stride": module.stride[0] if conv else 1,
                "padding": (module.padding[0] if padding is None else padding) if conv else 0,
                "groups": module.groups if conv else 1,
            }
        )
        return layer

    def _rescale(
        self, plan: Plan, key: str, gain: Floats, shift: Floats, fraction: int, bits: int, output: str, add: str = ""
    ) -> None:
        largest = max(-plan.largest[key][0], plan.largest[key][1], 1)
        plan.rescales[key] = rescale(gain, shift, fraction, bits, largest, key)
        self._scaled(plan, key, output, add)

    @staticmethod
    def _scaled(plan: Plan, key: str, output: str, add: str = "") -> None:
        node = {"op": "rescale", "constants": key, "input": f"{key}:sums", "output": output}
        plan.nodes.append(node | ({"add": add} if add else {}))

    def _to_stream(
        self, plan: Plan, layer: str, norms: list[Any], stream: str, step: float = 1.0, fresh: bool = False
    ) -> None:
        bits = self.activation_bits[stream]
        fraction = self._fraction(self.ranges.streams[stream], bits)
        gain, shift = folded(self.weights[layer], norms, step)
        self._rescale(plan, layer, gain, shift, fraction, bits, stream, "" if fresh else stream)

    def _to_neurons(self, plan: Plan, layer: str, norms: list[Any], name: str, module: Any, step: float = 1.0) -> None:
        state = self._state(name, module)
        gain, shift = folded(self.weights[layer], norms, step)
        self._rescale(plan, layer, gain, shift, state.input_fraction, state.bits + INPUT_MARGIN, f"{name}:input")
        self._fire(plan, name, module, f"{name}:input")

    def _encoder(self, plan: Plan, segment: Encoder, bits: int) -> None:
        (layer,) = segment.layers
        self._conv(plan, layer, "image", *bounds(bits))
        step = 2.0**-plan.image_fraction
        self._to_stream(plan, layer, [segment.module.encode_bn], segment.path, step, fresh=True)

    def _hand_over(self, plan: Plan, depthwise: str, last: str, gain: Floats, shift: Floats) -> float:
        bits = self.activation_bits[last]
        fraction = self._fraction(self.ranges.activations[depthwise], bits)
        self._rescale(plan, depthwise, gain, shift, fraction, bits, f"{last}:input")
        self._conv(plan, last, f"{last}:input", *bounds(bits))
        return 2.0**-fraction

    def _separable(self, plan: Plan, segment: Separable, stream: str) -> None:
        path, module = segment.path, segment.module
        first, *middle, last = segment.layers
        self._fire(plan, f"{path}.lif1", module.lif1, stream)
        self._conv(plan, first, f"{path}.lif1", 0, 1)
        self._to_neurons(plan, first, [module.bn1], f"{path}.lif2", module.lif2)
        step = 1.0
        if middle:
            weight = self.weights[middle[0]]
            self._conv(plan, middle[0], f"{path}.lif2", 0, 1)
            step = self._hand_over(plan, middle[0], last, weight.scale, weight.bias)
        else:
            self._conv(plan, last, f"{path}.lif2", 0, 1)
        self._to_stream(plan, last, [module.bn2], stream, step)

    def _pair(self, plan: Plan, segment: Pair, stream: str) -> None:
        (first, _), (second, _) = segment.names
        a, b = (f"{segment.path}.{name}" for name in (first, second))
        self._fire(plan, a, segment.lifs[0], stream)
        self._conv(plan, segment.layers[0], a, 0, 1)
        self._to_neurons(plan, segment.layers[0], [segment.norms[0]], b, segment.lifs[1])
        self._conv(plan, segment.layers[1], b, 0, 1)
        self._to_stream(plan, segment.layers[1], [segment.norms[1]], stream)

    def _chain(self, plan: Plan, segment: SelfAttention, name: str, source: str) -> tuple[str, list[Any], float]:
        """A RepConv's sums: its last layer, the norms that follow, and the step of that layer's inputs."""
        layers, norms = segment.branch(name)
        self._conv(plan, layers[0], source, 0, 1)
        if len(layers) == 1:
            return layers[0], list(norms), 1.0
        first, depthwise, last = layers
        bits = self.activation_bits[depthwise]
        peak = float((self.ranges.peaks[first] / self.weights[first].scale).max())
        worst = max(-plan.largest[first][0], plan.largest[first][1])
        narrow = plan.rescales[first] = right_shift(min(worst, int(np.ceil(peak))), bits)
        self._scaled(plan, first, f"{depthwise}:input")
        self._conv(plan, depthwise, f"{depthwise}:input", narrow.low, narrow.high, padding=1)
        gain, shift = folded(self.weights[first], norms[:1])
        weight = self.weights[depthwise]
        shift = weight.scale * shift * weight.codes().sum(1) + weight.bias
        step = self._hand_over(plan, depthwise, last, weight.scale * gain * 2.0**-narrow.fraction, shift)
        return last, list(norms[1:]), step

    def _attention(self, plan: Plan, segment: SelfAttention, stream: str) -> None:
        path, module = segment.path, segment.module
        self._fire(plan, f"{path}.head_lif", module.head_lif, stream)
        for name in "qkv":
            last, norms, step = self._chain(plan, segment, name, f"{path}.head_lif")
            self._to_neurons(plan, last, norms, f"{path}.{name}_lif", getattr(module, f"{name}_lif"), step)
        key = f"{path}.qkv"
        inputs = [f"{path}.{name}_lif" for name in "qkv"]
        plan.nodes.append({"op": "attend", "inputs": inputs, "heads": module.heads, "output": f"{key}:sums"})
        plan.largest[key] = 0, 2**24 - 1  # the products of spikes are counted in float32 or int32
        state = self._state(f"{path}.attn_lif", module.attn_lif)
        ones = np.ones(1)
        bits = state.bits + INPUT_MARGIN
        self._rescale(plan, key, ones * module.scale, 0 * ones, state.input_fraction, bits, f"{path}.attn_lif:input")
        self._fire(plan, f"{path}.attn_lif", module.attn_lif, f"{path}.attn_lif:input")
        last, norms, step = self._chain(plan, segment, "proj", f"{path}.attn_lif")
        self._to_stream(plan, last, norms, stream, step)

    def _head(self, plan: Plan, segment: Head, stream: str, tokens: int) -> None:
        given = plan.rescales[self._writer(plan, stream)]
        plan.largest["tokens"] = given.low * tokens, given.high * tokens
        plan.nodes.append({"op": "sum_tokens", "input": stream, "output": "tokens:sums"})
        state, ones = self._state("lif", self.model.lif), np.ones(1)
        gain = ones * 2.0**-given.fraction / tokens
        self._rescale(plan, "tokens", gain, 0 * ones, state.input_fraction, state.bits + INPUT_MARGIN, "lif:input")
        self._fire(plan, "lif", self.model.lif, "lif:input")
        constants = {}
        for layer in segment.layers:
            self._conv(plan, layer, "lif", 0, 1)
            low, high = plan.largest[layer]
            plan.largest[layer] = low * self.steps, high * self.steps
            plan.nodes.append({"op": "sum_steps", "input": f"{layer}:sums", "output": f"{layer}:sums"})
            gain, shift = folded(self.weights[layer], [])
            constants[layer] = gain / self.steps, shift
        peak = sum(
            float((np.abs(g) * max(-plan.largest[n][0], plan.largest[n][1]) + np.abs(s)).max())
            for n, (g, s) in constants.items()
        )
        fraction = LOGIT_BITS - 2 - int(np.frexp(peak)[1])
        for i, (layer, (gain, shift)) in enumerate(constants.items()):
            gain, shift = gain / len(constants), shift / len(constants)
            add = "logits" if i else ""
            self._rescale(plan, layer, gain, shift, fraction, LOGIT_BITS, "logits", add)
