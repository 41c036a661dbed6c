"""Widths beside those of weights as the cost models take them: of potentials, residual streams and sums between layers.

Arrays are by row of the layer table, or by addition for streams; what a design leaves open has the width of the chip
(potentials) or of the layer table (streams and sums).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from costmodels import Workload
from dse.arrays import FloatArray, IntArray
from dse.problem.design import FLOAT, Design
from dse.problem.space import Space

OtherWidths = dict[str, Any]  # arguments of costmodels.Designs: arrays (N, rows) or (N, additions)


def widths_of_designs(workload: Workload, designs: Sequence[Design], chip_bits: int) -> OtherWidths:
    """Other widths of N designs of one form; `chip_bits` are those of the chip's potentials.

    Potentials that a design leaves open have 32 bit where its weights are float.
    """
    found: OtherWidths = {}
    if any(d.state_bits for d in designs):
        found["state_bits"] = np.stack([_states(workload, d, chip_bits) for d in designs])
    for kind, (name, places, usual) in _numbers(workload).items():
        given = [d.other_bits[kind] for d in designs]
        if any(given):
            found[name] = np.stack([_filled(places, usual, each) for each in given])
    return found


def widths_of_levels(workload: Workload, space: Space, levels: IntArray, chip_bits: int) -> OtherWidths:
    """Other widths of levels (N, D) of the space of one form."""
    found: OtherWidths = {}
    if states := space.other_widths("state", levels):
        found["state_bits"] = _filled(workload.stages, np.full(workload.rows, chip_bits), states).astype(np.int64)
    for kind, (name, places, usual) in _numbers(workload).items():
        if given := space.other_widths(kind, levels):
            found[name] = _filled(places, usual, given)
    return found


def _numbers(workload: Workload) -> dict[str, tuple[str, Sequence[str], FloatArray]]:
    """For streams and for sums between layers: what costmodels.Designs calls their widths, the stage or stream of every
    place, and its usual width [bit].
    """
    starts = tuple(workload.stages[each.begins] for each in workload.streams or ())
    return {
        "stream": ("stream_bits", starts, workload.shortcuts.bits),
        "between": ("activation_bits", workload.stages, workload.columns["input_bits"]),
    }


def _filled(places: Sequence[str], usual: Any, given: Mapping[str, Any]) -> Any:
    """Widths by place, (..., places): the given ones of its stage or stream, (...) each, and the usual elsewhere."""
    shape = np.broadcast_shapes(*(np.shape(bits) for bits in given.values()))
    parts = [np.broadcast_to(given.get(place, own), shape) for place, own in zip(places, usual, strict=True)]
    return np.stack(parts, axis=-1)


def _states(workload: Workload, design: Design, chip_bits: int) -> IntArray:
    own = np.full(workload.rows, chip_bits)
    own[workload.weight_rows[design.widths == FLOAT]] = FLOAT
    return np.asarray(_filled(workload.stages, own, design.state_bits))
