"""Formats of the tensors of a plan, and the rules that take sums and numbers into them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from sviT_models.engine.fixed_point.emission import Emission
from sviT_models.engine.fixed_point.plan import LOGIT_BITS, Format, Plan
from sviT_models.engine.fixed_point.streams import Key, Streams
from sviT_models.engine.fixed_point.sums import Design, Sums
from sviT_models.engine.number_formats import Curve, Rescale, bounds, rescale
from sviT_models.engine.program import Operation
from sviT_models.engine.static_rules import norm_of
from sviT_models.engine.values import Integers as Counted
from sviT_models.engine.values import Value


class Formats:
    """The plan so far, the sums of its layers, and the tensors of streams that are written; what operations take."""

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
