"""The nodes of an export, one function for each kind; docs/export-format.md has their keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sviT_models.engine.fixed_point.plan import Format, Node, Plan
from sviT_models.engine.forms import Form, Group, Part, fresh, is_batch
from sviT_models.engine.program import Program
from sviT_models.graph.graph import Shape

Sizes = Sequence[int]
Read = tuple[str, Sizes]  # a tensor and the shape in which an operation sees it


def sizes_of(program: Program, parts: Iterable[Part]) -> list[int]:
    """Lengths of parts, -1 for the images of a batch."""
    steps = program.graph.time_steps
    return [-1 if is_batch(part) else part.length(steps, 1) for part in parts]


def shape_of(program: Program, axes: Iterable[Group]) -> list[int]:
    """Lengths of axes, -1 for the one that holds the images."""
    found = []
    for axis in axes:
        size = 1
        for length in sizes_of(program, axis):
            size = -1 if -1 in (size, length) else size * length
        found.append(size)
    return found


class Kernel(NamedTuple):
    """How a layer's kernel moves over a map."""

    stride: Sizes = (1, 1)
    padding: Sizes = (0, 0)
    dilation: Sizes = (1, 1)
    groups: int = 1


@dataclass(eq=False)
class Emission:
    """Appends to the nodes of a plan; between `begin` and `end` also to those of one operation."""

    plan: Plan
    _own: list[Node] | None = field(default=None)

    def begin(self, operation: str) -> None:
        """From here on nodes belong to an operation."""
        self._own = self.plan.own.setdefault(operation, [])

    def end(self) -> None:
        """From here on they do not."""
        self._own = None

    def put(self, op: str, output: str, **keys: object) -> str:
        """Append a node; its output."""
        node: Node = {"op": op, **{key: _plain(value) for key, value in keys.items()}, "output": output}
        self.plan.nodes.append(node)
        if self._own is not None:
            self._own.append(node)
        return output

    def conv(self, layer: str, label: str, tensor: str, positions: Sizes, kernel: Kernel) -> str:
        """Sums of a layer; its parameters are the keys of the node."""
        return self.put("conv", f"{label}:sums", layer=layer, input=tensor, positions=positions, **kernel._asdict())

    def rescale(self, constants: str, tensor: str, output: str, add: str = "") -> str:
        """A multiply-shift."""
        more = {"add": add} if add else {}
        return self.put("rescale", output, constants=constants, input=tensor, **more)

    def added(self, read: Sequence[Read], form: Format, output: str) -> str:
        """Numbers of one format added, clipped to it."""
        names, shapes = zip(*read, strict=True)
        return self.put("combine", output, how="add", inputs=names, shapes=shapes, low=form.low, high=form.high)

    def combine(self, how: str, read: Sequence[Read], output: str) -> str:
        """Integers added or multiplied."""
        names, shapes = zip(*read, strict=True)
        return self.put("combine", output, how=how, inputs=names, shapes=shapes)

    def products(self, op: str, read: Sequence[Read], output: str) -> str:
        """Products of matrices, or attention."""
        names, shapes = zip(*read, strict=True)
        return self.put(op, output, inputs=names, shapes=shapes)

    def sum(self, tensor: str, shape: Sizes, axes: Sizes, output: str, layer: str = "") -> str:
        """Sums over axes; of a layer's sums, `layer` is its name."""
        more = {"layer": layer} if layer else {}
        return self.put("sum", output, input=tensor, shape=shape, axes=axes, **more)

    def fire(self, name: str, tensor: str, steps: int, left: int, shape: Sizes, output: str) -> str:
        """Spiking neurons."""
        return self.put("fire", output, name=name, input=tensor, steps=steps, left_shift=left, shape=shape)

    def levels(self, name: str, tensor: str, levels: int, shape: Sizes, output: str) -> str:
        """Integer neurons, whose levels the rescale before them gave."""
        return self.put("levels", output, name=name, input=tensor, levels=levels, shape=shape)

    def arrange(self, tensor: str, sizes: Sizes, order: Sizes, wanted: Sizes, output: str) -> str:
        """Axes in another order, repeated where they have one element and more are wanted."""
        return self.put("arrange", output, input=tensor, **{"from": sizes}, order=order, sizes=wanted)

    def reordered(self, tensor: str, before: Group, after: Group, output: str) -> str:
        """Memory in another order; parts that it lacked are repeated."""
        missing = [part for part in after if part not in before]
        place = {part: i for i, part in enumerate((*before, *missing))}
        sizes = [*sizes_of(self.plan.program, before), *[1] * len(missing)]
        wanted = sizes_of(self.plan.program, after)
        return self.arrange(tensor, sizes, [place[part] for part in after], wanted, output)

    def arranged_logical(self, tensor: str, form: Form, output: str) -> str:
        """Memory in the order of the graph's axes."""
        return self.reordered(tensor, form.memory, form.logical, output)

    def arranged_memory(self, tensor: str, shape: Shape, form: Form, output: str) -> str:
        """The order of the graph's axes in that of memory."""
        assert len(fresh(shape).logical) == len(form.logical)
        return self.reordered(tensor, form.logical, form.memory, output)


def _plain(value: object) -> object:
    """A value as JSON has it."""
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
