"""A design as integers: every constant of the fixed-point network, and its operations in order."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from sviT_models.engine.fixed_point.streams import Key, Streams
from sviT_models.engine.number_formats import GUARD, Rescale, State
from sviT_models.engine.program import Program

LOGIT_BITS = 24
Node = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """Integers from `low` to `high`, one of which is worth `step`; `fraction` where that is 2^-fraction by choice."""

    low: int
    high: int
    step: float
    fraction: int | None = None


@dataclass(frozen=True)
class Firing:
    """How a layer of neurons sees its input: through `rule`, or, None, as numbers that are shifted to the left.

    `state` is None for integer neurons, whose rule gives their level.
    """

    rule: Rescale | None
    state: State | None
    left: int = 0


@dataclass(eq=False)
class Plan:
    """The integer network of one design at one image size.

    `rescales` are named after the layer whose sums they take, or after the operation that wants numbers in another
    format; `states` after their neuron layers; `largest` bounds every layer's accumulator (low, high). `nodes` are the
    operations as docs/export-format.md defines them, `own` those of the operations of the program that have no faster
    form, and what they read. The engine finds its rules by operation, and those of the numbers of a stream by key.
    """

    program: Program
    streams: Streams
    image: Format
    rescales: dict[str, Rescale] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    largest: dict[str, tuple[int, int]] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    own: dict[str, list[Node]] = field(default_factory=dict)
    reads: dict[str, list[str]] = field(default_factory=dict)
    formats: dict[str, Format] = field(default_factory=dict)
    rounded: dict[Key, Rescale] = field(default_factory=dict)  # into the format of a stream
    handed: dict[str, Rescale] = field(default_factory=dict)
    firing: dict[str, Firing] = field(default_factory=dict)
    logits: Rescale | None = None  # of the last sums or numbers; None where they are in their format
    logit_fraction: int = 0
    tensors: dict[str, str] = field(default_factory=dict)  # by operation

    @cached_property
    def constants(self) -> dict[str, Any]:
        """Steps, neurons and multiply-shifts as an export has them."""
        states = {
            name: {"bits": s.bits, "fraction": s.fraction, "threshold": s.threshold, "guard": GUARD, **asdict(s.leak)}
            | {"strict": s.strict, "subtract": s.subtract, "delayed": s.delayed}
            for name, s in self.states.items()
        }
        rescales = {n: {"low": r.low, "high": r.high, "fraction": r.fraction} for n, r in self.rescales.items()}
        return {"time_steps": self.program.graph.time_steps, "states": states, "rescales": rescales}
