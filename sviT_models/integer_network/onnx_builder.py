"""An ONNX graph as it is built: operators of the standard on int64, and what the integer network makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorAnnotation, TensorProto, helper, numpy_helper

FAR = 62  # places of the number that keeps what is shifted positive; ONNX divides towards zero
Values = Sequence[int] | NDArray[Any] | int


@dataclass(eq=False)
class Builder:
    """Operators and constants in order; every method that makes a tensor returns its name."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, TensorProto] = field(default_factory=dict)
    types: list[TensorAnnotation] = field(default_factory=list)

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """The only output of an operator."""
        made = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [made], **attributes))
        return made

    def constant(self, values: Values, name: str | None = None) -> str:
        """A constant, int64 where it has no type of its own; equal ones without a name are one."""
        array = np.asarray(values, dtype=None if isinstance(values, np.ndarray) else np.int64)
        made = name or f"c{array.dtype.name}{list(array.shape)}{array.ravel().tolist()}".replace(" ", "")
        if made not in self.constants:
            self.constants[made] = numpy_helper.from_array(array, made)
        return made

    def annotate(self, tensor: str, datatype: str) -> None:
        """The QONNX datatype of a tensor, such as INT4."""
        made = TensorAnnotation(tensor_name=tensor)
        made.quant_parameter_tensor_names.add(key="finn_datatype", value=datatype)
        self.types.append(made)

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """Its elements in order in another shape, of which one size may be -1."""
        return self.op("Reshape", x, self.constant(list(shape)))

    def cast(self, x: str, to: int) -> str:
        """The same numbers in another type."""
        return self.op("Cast", x, to=to)

    def clip(self, x: str, low: int, high: int) -> str:
        """Limited to a range."""
        return self.op("Clip", x, self.constant(low), self.constant(high))

    def shift_right(self, x: str, places: Values) -> str:
        """Floor of x / 2^places, which no ONNX operator is for signed integers; x below 2^62."""
        right = np.asarray(places, np.int64)
        raised = self.op("Add", x, self.constant(1 << FAR))
        halved = self.op("Div", raised, self.constant(np.asarray(np.left_shift(np.int64(1), right))))
        return self.op("Sub", halved, self.constant(np.asarray(np.right_shift(np.int64(1 << FAR), right))))

    def slice(self, x: str, axes: Sequence[int], starts: Values, stops: Values, steps: Values | None = None) -> str:
        """Parts of some axes."""
        given = [self.constant(np.asarray(v, np.int64)) for v in (starts, stops, axes)]
        return self.op("Slice", x, *given, *([] if steps is None else [self.constant(np.asarray(steps, np.int64))]))

    def pad(self, x: str, sides: Sequence[Sequence[int]], value: int) -> str:
        """With borders of one value."""
        if not np.any(sides):
            return x
        ends = [s[0] for s in sides] + [s[1] for s in sides]
        return self.op("Pad", x, self.constant(ends), self.constant(value))

    def product(self, a: str, b: str) -> str:
        """The matrix product, in float64, where it is exact: no sum of the integer network reaches 2^53."""
        made = self.op("MatMul", self.cast(a, TensorProto.DOUBLE), self.cast(b, TensorProto.DOUBLE))
        return self.cast(made, TensorProto.INT64)
