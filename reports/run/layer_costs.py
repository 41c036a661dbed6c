"""The costs of one design layer by layer, from its rows of breakdown.csv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from reports.number_text import short_names
from reports.run.rows import LayerRow

DRAM, LEAKAGE = "dram", "leakage"
SPIKING, MULTIBIT = "on chip, spiking rows", "on chip, multi-bit rows"  # of energy_parts.csv
Band = tuple[float, float] | None


@dataclass(frozen=True)
class LayerCost:
    """A layer of one design: energy and time of all steps [SI], and the resource that sets the time.

    `off_chip_j` and `static_j` are the parts of the energy for DRAM and for leakage; `spiking` says what the input is;
    `energy_band` and `off_chip_band` are least and greatest over all variations, None where the run does not say.
    """

    layer: str
    stage: str
    spiking: bool
    energy_j: float
    off_chip_j: float
    static_j: float
    time_s: float
    binding: str
    energy_band: Band = None
    off_chip_band: Band = None


def layer_costs(
    table: pd.DataFrame, layers: tuple[LayerRow, ...], bands: Mapping[tuple[str, str], tuple[float, float]]
) -> tuple[LayerCost, ...]:
    """The layers of the design of `table` in network order; nothing in older runs, whose files have no times.

    `bands` are those of the design by layer and component, where an empty component is all of them.
    """
    if not (table["quantity"] == "time_s").any():
        return ()
    found: dict[str, dict[str, dict[str, float]]] = {}
    for (layer, quantity, component), value in table.groupby(["layer", "quantity", "component"])["value"].sum().items():
        found.setdefault(layer, {}).setdefault(quantity, {})[component] = float(value)
    short = short_names(layer.name for layer in layers)
    costs = (
        (layer.name, _cost(layer, short[layer.name], found[layer.name])) for layer in layers if layer.name in found
    )
    return tuple(
        replace(cost, energy_band=bands.get((name, "")), off_chip_band=bands.get((name, DRAM))) for name, cost in costs
    )


def _cost(row: LayerRow, name: str, parts: Mapping[str, Mapping[str, float]]) -> LayerCost:
    """One layer from its parts by quantity and component."""
    energies, times = parts.get("energy_j", {}), parts.get("time_s", {})
    return LayerCost(
        layer=name,
        stage=row.stage,
        spiking=row.input == "spike",
        energy_j=sum(energies.values()),
        off_chip_j=energies.get(DRAM, 0.0),
        static_j=energies.get(LEAKAGE, 0.0),
        time_s=sum(times.values()),
        binding=max(times, key=lambda component: times[component]) if times else "",
    )
