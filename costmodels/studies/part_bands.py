"""Least and greatest energy of the parts of a design, by layer and component, over all variations of the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from costmodels.equations.energy import COMPONENTS
from costmodels.estimation.breakdown import row_energies
from costmodels.estimation.candidates import Candidates
from costmodels.estimation.efficiency import OFF_CHIP, STATIC
from costmodels.estimation.many_chips import groups
from costmodels.hardware.hardware import Hardware
from costmodels.studies.variations import variations
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

ALL = ""
"""Layer and stage of what is summed over layers, and component of what is summed over components."""
SPIKING, MULTIBIT = "on chip, spiking rows", "on chip, multi-bit rows"
"""Parts of the energy on the chip, beside the components."""
PER_SYNOP = "per synaptic operation"
"""Energy on the chip of the spiking rows over their operations: no part of the whole."""
COLUMNS = ("energy_j", "energy_low", "energy_high")
_PARTS = (*COMPONENTS, SPIKING, MULTIBIT, PER_SYNOP, ALL)
_ON_CHIP = [name not in (OFF_CHIP, STATIC) for name in COMPONENTS]


def part_bands(candidates: Candidates, hardware: Hardware) -> pd.DataFrame:
    """The energy of every part of N designs with its least and greatest over the variations of `stability`.

    candidates  the N designs
    hardware    the chip

    Columns: design, stage, layer, component, energy_j, energy_low, energy_high [J]. A part is a component of a layer, a
    layer with all components, the same of a stage or over all layers, or the whole; `stage`, `layer` or `component` is
    empty where it is all of them. Further components over all layers are the energy on the chip of rows with spikes
    and of rows with numbers, and that of one synaptic operation. Every sum is taken in one variation at a time: its
    ends lie within the sums of the ends of its terms.
    """
    import pandas as pd

    designs = candidates.settled()
    changed = [(designs, hardware), *((each.candidates, each.hardware) for each in variations(designs, hardware, 0))]
    tables = []
    for place, name in enumerate(designs.names):
        work, found = designs.one(place)[0], _on_chips(changed, place)
        layer, part = np.nonzero(found.max(axis=0))
        ends = dict(zip(COLUMNS, (found[0], found.min(axis=0), found.max(axis=0)), strict=True))
        stages = tuple(dict.fromkeys(work.stages))
        layers = np.array([*work.names, *(ALL for _ in stages), ALL])
        columns = {"stage": np.array([*work.stages, *stages, ALL])[layer], "layer": layers[layer]}
        columns |= {"component": np.array(_PARTS)[part]}
        values = {column: each[layer, part] for column, each in ends.items()}
        tables.append(pd.DataFrame({"design": name, **columns, **values}))
    return pd.concat(tables, ignore_index=True)


def _on_chips(changed: list[tuple[Candidates, Hardware]], place: int) -> FloatArray:
    """The parts of the design at one place, by variation, (V, R + stages + 1, parts) [J]."""
    same: dict[int, list[int]] = {}
    for at, (some, _) in enumerate(changed):
        same.setdefault(id(some), []).append(at)
    found: list[FloatArray] = [np.empty(0) for _ in changed]
    for places in same.values():
        work, design = changed[places[0]][0].one(place)
        for numbers, chips in groups([changed[at][1] for at in places]):
            for number, parts in zip(numbers, _parts(work, *row_energies(work, chips, design)), strict=True):
                found[places[number]] = parts
    return np.stack(found)


def _parts(work: Workload, energies: dict[str, FloatArray], operations: FloatArray) -> FloatArray:
    """The energies of layers, of stages behind them, and of all in the last row, by _PARTS, on each of H chips [J]."""
    own = np.stack([energies[name] for name in COMPONENTS], axis=-1)
    chips, stages = len(own), tuple(dict.fromkeys(work.stages))
    out = np.zeros((chips, work.rows + len(stages) + 1, len(_PARTS)))
    out[:, : work.rows, : len(COMPONENTS)] = own
    for place, stage in enumerate(stages, start=work.rows):
        rows = np.array(work.stages) == stage
        out[:, place, : len(COMPONENTS)] = own[:, rows].sum(axis=1)
    out[:, -1, : len(COMPONENTS)] = own.sum(axis=1)
    out[..., -1] = out.sum(axis=-1)
    on_chip, numbers = own[..., _ON_CHIP].sum(axis=-1), work.geometry.multibit
    spiking = on_chip[:, ~numbers].sum(axis=-1)
    out[:, -1, _PARTS.index(SPIKING)], out[:, -1, _PARTS.index(MULTIBIT)] = spiking, on_chip[:, numbers].sum(axis=-1)
    synops = float(operations[~numbers].sum())
    out[:, -1, _PARTS.index(PER_SYNOP)] = spiking / synops if synops > 0 else 0.0
    return out
