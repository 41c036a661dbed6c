"""The same designs under every form of the datapath: how much of a saving the form decides."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from costmodels import datapaths
from costmodels.errors import CostError
from costmodels.estimation.candidates import Candidates
from costmodels.estimation.designs import Designs
from costmodels.hardware.compute import IntegerCompute
from costmodels.hardware.hardware import Hardware
from costmodels.widths import WIDEST_INTEGER

if TYPE_CHECKING:
    import pandas as pd

REFERENCE = 8
"""Width of the weights that savings are stated against [bit]."""
LANES = 16
"""Inputs that a bit-serial unit adds up before a write, as in Stripes (Judd et al., MICRO 2016)."""
SMALLEST = 2
"""Narrowest part of a decomposable unit [bit], as in Bit Fusion (Sharma et al., ISCA 2018)."""


def forms(candidates: Candidates, hardware: Hardware, *, frame_rate: float | None = None) -> pd.DataFrame:
    """What each design saves against 8-bit weights in every layer, under every form of the datapath.

    candidates  the N designs
    hardware    the chip; its own datapath comes first, then the forms that it does not have, with units as wide as the
                widest operands among the designs
    frame_rate  inferences per second, for `feasible`; default: the hardware file's

    Columns: design, form, unit, energy_j, latency_s, `energy_saving` and `latency_saving` (shares of what the same
    design needs with 8-bit weights: same steps, potentials and spikes), feasible.  Raises CostError where the file
    states energies per operation.
    """
    import pandas as pd

    if not isinstance(hardware.file.compute, IntegerCompute):
        raise CostError(
            f"{hardware.name} states energies per operation, which no datapath explains: "
            "widths change what fits there, not the energy of an operation"
        )
    candidates = candidates.settled()
    same = Candidates(tuple(part._replace(designs=_at_reference(part.designs)) for part in candidates.parts))
    rows = []
    for form, unit, chip in variants(candidates, hardware):
        cost, wide = (each.costs(chip, frame_rate=frame_rate) for each in (candidates, same))
        for place, name in enumerate(candidates.names):
            rows.append(
                {
                    "design": name,
                    "form": form,
                    "unit": unit,
                    "energy_j": float(cost.energy_j[place]),
                    "latency_s": float(cost.latency_s[place]),
                    "energy_saving": 1 - float(cost.energy_j[place] / wide.energy_j[place]),
                    "latency_saving": 1 - float(cost.latency_s[place] / wide.latency_s[place]),
                    "feasible": bool(cost.feasible[place]),
                }
            )
    return pd.DataFrame(rows).sort_values("design", kind="stable", key=_order(candidates.names), ignore_index=True)


def _at_reference(designs: Designs) -> Designs:
    return replace(designs, weight_bits=np.full_like(np.asarray(designs.weight_bits), REFERENCE))


def _order(names: tuple[str, ...]) -> Any:
    places = {name: place for place, name in enumerate(names)}
    return lambda column: column.map(places)


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
