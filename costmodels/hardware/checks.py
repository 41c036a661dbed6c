"""What the entries of a hardware file must agree on, beyond what its schema says of each."""

from __future__ import annotations

from costmodels import dataflows
from costmodels.errors import CostError
from costmodels.hardware.compute import IntegerCompute
from costmodels.hardware.schema import HardwareFile
from costmodels.widths import FLOAT, WIDEST_INTEGER


def check_agreement(file: HardwareFile) -> None:
    """Raise CostError, beginning with the key, for entries that do not fit each other or the data flow."""
    for memory in dataflows.named(file.dataflow).REQUIRES:
        if getattr(file.memories, memory) is None:
            raise CostError(f"memories.{memory} is missing; data flow {file.dataflow} needs it")
    _check_geometry(file)
    _check_choices(file)
    _check_stored_widths(file)


def _check_choices(file: HardwareFile) -> None:
    """Raise CostError for choices that the data flow does not have."""
    if file.still_image == "once" and file.dataflow != "tick_batched":
        raise CostError(f"still_image: data flow {file.dataflow} runs every layer in every step; leave it out")
    if file.clock_gating == "between_inferences" and dataflows.named(file.dataflow).PIPELINED:
        raise CostError(f"clock_gating: data flow {file.dataflow} waits for spikes at any time; leave it out")
    tree = isinstance(file.compute, IntegerCompute) and file.compute.reduction_inputs is not None
    if tree and dataflows.named(file.dataflow).PIPELINED:
        raise CostError(f"compute.reduction_inputs: data flow {file.dataflow} adds spike by spike; leave it out")


def _check_geometry(file: HardwareFile) -> None:
    """Raise CostError for an array that is not that of the processing elements, or that the data flow does not have."""
    shape = file.geometry
    if shape is None:
        return
    made, stated = shape.positions.value * shape.channels.value, file.processing_elements.value
    if made != stated:
        text = f"{shape.positions.value:g} positions x {shape.channels.value:g} channels are {made:g} elements"
        raise CostError(f"geometry: {text}, processing_elements is {stated:g}; expected the same number")
    if dataflows.named(file.dataflow).PIPELINED:
        raise CostError(f"geometry: data flow {file.dataflow} has a core per layer and no array; leave it out")


def _check_stored_widths(file: HardwareFile) -> None:
    """Raise CostError for a width that is neither one of integers nor that of float."""
    for bits in file.weight_widths:
        if WIDEST_INTEGER < bits < FLOAT:
            expected = f"expected 1 to {WIDEST_INTEGER} for integers, or {FLOAT} for float"
            raise CostError(f"weight_widths: {bits} is not supported; {expected}")
