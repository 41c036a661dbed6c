"""A design beside float, uniform widths and the equivalent non-spiking networks on the same chip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from costmodels.estimation.candidates import Candidates, Part
from costmodels.estimation.cost import Cost
from costmodels.estimation.designs import Designs
from costmodels.estimation.efficiency import bit_budgets
from costmodels.estimation.estimate import estimate
from costmodels.estimation.reasons import reasons
from costmodels.hardware.hardware import Hardware
from costmodels.studies.bands import energy_bands
from costmodels.studies.non_spiking import non_spiking, with_own_activity
from costmodels.widths import FLOAT
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = {"spiking": "", "non-spiking": " as QNN", "non-spiking, dense": " as dense QNN"}
BAND = ("energy_low", "energy_high")
COLUMNS = ("memory_bytes", "energy_j", "latency_s", "power_w", "throughput_power_w", "off_chip_bytes")


def comparisons(
    workload: Workload,
    hardware: Hardware,
    design: Designs | ArrayLike | None = None,
    *,
    widths: Sequence[int] = (8, 6, 4, 3, 2),
    frame_rate: float | None = None,
    bands: bool = False,
) -> pd.DataFrame:
    """The table a reviewer asks for: one row per network, with savings against float.

    workload    the layer table with the measured activity, which all rows but the design's keep
    hardware    the chip
    design      one design as for `estimate`; default: none
    widths      uniform weight widths [bit], a row each
    frame_rate  inferences per second; default: the hardware file's
    bands       whether columns `energy_low` and `energy_high` are added: least and greatest energy over the variations
                of `stability`

    Rows are `float`, `uniform 8` and so on, `design`, and for each but float `... as QNN` (zeros skipped) and
    `... as dense QNN`: the equivalent non-spiking network with the same weights. `ace` and `ns_ace` are bit budgets:
    products of operand widths, over all operations and over those that happen (Shen et al., CVPR 2024).
    `power_w` is None at a frame rate that the chip does not reach; `reasons` lists why a row is not `feasible`.
    """
    import pandas as pd

    designs = [(f"uniform {bits}", workload, Designs(bits)) for bits in widths]
    if design is not None:
        designs.append(("design", *with_own_activity(workload, Designs.of(design))))
    base = estimate(workload, hardware, FLOAT, frame_rate=frame_rate)

    def more(network: Workload, widths_of: Designs, cost: Cost) -> dict[str, object]:
        why = [] if bool(cost.feasible) else reasons(network, hardware, widths_of, frame_rate=frame_rate)
        return {"reasons": why, **_budgets(network, hardware, widths_of)}

    rows = [_row("float", workload, base, base) | more(workload, Designs(FLOAT), base)]
    for name, network, widths_of in designs:
        cost = estimate(network, hardware, widths_of, frame_rate=frame_rate)
        rows.append(_row(name, network, cost, base) | more(network, widths_of, cost))
        for suffix, dense in ((" as QNN", False), (" as dense QNN", True)):
            equivalent = non_spiking(network, dense=dense)
            own = Designs(widths_of.weight_bits)
            cost = estimate(equivalent, hardware, own, frame_rate=frame_rate)
            rows.append(_row(f"{name}{suffix}", equivalent, cost, base) | more(equivalent, own, cost))
    table = pd.DataFrame(rows)
    if bands:
        ends = _bands(workload, hardware, design, widths)
        for place, column in enumerate(BAND):
            table[column] = [ends[name][place] for name in table["network"]]
    return table


def _bands(
    workload: Workload, hardware: Hardware, design: Designs | ArrayLike | None, widths: Sequence[int]
) -> dict[str, tuple[float, float]]:
    """Least and greatest energy [J] by the name of the row; float comes last, as control is that of the first."""
    layers = len(workload.weight_layers)
    uniform = Designs(np.repeat(np.array([*widths, FLOAT])[:, None], layers, axis=1))
    names, parts = (
        [*(f"uniform {bits}" for bits in widths), "float"],
        [Part(workload, uniform, np.arange(len(uniform)))],
    )
    if design is not None:
        parts.append(Part(workload, replace(Designs.of(design), names=()), np.array([len(names)])))
        names.append("design")
    candidates = Candidates(tuple(parts))
    found: dict[str, tuple[float, float]] = {}
    for network, suffix in SUFFIXES.items():
        ends = energy_bands(candidates, hardware, network=network)
        found |= {f"{name}{suffix}": (low, high) for name, (low, high) in zip(names, ends.tolist(), strict=True)}
    return found


def _budgets(network: Workload, hardware: Hardware, design: Designs) -> dict[str, float]:
    found = bit_budgets(network, hardware, design)
    return {"ace": found.dense, "ns_ace": found.happening}


def _row(name: str, network: Workload, cost: Cost, base: Cost) -> dict[str, object]:
    values: dict[str, object] = {"network": name, "time_steps": network.time_steps}
    values |= {column: float(getattr(cost, column)) for column in COLUMNS}
    if bool(cost.violations["frame_rate"]):
        values["power_w"] = None  # at a rate that it does not reach a chip has no power
    values["memory_saving"] = 1 - float(cost.memory_bytes / base.memory_bytes)
    values["energy_saving"] = 1 - float(cost.energy_j / base.energy_j)
    values["feasible"] = bool(cost.feasible)
    return values
