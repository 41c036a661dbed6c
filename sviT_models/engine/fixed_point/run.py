"""One batch on its way through the fixed-point network: what `Run` does, on integers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sviT_models.engine.fixed_point.plan import Plan
from sviT_models.engine.number_formats import Rescale
from sviT_models.engine.prepared_weights import Array
from sviT_models.engine.program import Operation
from sviT_models.engine.run import Deferred, Pending, Run
from sviT_models.engine.values import PLANES, Value
from sviT_models.engine.values import Integers as Counted


@dataclass(eq=False)
class FixedRun(Run):
    """A Run with the constants of `plan`; numbers are integers in the formats that it says.

    `emitted`, if given, takes what every neuron layer emits, by the tensor of the plan, in the order of its memory.
    """

    plan: Plan = field(kw_only=True)
    emitted: dict[str, NDArray[np.int64]] | None = field(default=None, kw_only=True)

    def number(self, value: Value) -> Array:
        """The integers that stand for numbers, in the format of their stream where they have one."""
        entry = self.held[value.source]
        if isinstance(value.kind, Counted):
            return entry
        key = self.plan.streams.key(value)
        rule = self.plan.rounded.get(key) if key == (value.source, value.norms) else None
        if isinstance(entry, Pending) and entry.rest is not None and entry.value is not None:
            rule = self.plan.rounded[self.plan.streams.key(entry.value)]
        if rule is None or isinstance(entry, Rounded):
            return entry.numbers if isinstance(entry, Rounded) else entry
        if isinstance(entry, Pending | Deferred):
            sums, rest = self.sums(value), getattr(entry, "rest", None)
        else:
            sums, rest = self.shaped(entry, value.form), None
        found = self.rounded(sums, rest, rule)
        if rest is not None:
            self.held[value.source] = found
        return found

    def rounded(self, sums: Array, rest: Array | None, rule: Rescale) -> Array:
        """Sums through a rule, added to numbers of the same format, clipped to it."""
        x = rule.scaled(self.kernels.tensor(sums))
        if rest is not None:
            x = x + self.kernels.tensor(rest).reshape(len(rest), *x.shape[1:])
        return self.kernels.array(x.clamp(rule.low, rule.high).to(torch.int32))

    def tensor(self, value: Value, sums: bool) -> NDArray[np.int64]:
        """What the operations of the interpreter take."""
        entry = self.sums(value) if sums else self.number(value)
        if isinstance(value.kind, Counted) and value.kind.stored == PLANES:
            entry = self.kernels.merge(entry, np.full(entry.shape[-1], 2.0 ** (8 * len(entry) - 1)))
        found: NDArray[np.int64] = self.kernels.tensor(entry).numpy(force=True).astype(np.int64)
        return found

    def logits(self) -> NDArray[np.float32]:
        """See Run."""
        value, rule = self.program.output, self.plan.logits
        if rule is not None and self.plan.streams.sums(self.program.by_name[value.source]):
            x = rule.of(self.kernels.tensor(self.sums(value)))
        elif rule is not None:
            numbers = self.kernels.tensor(self.number(value))
            x = rule.of(numbers.reshape(-1, 1))
        else:
            x = self.kernels.tensor(self.number(value)).double()
        found: NDArray[np.float32] = (
            (self.logical(x, value.form) * 2.0**-self.plan.logit_fraction).float().numpy(force=True)
        )
        return found

    def fired(self, operation: Operation, path: str, spikes: Any, counts: NDArray[np.int64]) -> None:
        """Note what a layer of neurons emits."""
        self.spikes[path] = self.spikes.get(path, 0) + counts
        if self.emitted is not None:
            self.emitted[self.plan.tensors[operation.name]] = (
                self.kernels.tensor(spikes).numpy(force=True).astype(np.int64)
            )


@dataclass(frozen=True, eq=False)
class Rounded:
    """Numbers of a stream in the place of the sums that they were."""

    numbers: Array


class Tensors(dict[str, NDArray[np.int64]]):
    """The constants of a plan and the codes of layers, by the names that an export has for them."""

    def __init__(self, run: FixedRun) -> None:
        super().__init__()
        self.run = run

    def __missing__(self, name: str) -> NDArray[np.int64]:
        owner, _, part = name.rpartition(".")
        if part == "weight":
            return codes_of(self.run.weights.integers[owner])
        found: NDArray[np.int64] = getattr(self.run.plan.rescales[owner], part)
        return found


def codes_of(weight: Any) -> NDArray[np.int64]:
    """The codes (O, C / groups, k, l) of a layer; linear and one-dimensional ones have sides of 1."""
    shape = weight.digits[0].shape
    codes: NDArray[np.int64] = weight.codes().reshape((*shape, *[1] * (4 - len(shape))))
    return codes
