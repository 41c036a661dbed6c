"""What designs cost on many chips at once: chips that differ in numbers only are costed together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodels.equations.chips import Chips, alike
from costmodels.estimation.cost import Cost, joined
from costmodels.estimation.designs import Designs, Places
from costmodels.estimation.estimate import assemble, estimate
from costmodels.estimation.gather import gather
from costmodels.estimation.request import Request, request
from costmodels.estimation.row_costs import SUMMED
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload

_FEW = 16  # designs with the same activity from which a table of each chip costs less


def groups(chips: Sequence[Hardware]) -> Iterator[tuple[Places, list[Hardware]]]:
    """Chips that can be costed together, with their places among all."""
    found: dict[Any, list[int]] = {}
    for place, each in enumerate(chips):
        found.setdefault((each.dataflow, each.weight_widths, alike(each.chip)), []).append(place)
    for places in found.values():
        yield np.array(places, dtype=np.intp), [chips[place] for place in places]


def on_chips(workload: Workload, chips: Sequence[Hardware], designs: Designs, frame_rate: float | None) -> Cost:
    """The cost of N designs on each of H chips of a group, arrays (H, N), as `estimate` without the components.

    workload    the layer table with the measured activity
    chips       the H chips
    designs     the N designs
    frame_rate  inferences per second; default: the hardware file's

    Raises CostError as `estimate` does.
    """
    parts = []
    for places, own in designs.by_time_steps():
        one = request(workload, chips[0], own, frame_rate)
        at = np.arange(len(chips))[:, None] * len(designs) + places
        if one.nothing_in_common or one.designs <= _FEW:
            asked = repeated(one, chips)
            parts.append((at.reshape(-1), assemble(asked, SUMMED, gather(asked, SUMMED))))
            continue
        for place, chip in zip(at, chips, strict=True):
            parts.append((place, estimate(workload, chip, own, frame_rate=frame_rate, components=False)))
    return joined(parts, (len(chips), len(designs)))


def repeated(one: Request, chips: Sequence[Hardware]) -> Request:
    """A request for the same designs once for every chip of a group."""
    index = np.tile(np.arange(one.designs), len(chips))

    def again(values: NDArray[Any] | None) -> Any:
        return values if values is None or len(values) == 1 else values[index]

    return replace(
        one,
        shape=(len(chips), one.designs),
        weight_bits=again(one.weight_bits),
        state_bits=again(one.state_bits),
        activation_bits=again(one.activation_bits),
        stream_bits=again(one.stream_bits),
        sum_bits=again(one.sum_bits),
        activity=one.activity[(index,)] if one.own_activity else one.activity,
        chips=Chips.of([each.chip for each in chips], one.designs),
    )
