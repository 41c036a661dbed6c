"""From a design to its plan, operation by operation: where the binary points lie, which constants follow from that."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sviT_models.engine.arithmetic import Floats, IntegerWeight
from sviT_models.engine.fixed_point.emission import Emission, sizes_of
from sviT_models.engine.fixed_point.general import planned
from sviT_models.engine.fixed_point.plan import LOGIT_BITS, Firing, Format, Plan
from sviT_models.engine.fixed_point.ranges import Ranges
from sviT_models.engine.fixed_point.streams import Key, Streams
from sviT_models.engine.number_formats import Curve, Rescale, bounds, rescale, right_shift, state_of
from sviT_models.engine.program import (
    Add,
    Attend,
    Combine,
    Depthwise,
    Encode,
    Fire,
    General,
    HandOver,
    Layer,
    MaxPool,
    Operation,
    Program,
    Raise,
    Reform,
    Total,
    Value,
)
from sviT_models.engine.program import Integers as Counted
from sviT_models.engine.rules import norm_of
from sviT_models.graph.graph import TIME
from sviT_models.graph.neurons import IntegerLaw, Law


@dataclass(frozen=True, eq=False)
class Sums:
    """A layer's sums: worth gain * sum + shift, (C,) each, between `low` and `high`; `label` is the layer's name."""

    label: str
    gain: Floats
    shift: Floats
    low: int
    high: int

    @property
    def largest(self) -> int:
        """The largest magnitude, at least 1."""
        return max(-self.low, self.high, 1)

    @property
    def peak(self) -> float:
        """What they can be worth."""
        return float((np.abs(self.gain) * max(-self.low, self.high) + np.abs(self.shift)).max())


@dataclass(frozen=True, eq=False)
class Design:
    """What a plan is made of: integer weights, widths, and the ranges that place the binary points.

    `bound` gives the extremes of a layer's sums for inputs between two integers.
    """

    program: Program
    weights: Mapping[str, IntegerWeight]
    state_bits: Mapping[str, int]
    activation_bits: Mapping[str, int]
    ranges: Ranges
    bound: Callable[[str, int, int], tuple[int, int]]


class Planner:
    """Walks over the operations of a program once; `plan` holds what it finds."""

    def __init__(self, design: Design, streams: Streams) -> None:
        self.design, self.streams, self.program = design, streams, design.program
        image = design.activation_bits[streams.image]
        fraction = self.fraction(design.ranges.image, image)
        self.plan = Plan(self.program, streams, Format(*bounds(image), 2.0**-fraction, fraction))
        self.emission = Emission(self.plan)
        self.sums: dict[str, Sums] = {}
        self.stream_formats: dict[str, Format] = {}
        self.written: dict[Key, str] = {}  # numbers of streams that are in their format, and their tensors
        calls = [layer for operation in self.program.operations for layer in operation.layers]
        self.repeated = {layer for layer in calls if calls.count(layer) > 1}

    def made(self) -> Plan:
        """The plan."""
        for operation in self.program.operations:
            WORK[type(operation)](self, operation)
            self.emission.end()
        self.output()
        return self.plan

    # formats

    @staticmethod
    def fraction(curve: Curve, bits: int) -> int:
        """Binary places of numbers of a width."""
        return bits - 1 - curve.exponent(bits)

    def format_of(self, key: Key) -> Format:
        """The format of a number of a stream."""
        name = self.streams.name_of[key]
        if name not in self.stream_formats:
            is_logits = self.streams.logits == name
            self.stream_formats[name] = self.logit_format(name) if is_logits else self.stream_format(name)
        return self.stream_formats[name]

    def stream_format(self, name: str) -> Format:
        """The format of a stream, from its width and range."""
        bits = self.design.activation_bits[name]
        fraction = self.fraction(self.design.ranges.numbers[name], bits)
        return Format(*bounds(bits), 2.0**-fraction, fraction)

    def logit_format(self, name: str) -> Format:
        """The format of a stream that ends as logits: wide enough for whatever the sums in it can be."""
        leaves = [key for key in self.streams.members[name] if not self.streams.formed(self.program.by_name[key[0]])]
        if not leaves or any(key[0] not in self.sums for key in leaves):
            fraction = self.fraction(self.design.ranges.numbers[name], LOGIT_BITS)
        else:
            peak = sum(self.finished(self.sums[source], norms).peak for source, norms in leaves)
            fraction = LOGIT_BITS - 2 - int(np.frexp(peak)[1])
        return Format(*bounds(LOGIT_BITS), 2.0**-fraction, fraction)

    def finished(self, sums: Sums, norms: tuple[str, ...]) -> Sums:
        """Sums behind norms."""
        gain, shift = sums.gain, sums.shift
        for name in norms:
            scale, offset = norm_of(self.program.graph, self.program.graph.by_name[name])
            gain, shift = gain * scale, shift * scale + offset
        return replace(sums, gain=gain, shift=shift)

    def label(self, layer: str, operation: Operation) -> str:
        """What a layer's sums are called."""
        return operation.name if layer in self.repeated else layer

    def rule(self, wanted: str, sums: Sums, form: Format, bits: int) -> tuple[str, Rescale]:
        """The constants that take sums into a format, and their name: the layer's where it is free."""
        key = sums.label if sums.label not in self.plan.rescales else f"{sums.label}:{wanted}"
        assert form.fraction is not None
        made = rescale(sums.gain, sums.shift, form.fraction, bits, sums.largest, key)
        self.plan.rescales[key] = made = replace(made, low=form.low, high=form.high)
        return key, made

    def of_numbers(self, wanted: str, form: Format) -> Sums:
        """Numbers as sums with one constant."""
        return Sums(wanted, np.full(1, form.step), np.zeros(1), form.low, form.high)

    # what operations take

    def seen(self, value: Value) -> Sums:
        """The sums of a value with the constants of its norms."""
        return self.finished(self.sums[value.source], value.norms)

    def number(self, value: Value) -> tuple[str, Format]:
        """The tensor that holds the integers or numbers of a value, and their format; sums are rounded once."""
        operation, key = self.program.by_name[value.source], self.streams.key(value)
        if isinstance(value.kind, Counted):
            return self.plan.tensors[value.source], self.scaled(value)
        if key == (value.source, value.norms) and key in self.streams.name_of and not self.streams.formed(operation):
            return self.rounded(key), self.format_of(key)
        return self.plan.tensors[value.source], self.plan.formats[value.source]

    def scaled(self, value: Value) -> Format:
        """Integers in the unit that a value says."""
        form, factor = self.plan.formats[value.source], ratio(self.program.by_name[value.source].kind, value.kind)
        return form if factor == 1 else Format(form.low, form.high, form.step * factor)

    def rounded(self, key: Key) -> str:
        """The tensor of a number of a stream, written when it is first needed."""
        if key not in self.written:
            source, norms = key
            form = self.format_of(key)
            held = self.sums.get(source)
            sums = self.finished(held, norms) if held else self.of_numbers(source, self.plan.formats[source])
            name, self.plan.rounded[key] = self.rule(self.streams.name_of[key], sums, form, bits_of(form))
            self.written[key] = norms[-1] if norms else f"{source}:number"
            self.emission.rescale(name, self.plan.tensors[source], self.written[key])
        return self.written[key]

    # operations

    def encode(self, operation: Encode) -> None:
        """The image."""
        self.give(operation, self.plan.image)
        self.emission.arranged_memory("image", self.program.graph.image.shape, operation.form, operation.name)

    def give(self, operation: Operation, form: Format, tensor: str = "") -> None:
        """What an operation gives."""
        self.plan.formats[operation.name] = form
        self.plan.tensors[operation.name] = tensor or operation.name

    def give_sums(self, operation: Operation, sums: Sums) -> None:
        """Sums that an operation gives."""
        self.sums[operation.name] = sums
        self.plan.tensors[operation.name] = f"{sums.label}:sums"

    def layer_sums(self, layer: str, operation: Operation, given: Format) -> Sums:
        """What a layer makes of integers."""
        weight, label = self.design.weights[layer], self.label(layer, operation)
        low, high = self.plan.largest[label] = self.design.bound(layer, given.low, given.high)
        return Sums(label, weight.scale * given.step, weight.bias + 0 * weight.scale, low, high)

    def layer(self, operation: Layer) -> None:
        """A layer over integers."""
        tensor, given = self.number(operation.inputs[0])
        sums = self.layer_sums(operation.layer, operation, given)
        self.give_sums(operation, sums)
        g, seen = operation.geometry, operation.map
        self.emission.conv(
            operation.layer, sums.label, tensor, (seen.height, seen.width), (g.stride,) * 2, (g.padding,) * 2, g.groups
        )

    def narrowed(self, operation: Operation) -> tuple[str, Rescale, Sums]:
        """The sums of a layer as a depthwise layer sees them: shifted to the right, their constants left to it."""
        (given,) = operation.inputs
        sums = self.seen(given)
        before = self.sums[given.source]
        layer = self.streams.inputs[operation.name]
        bits = self.design.activation_bits[layer]
        peak = self.design.ranges.peaks[given.source] / np.abs(before.gain)
        worst = max(-sums.low, sums.high)
        narrow = right_shift(min(worst, int(np.ceil(peak.max()))), bits)
        key = sums.label if sums.label not in self.plan.rescales else f"{sums.label}:{layer}"
        self.plan.rescales[key] = self.plan.handed[operation.name] = narrow
        tensor = f"{operation.name}:input"
        self.emission.rescale(key, self.plan.tensors[given.source], tensor)
        weight, label = self.design.weights[layer], self.label(layer, operation)
        low, high = self.plan.largest[label] = self.design.bound(layer, narrow.low, narrow.high)
        gain = weight.scale * sums.gain * 2.0**-narrow.fraction
        shift = weight.scale * sums.shift * weight.codes().sum(1) + weight.bias
        return tensor, narrow, Sums(label, gain, shift, low, high)

    def depthwise(self, operation: Depthwise) -> None:
        """A depthwise layer over sums."""
        tensor, _, sums = self.narrowed(operation)
        self.give_sums(operation, sums)
        seen = operation.map
        channels = len(sums.gain)
        self.emission.conv(operation.layer, sums.label, tensor, (seen.height, seen.width), (1, 1), (1, 1), channels)

    def hand_over(self, operation: HandOver) -> None:
        """Sums as integers for the next layer."""
        (given,) = operation.inputs
        bits = self.design.activation_bits[self.streams.inputs[operation.name]]
        fraction = self.fraction(self.design.ranges.inputs[operation.name], bits)
        form = Format(*bounds(bits), 2.0**-fraction, fraction)
        key, self.plan.handed[operation.name] = self.rule(operation.name, self.seen(given), form, bits)
        self.emission.rescale(key, self.plan.tensors[given.source], operation.name)
        self.give(operation, form)

    def raised(self, operation: Raise) -> None:
        """The same integers."""
        tensor, form = self.number(operation.inputs[0])
        self.give(operation, form, tensor)

    def add(self, operation: Add) -> None:
        """Two numbers of a stream; the sums of a layer that nothing else takes are rounded as they are added."""
        form = self.format_of((operation.name, ()))
        which = self.streams.fused.get(operation.name)
        if which is not None:
            value, key = operation.inputs[which], self.streams.key(operation.inputs[which])
            other, _ = self.number(operation.inputs[1 - which])
            name, self.plan.rounded[key] = self.rule(operation.name, self.seen(value), form, bits_of(form))
            self.emission.rescale(name, self.plan.tensors[value.source], operation.name, other)
        else:
            tensors = [self.number(value)[0] for value in operation.inputs]
            self.emission.added(self.pair(operation, *tensors), form, operation.name)
        self.give(operation, form)

    def pair(self, operation: Add, *tensors: str) -> list[tuple[str, list[int]]]:
        """Two tensors as an addition sees them: steps apart where only one has them."""
        both = [[1 if part.size == TIME else -1 for part in value.form.memory[:1]] for value in operation.inputs]
        steps = self.program.graph.time_steps
        return [(t, [steps if 1 in front else 1, -1]) for t, front in zip(tensors, both, strict=True)]

    def combine(self, operation: Combine) -> None:
        """Integers element by element."""
        large, small = operation.inputs
        (a, fa), (b, fb) = self.number(large), self.number(small)
        sizes = sizes_of(self.program, large.form.memory)
        kept = [s if part in small.form.memory else 1 for part, s in zip(large.form.memory, sizes, strict=True)]
        ends = [x * y for x in (fa.low, fa.high) for y in (fb.low, fb.high)]
        if operation.product:
            form = Format(min(ends), max(ends), fa.step * fb.step)
        else:
            form = Format(fa.low + fb.low, fa.high + fb.high, fa.step)
        self.emission.combine("multiply" if operation.product else "add", [(a, sizes), (b, kept)], operation.name)
        self.give(operation, form)

    def total(self, operation: Total) -> None:
        """Integers summed."""
        (given,) = operation.inputs
        tensor, form = self.number(given)
        sizes = sizes_of(self.program, given.form.memory)
        axes = [given.form.memory.index(part) for part in operation.parts]
        terms = math.prod(sizes[axis] for axis in axes)
        self.emission.sum(tensor, sizes, axes, operation.name)
        step = form.step * ratio(given.kind, operation.kind)
        self.give(operation, Format(form.low * terms, form.high * terms, step))

    def fire(self, operation: Fire) -> None:
        """Neurons over sums, over the numbers of a stream, or over integers."""
        (given,) = operation.inputs
        key, own = self.streams.key(given), self.program.by_name[given.source]
        seen: Sums | Format
        if not isinstance(given.kind, Counted) and key not in self.streams.name_of and self.streams.sums(own):
            source, seen = self.plan.tensors[given.source], self.seen(given)
        else:
            source, seen = self.number(given)
            seen = replace(seen, fraction=None) if isinstance(given.kind, Counted) else seen
        has_steps = any(part.size == TIME for part in given.form.memory[:1])
        self.neurons(operation, source, seen, self.program.graph.time_steps if has_steps else 1)

    def neurons(self, operation: Fire | General, source: str, seen: Sums | Format, steps: int) -> None:
        """A layer of neurons over the first so many steps of a tensor."""
        law: Law = operation.node.attributes["law"] if isinstance(operation, General) else operation.law
        path = operation.node.path if isinstance(operation, General) else operation.path
        rule: Rescale | None
        sizes = sizes_of(self.program, operation.form.memory)
        if isinstance(law, IntegerLaw):
            given = self.of_numbers(operation.name, seen) if isinstance(seen, Format) else seen
            given = replace(given, gain=given.gain * law.gain, shift=given.shift * law.gain)
            tensor, rule = self.to_neurons(operation, source, given, Format(0, law.levels, 1.0, 0))
            self.plan.firing[operation.name] = Firing(rule, None)
            output = self.emission.levels(path, tensor, law.levels, sizes, self.emitted(path, operation))
            self.give(operation, Format(0, law.levels, 1 / law.divisor), output)
            return
        bits = self.design.state_bits[path]
        state = state_of(law, bits, self.fraction(self.design.ranges.states[path], bits))
        self.plan.states[path] = state
        if isinstance(seen, Format) and seen.fraction is not None:
            tensor, rule, left = source, None, state.input_fraction - seen.fraction
        else:
            given, left = self.of_numbers(operation.name, seen) if isinstance(seen, Format) else seen, 0
            form = Format(*bounds(state.input_bits), 2.0**-state.input_fraction, state.input_fraction)
            tensor, rule = self.to_neurons(operation, source, given, form)
        self.plan.firing[operation.name] = Firing(rule, state, left)
        output = self.emission.fire(path, tensor, steps, left, sizes, self.emitted(path, operation))
        self.give(operation, Format(0, 1, 1.0), output)

    def emitted(self, path: str, operation: Operation) -> str:
        """What the spikes of a layer of neurons are called: after the layer where it is called once."""
        calls = [node for node in self.program.graph.of("neuron") if node.path == path]
        return f"{path if len(calls) == 1 else operation.name}:spikes"

    def to_neurons(self, operation: Operation, source: str, given: Sums, form: Format) -> tuple[str, Rescale]:
        """Sums in the format of their neurons."""
        name, rule = self.rule(operation.name, given, form, bits_of(form))
        return self.emission.rescale(name, source, f"{operation.name}:input"), rule

    def attend(self, operation: Attend) -> None:
        """Q (K^T V) of integers."""
        steps, tokens = self.program.graph.time_steps, (operation.tokens[0], operation.tokens[1], operation.tokens[1])
        read, forms = [], []
        for value, own in zip(operation.inputs, tokens, strict=True):
            name, form = self.number(value)
            inner = value.form.memory[len(operation.lead) + len(own) :]
            count, width = (int(np.prod([part.length(steps, 1) for part in parts])) for parts in (own, inner))
            read.append((name, [-1, count, operation.heads, width // operation.heads]))
            forms.append(form)
        self.emission.products("attend", read, operation.name)
        largest = math.prod(form.high for form in forms) * read[1][1][1] * read[0][1][3]
        self.give(operation, Format(0, largest, math.prod(form.step for form in forms)))

    def max_pool(self, operation: MaxPool) -> None:
        """The largest of bytes."""
        tensor, form = self.number(operation.inputs[0])
        seen, (k, s, p) = operation.map, (operation.kernel, operation.stride, operation.padding)
        out = [(size + 2 * p - k) // s + 1 for size in (seen.height, seen.width)]
        sides = {"kernel": [k, k], "stride": [s, s], "padding": [p, p], "dilation": [1, 1]}
        where = {"positions": [seen.height, seen.width], "channels": seen.channels, "out": out}
        self.emission.put("pool", operation.name, how="max", input=tensor, **sides, **where)
        self.give(operation, form)

    def reform(self, operation: Reform) -> None:
        """The same in another order."""
        (given,) = operation.inputs
        tensor, form = self.number(given)
        self.emission.reordered(tensor, given.form.memory, operation.form.memory, operation.name)
        self.give(operation, form)

    def general(self, operation: General) -> None:
        """By rules of its own; the engine runs the same operations."""
        planned(self, operation)

    def output(self) -> None:
        """The logits."""
        value = self.program.output
        key, own = self.streams.key(value), self.program.by_name[value.source]
        if self.streams.sums(own) and key not in self.streams.name_of:
            sums, source = self.seen(value), self.plan.tensors[value.source]
        else:
            source, form = self.number(value)
            sums = self.of_numbers("logits", form)
            if form.fraction is not None and form.high == bounds(LOGIT_BITS)[1]:
                self.plan.logit_fraction = form.fraction
                self.emission.arranged_logical(source, value.form, "logits")
                return
        fraction = LOGIT_BITS - 2 - int(np.frexp(sums.peak)[1])
        form = Format(*bounds(LOGIT_BITS), 2.0**-fraction, fraction)
        name, self.plan.logits = self.rule("logits", sums, form, LOGIT_BITS)
        self.plan.logit_fraction = fraction
        self.emission.rescale(name, source, "logits:memory")
        self.emission.arranged_logical("logits:memory", value.form, "logits")


def ratio(before: object, after: object) -> float:
    """By what the unit of integers has changed between two kinds of them."""
    if not isinstance(before, Counted) or not isinstance(after, Counted):
        return 1.0
    if before.step is not None and after.step is not None:
        return 1.0 if before.step == after.step else after.step / before.step
    return math.prod(factor / divisor for factor, divisor in after.factors[len(before.factors) :])


def bits_of(form: Format) -> int:
    """The width of a signed format."""
    return form.high.bit_length() + 1


WORK: dict[type[Operation], Callable[..., None]] = {
    Encode: Planner.encode,
    Layer: Planner.layer,
    Depthwise: Planner.depthwise,
    HandOver: Planner.hand_over,
    Raise: Planner.raised,
    Add: Planner.add,
    Combine: Planner.combine,
    Total: Planner.total,
    Fire: Planner.fire,
    Attend: Planner.attend,
    MaxPool: Planner.max_pool,
    Reform: Planner.reform,
    General: Planner.general,
}
