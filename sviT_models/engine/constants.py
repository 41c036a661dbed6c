"""Gains, shifts and hand-over rules of one design, from its integer weights: a walk back from where they are used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np

from sviT_models.engine.arithmetic import Affine, Floats, HandOver, IntegerWeight, extremes_of, hand_over_of
from sviT_models.engine.forms import positions
from sviT_models.engine.prepared_weights import Weights
from sviT_models.engine.program import Depthwise, General, Layer, Operation, Program
from sviT_models.engine.program import HandOver as Hands
from sviT_models.engine.static_rules import norm_of
from sviT_models.engine.values import Integers, Value
from sviT_models.errors import ModelError

T = TypeVar("T")


class Extremes(NamedTuple):
    """Least and largest sum of every channel."""

    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Constants:
    """What follows from the weights of a design; made once for the widths of the layers it depends on."""

    program: Program
    weights: Weights

    def _once(self, key: tuple[object, ...], layers: tuple[str, ...], make: Callable[[], T]) -> T:
        known = self.weights.known
        place = id(self.program), *key, tuple(self.weights.bits[layer] for layer in layers)
        if place not in known:
            known[place] = make()
        found: T = known[place]
        return found

    def step(self, value: Value) -> float:
        """What one unit of integers is worth."""
        kind = value.kind
        if not isinstance(kind, Integers):
            raise TypeError(f"{value.source} is no integers")
        if kind.step is not None:
            return kind.step
        step: float = self._step_of(self.program.by_name[value.source])
        for factor, divisor in kind.factors:
            step = step * factor / divisor
        return step

    def _step_of(self, operation: Operation) -> float:
        if isinstance(operation, Hands):
            return self.hand_over(operation.inputs[0]).step
        own = [self._seen_step(value) for value in operation.inputs]
        if isinstance(operation, General) and operation.node.op in ("matmul", "product"):
            return own[0] * own[1]
        return own[0]

    def _seen_step(self, value: Value) -> float:
        return self.step(value) if isinstance(value.kind, Integers) else self.hand_over(value).step

    def affine(self, value: Value) -> Affine:
        """Gain and shift (C,) of a layer's sums, behind the norms that a value stands behind."""
        operation = self.program.by_name[value.source]
        layers = _layers_of(operation)
        return self._once(("affine", value.source, value.norms), layers, lambda: self._affine(operation, value.norms))

    def _affine(self, operation: Operation, norms: tuple[str, ...]) -> Affine:
        (given,) = operation.inputs
        if isinstance(operation, General) and operation.node.op == "pad":
            gain, shift = self.affine(given)
            if shift.any():
                raise ModelError(f"{operation.name}: zeros are put around sums with a constant, which are not zero")
        else:
            weight = self._weight(operation)
            if self._over_sums(operation):
                before = self.affine(given)
                gain = weight.scale * before.gain
                shift = weight.scale * before.shift * weight.codes().sum(1) + weight.bias
            else:
                gain, shift = weight.scale * self._seen_step(given), weight.bias
        for name in norms:
            scale, offset = self.norms[name]
            gain, shift = gain * scale, shift * scale + offset
        return Affine(*np.broadcast_arrays(gain, shift))

    def extremes(self, value: Value) -> Extremes:
        """Least and largest sums (C,) of a layer."""
        operation = self.program.by_name[value.source]
        return self._once(("extremes", value.source), _layers_of(operation), lambda: self._extremes(operation))

    def _extremes(self, operation: Operation) -> Extremes:
        (given,) = operation.inputs
        if isinstance(operation, General) and operation.node.op == "pad":
            return self.extremes(given)
        codes = self._weight(operation).codes()
        if self._over_sums(operation):
            before = self.extremes(given)
            return Extremes(*extremes_of(codes, before.low[:, None], before.high[:, None]))
        assert isinstance(given.kind, Integers)
        ends = np.array([[given.kind.low]]), np.array([[given.kind.high]])
        return Extremes(*extremes_of(codes, *ends))

    def hand_over(self, value: Value) -> HandOver:
        """How sums become the integers that the next layer sees."""
        layers = _layers_of(self.program.by_name[value.source])

        def make() -> HandOver:
            return hand_over_of(*self.affine(value), *self.extremes(value))

        return self._once(("hand over", value.source, value.norms), layers, make)

    def flat(self, value: Value, channels: int) -> Affine:
        """Gain and shift of values that have none of their own by channel."""
        gain = np.full(channels, self.step(value) if isinstance(value.kind, Integers) else 1.0)
        return Affine(gain, np.zeros(channels))

    def _weight(self, operation: Operation) -> IntegerWeight:
        return self.weights.integers[operation.layers[0]]

    @staticmethod
    def _over_sums(operation: Operation) -> bool:
        return not isinstance(operation.inputs[0].kind, Integers) and isinstance(operation, Depthwise | General)

    @cached_property
    def norms(self) -> dict[str, tuple[Floats, Floats]]:
        """Gain and shift of every batch norm of the graph."""
        return self._once(("norms",), (), self._norms)

    def _norms(self) -> dict[str, tuple[Floats, Floats]]:
        graph = self.program.graph
        return {node.name: norm_of(graph, node) for node in graph.of("norm")}


def _layers_of(operation: Operation) -> tuple[str, ...]:
    return getattr(operation.kind, "layers", ())


__all__ = ["Affine", "Constants", "Extremes", "Layer", "positions"]
