"""A chip with every form of the datapath that it does not have, with units as wide as the designs need."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from costmodels import datapaths
from costmodels.estimation.candidates import Candidates
from costmodels.hardware.hardware import Hardware
from costmodels.widths import WIDEST_INTEGER

REFERENCE = 8
"""Width of the weights that savings are stated against [bit]."""
LANES = 16
"""Inputs that a bit-serial unit adds up before a write, as in Stripes (Judd et al., MICRO 2016)."""
SMALLEST = 2
"""Narrowest part of a decomposable unit [bit], as in Bit Fusion (Sharma et al., ISCA 2018)."""


def variants(candidates: Candidates, hardware: Hardware) -> Iterator[tuple[str, str, Hardware]]:
    """Name, unit in words and chip: the chip as it is, and with every form that it does not have."""
    own = hardware.datapath
    yield own, _unit(hardware), hardware
    weights, inputs = _widest(candidates, hardware)
    for form in datapaths.names():
        if form != own:
            chip = hardware.with_datapath({"form": form, **_numbers(form, weights, inputs)})
            yield form, _unit(chip), chip


def _widest(candidates: Candidates, hardware: Hardware) -> tuple[int, int]:
    """The widest integer weight of the designs and the reference, and the widest input, as powers of two [bit]."""
    weights, inputs = REFERENCE, 1.0
    for work, designs, _ in candidates.parts:
        bits = np.asarray(designs.weight_bits)
        weights = max(weights, int(bits[bits <= WIDEST_INTEGER].max(initial=0)))
        multiplied = work.columns["input_bits"][work.geometry.multiplies]
        between = np.asarray(1 if designs.activation_bits is None else designs.activation_bits)
        inputs = max(inputs, float(multiplied.max(initial=1.0)), float(between.max()))
    return 2 ** math.ceil(math.log2(weights)), 2 ** math.ceil(math.log2(inputs))


def _numbers(form: str, weights: int, inputs: int) -> dict[str, Any]:
    """The numbers that a form needs, for units of that many bits."""

    def stated(value: float, unit: str = "bit") -> dict[str, Any]:
        return {"value": value, "unit": unit, "source": "as wide as the widest operands of the designs"}

    if form == "bit_serial":
        return {"lanes": stated(LANES, "1") | {"source": "Stripes, MICRO 2016"}}
    if form == "ideal":
        return {}
    unit = {"weight_bits": stated(weights), "input_bits": stated(inputs)}
    if form == "decomposable":
        unit["smallest_bits"] = stated(min(SMALLEST, weights)) | {"source": "Bit Fusion, ISCA 2018"}
    return unit


def _unit(hardware: Hardware) -> str:
    chip = hardware.chip
    whole = f"{chip.unit_weight_bits:g} x {chip.unit_input_bits:g} bit"
    return {
        "bit_serial": f"1 bit of {chip.serial_lanes:g} weights",
        "fixed": whole,
        "decomposable": f"{whole}, down to {chip.unit_smallest_bits:g}",
    }.get(hardware.datapath, "every width its own")
