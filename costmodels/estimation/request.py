"""The arguments of an estimate: checked once, and brought into one form."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from costmodels import dataflows
from costmodels.equations.chip import Chip
from costmodels.equations.chips import Chips
from costmodels.errors import CostError
from costmodels.estimation.designs import Designs
from costmodels.estimation.given_widths import (
    MOST_SUM_BITS,
    WidthArray,
    check_known,
    flat,
    numbers,
    state_widths,
    widths,
)
from costmodels.hardware.hardware import Hardware
from costmodels.workload.activity import Activity
from costmodels.workload.propagation import activity_of
from costmodels.workload.workload import Workload

FloatArray = NDArray[np.float64]
Number = TypeVar("Number", np.uint8, np.float64)


class RowInputs(NamedTuple):
    """What rows are costed at: widths of weights (..., R), 0 where a row has none, activity, and where not None widths
    of potentials (..., R), of inputs between convolutions (..., R), of residual streams (..., A), and of accumulators
    as measured (..., R), 0 where unknown; and the chip, whose numbers may be arrays (..., 1).
    """

    weight_bits: FloatArray
    state_bits: FloatArray | None
    activity: Activity
    chip: Chip
    activation_bits: FloatArray | None = None
    stream_bits: FloatArray | None = None
    sum_bits: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Request:
    """Designs in flat form: `shape` is the batch shape (...), N its size.

    weight_bits  (N, L) or (1, L)
    state_bits   (N, R), (1, R) or None for the chip's own
    activation_bits, stream_bits  (N, R) and (N, A), (1, R) and (1, A), or None for the layer table's
    sum_bits     (N, R), (1, R) or None for the bound by shapes
    activity     arrays (R,), or (N, R) where designs bring their own
    chips        a chip for every design, like that of `hardware` but for some numbers; None where it is the same
    """

    workload: Workload
    hardware: Hardware
    shape: tuple[int, ...]
    weight_bits: WidthArray
    state_bits: WidthArray | None
    activation_bits: FloatArray | None
    stream_bits: FloatArray | None
    sum_bits: FloatArray | None
    activity: Activity
    frame_rate: float
    chips: Chips | None = None

    @cached_property
    def chip(self) -> Chip:
        """The chip of the designs; its numbers may be arrays (N,)."""
        return self.hardware.chip if self.chips is None else self.chips.for_designs()

    @property
    def designs(self) -> int:
        """N."""
        return math.prod(self.shape)

    @property
    def own_activity(self) -> bool:
        """Whether designs bring an activity each."""
        return bool(self.activity.shape)

    @property
    def nothing_in_common(self) -> bool:
        """Whether designs differ in more than widths of weights and potentials: their rows cannot be tabulated."""
        return self.own_activity or any(
            given is not None and len(given) > 1 for given in (self.activation_bits, self.stream_bits, self.sum_bits)
        )

    @property
    def common_widths(self) -> dict[str, FloatArray | None]:
        """Widths of inputs (R,), streams (A,) and accumulators (R,) that all designs share; None where not given."""
        given = {name: getattr(self, name) for name in ("activation_bits", "stream_bits", "sum_bits")}
        return {name: None if values is None else values[0] for name, values in given.items()}

    def rows(self, part: slice) -> RowInputs:
        """What the rows of a part of the designs are costed at, arrays (n, R)."""
        weights = some(self.weight_bits, part)
        states = None if self.state_bits is None else some(self.state_bits, part).astype(np.float64)
        activity = self.activity[part] if self.own_activity else self.activity
        numbers = self.activation_bits, self.stream_bits, self.sum_bits
        given = [None if values is None else some(values, part) for values in numbers]
        chip = self.chip if self.chips is None else self.chips.for_rows(part)
        return RowInputs(self.spread(weights), states, activity, chip, *given)

    def only(self, purpose: str) -> RowInputs:
        """What the rows of the one design are costed at, arrays (R,). Raises CostError for several designs."""
        if self.designs != 1:
            raise CostError(f"{purpose} for one design, not {self.designs}; call it once per design")
        one = self.rows(slice(0, 1))
        activity = one.activity[0] if one.activity.shape else one.activity
        widths_of = one.state_bits, one.activation_bits, one.stream_bits, one.sum_bits
        states, *numbers = (None if values is None else values[0] for values in widths_of)
        return RowInputs(one.weight_bits[0], states, activity, one.chip, *numbers)

    def spread(self, weight_bits: WidthArray) -> FloatArray:
        """Widths (n, L) at their rows, (n, R); 0 in rows without weights."""
        bits = np.zeros((len(weight_bits), self.workload.rows))
        bits[:, self.workload.weight_rows] = weight_bits
        return bits


def request(workload: Workload, hardware: Hardware, designs: Designs, frame_rate: float | None) -> Request:
    """What is asked of an estimate in one form, for designs that share their number of time steps.

    Raises CostError for shapes, widths and rates that cannot be.
    """
    dataflows.check_measured(hardware.dataflow, hardware.name, workload.columns)
    workload = _over_steps(workload, designs)
    rate = hardware.frame_rate if frame_rate is None else float(frame_rate)
    if not 0 < rate < float("inf"):
        raise CostError(f"frame_rate is {rate:g}; expected inferences per second, above 0")
    weights = widths(designs.weight_bits, len(workload.weight_rows), "weight_bits", "layer with weights")
    check_known(weights, workload)
    potentials = None if designs.state_bits is None else state_widths(designs.state_bits, workload, hardware)
    activity = _activity(workload, designs)
    if not len(designs):
        raise CostError("no designs; expected at least one")
    shape = designs.shape
    return Request(
        workload=workload,
        hardware=hardware,
        shape=shape,
        weight_bits=flat(weights, shape),
        state_bits=None if potentials is None else flat(potentials, shape),
        activation_bits=numbers(designs.activation_bits, workload.rows, shape, "activation_bits", "row"),
        stream_bits=numbers(designs.stream_bits, len(workload.streams or ()), shape, "stream_bits", "addition"),
        sum_bits=numbers(designs.sum_bits, workload.rows, shape, "sum_bits", "row", (0, MOST_SUM_BITS)),
        activity=activity.broadcast(shape).flat() if activity.shape else activity,
        frame_rate=rate,
    )


def settled(workload: Workload, designs: Designs) -> tuple[Workload, Designs]:
    """The layer table over the time steps of `designs`, which share their number, and the designs with their activity.

    Neither depends on the chip; `estimate` gives the same result with them and repeats less.  Raises CostError for
    time steps and spikes that cannot be.
    """
    workload = _over_steps(workload, designs)
    if designs.spikes is None:
        return workload, designs
    return workload, replace(designs, spikes=_activity(workload, designs))


def some(values: NDArray[Number], part: slice) -> NDArray[Number]:
    """The designs of a part; all of them share the one row where there is only one."""
    return values if len(values) == 1 else values[part]


def _over_steps(workload: Workload, designs: Designs) -> Workload:
    if designs.time_steps is None:
        return workload
    steps = np.unique(designs.time_steps)
    if len(steps) > 1:
        raise CostError(f"time_steps are {', '.join(map(str, steps))}; expected the same for all designs")
    if steps[0] % 1:
        raise CostError(f"time_steps is {steps[0]:g}; expected a whole number")
    return workload if steps[0] == workload.time_steps else workload.with_time_steps(int(steps[0]))


def _activity(workload: Workload, designs: Designs) -> Activity:
    if designs.spikes is None:
        return workload.activity
    return designs.spikes if isinstance(designs.spikes, Activity) else activity_of(workload, designs.spikes)
