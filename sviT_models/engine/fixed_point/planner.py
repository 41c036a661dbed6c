"""From a design to its plan, operation by operation: where the binary points lie, which constants follow from that."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from sviT_models.engine.fixed_point.emission import Kernel, sizes_of
from sviT_models.engine.fixed_point.formats import Formats, bits_of, ratio
from sviT_models.engine.fixed_point.general import planned
from sviT_models.engine.fixed_point.plan import LOGIT_BITS, Format, Plan
from sviT_models.engine.fixed_point.planned_neurons import fire
from sviT_models.engine.fixed_point.sums import Sums
from sviT_models.engine.number_formats import Rescale, bounds, right_shift
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
    Raise,
    Reform,
    Total,
)
from sviT_models.graph.graph import TIME


class Planner(Formats):
    """Walks over the operations of a program once; `plan` holds what it finds."""

    def made(self) -> Plan:
        """The plan."""
        for operation in self.program.operations:
            WORK[type(operation)](self, operation)
            self.emission.end()
        self.output()
        return self.plan

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
        kernel = Kernel((g.stride,) * 2, (g.padding,) * 2, groups=g.groups)
        self.emission.conv(operation.layer, sums.label, tensor, (seen.height, seen.width), kernel)

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
        self.emission.conv(
            operation.layer, sums.label, tensor, (seen.height, seen.width), Kernel(padding=(1, 1), groups=channels)
        )

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


WORK: dict[type[Operation], Callable[..., None]] = {
    Encode: Planner.encode,
    Layer: Planner.layer,
    Depthwise: Planner.depthwise,
    HandOver: Planner.hand_over,
    Raise: Planner.raised,
    Add: Planner.add,
    Combine: Planner.combine,
    Total: Planner.total,
    Fire: fire,
    Attend: Planner.attend,
    MaxPool: Planner.max_pool,
    Reform: Planner.reform,
    General: planned,
}
