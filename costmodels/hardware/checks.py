"""What the entries of a hardware file must agree on, beyond what its schema says of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from costmodels import dataflows
from costmodels.errors import CostError
from costmodels.hardware.compute import IntegerCompute
from costmodels.hardware.schema import HardwareFile
from costmodels.widths import FLOAT, WIDEST_INTEGER


def check_agreement(file: HardwareFile) -> None:
    """Raise CostError, beginning with the key, for entries that do not fit each other or the data flow."""
    for mistake in disagreements(file):
        raise CostError(mistake)


def disagreements(file: HardwareFile) -> list[str]:
    """All entries that do not fit each other or the data flow, one line each that begins with the key."""
    missing = missing_memories(file.dataflow, vars(file.memories))
    return [*missing, *_geometry(file), *_choices(file), *_stored_widths(file)]


def missing_memories(dataflow: str, memories: Mapping[str, Any]) -> list[str]:
    """A line for every memory that a data flow needs and that is not there."""
    needed = dataflows.named(dataflow).REQUIRES
    return [
        f"memories.{memory} is missing; data flow {dataflow} needs it"
        for memory in needed
        if memories.get(memory) is None
    ]


def _choices(file: HardwareFile) -> Iterator[str]:
    """Choices that the data flow does not have."""
    if file.still_image == "once" and file.dataflow != "tick_batched":
        yield f"still_image: data flow {file.dataflow} runs every layer in every step; leave it out"
    if file.clock_gating == "between_inferences" and dataflows.named(file.dataflow).PIPELINED:
        yield f"clock_gating: data flow {file.dataflow} must accept spikes at any time; leave it out"
    tree = isinstance(file.compute, IntegerCompute) and file.compute.reduction_inputs is not None
    if tree and dataflows.named(file.dataflow).PIPELINED:
        yield f"compute.reduction_inputs: data flow {file.dataflow} adds spike by spike; leave it out"


def _geometry(file: HardwareFile) -> Iterator[str]:
    """An array that is not that of the processing elements, or that the data flow does not have."""
    shape = file.geometry
    if shape is None:
        return
    made, stated = shape.positions.value * shape.channels.value, file.processing_elements.value
    if made != stated:
        text = f"{shape.positions.value:g} positions x {shape.channels.value:g} channels are {made:g} elements"
        yield f"geometry: {text}, processing_elements is {stated:g}; expected the same number"
    if dataflows.named(file.dataflow).PIPELINED:
        yield f"geometry: data flow {file.dataflow} has a core per layer and no array; leave it out"


def _stored_widths(file: HardwareFile) -> Iterator[str]:
    """Widths that are neither those of integers nor that of float."""
    for bits in file.weight_widths:
        if WIDEST_INTEGER < bits < FLOAT:
            expected = f"expected 1 to {WIDEST_INTEGER} for integers, or {FLOAT} for float"
            yield f"weight_widths: {bits} is not supported; {expected}"
