"""An operation over integers and numbers, with what it takes in the order of the graph's axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sviT_models.engine.fixed_point.emission import shape_of
from sviT_models.engine.fixed_point.plan import Format
from sviT_models.engine.program import General
from sviT_models.engine.values import Integers as Counted
from sviT_models.engine.values import Value

if TYPE_CHECKING:
    from sviT_models.engine.fixed_point.planner import Planner


class Operands:
    """An operation over integers and numbers, with what it takes in the order of the graph's axes."""

    def __init__(self, planner: Planner, operation: General, read: Sequence[tuple[str, Format]]) -> None:
        self.planner, self.operation, self.node = planner, operation, operation.node
        self.names, self.forms = [name for name, _ in read], [form for _, form in read]
        self.emission, self.output = planner.emission, operation.name
        self.shape = [self.sizes(value) for value in operation.inputs]

    def sizes(self, value: Value) -> list[int]:
        """Lengths of the axes of a value."""
        return shape_of(self.planner.program, value.form.axes)

    def logical(self, which: int = 0) -> str:
        """A tensor in the order of the axes."""
        name, value = self.names[which], self.operation.inputs[which]
        if value.form.memory == value.form.logical:
            return name
        return self.emission.arranged_logical(name, value.form, f"{self.output}:{which}")

    def moved(self, tensor: str, shape: Sequence[int], order: Sequence[int], output: str) -> str:
        """Axes in another order."""
        return self.emission.arrange(tensor, shape, order, [shape[i] for i in order], output)

    def stored(self, tensor: str, order: Sequence[int]) -> str:
        """A tensor that holds the axes of the result in another order, in the order of memory."""
        form = self.operation.form
        axes = [form.axes[i] for i in order]
        memory = tuple(part for axis in axes for part in axis)
        return self.emission.reordered(tensor, memory, form.memory, self.output)

    def give(self, form: Format) -> None:
        """What comes out."""
        self.planner.give(self.operation, form)

    @property
    def whole(self) -> bool:
        """Whether the result is integers that have no format."""
        return isinstance(self.operation.kind, Counted)

    def formatted(self, which: int, form: Format, factor: float = 1.0) -> str:
        """An input in the format of the stream of the result."""
        if self.forms[which] == form and factor == 1:
            return self.logical(which)
        source = self.logical(which)
        sums = self.planner.of_numbers(f"{self.output}:in{which}", self.forms[which])
        sums = replace(sums, gain=sums.gain * factor)
        name, _ = self.planner.rule(self.output, sums, form, form.high.bit_length() + 1)
        return self.emission.rescale(name, source, f"{self.output}:in{which}")

    def own_format(self) -> Format:
        """The format of the result."""
        return self.planner.format_of((self.output, ()))
