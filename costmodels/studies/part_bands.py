"""Least and greatest energy of the parts of a design, by layer and component, over all variations of the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from costmodels.equations.energy import COMPONENTS
from costmodels.estimation.breakdown import row_energies
from costmodels.estimation.candidates import Candidates
from costmodels.estimation.efficiency import OFF_CHIP, STATIC
from costmodels.hardware.hardware import Hardware
from costmodels.studies.variations import variations

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

ALL = ""
"""Layer of what is summed over layers, and component of what is summed over components."""
SPIKING, MULTIBIT = "on chip, spiking rows", "on chip, multi-bit rows"
"""Parts of the energy on the chip, beside the components."""
COLUMNS = ("energy_j", "energy_low", "energy_high")
_PARTS = (*COMPONENTS, SPIKING, MULTIBIT, ALL)


def part_bands(candidates: Candidates, hardware: Hardware) -> pd.DataFrame:
    """The energy of every part of N designs with its least and greatest over the variations of `stability`.

    candidates  the N designs
    hardware    the chip

    Columns: design, layer, component, energy_j, energy_low, energy_high [J]. A part is a component of a layer, a layer
    with all components, a component over all layers, or the whole; `layer` or `component` is empty where it is all of
    them. Two further components over all layers are the energy on the chip of rows with spikes and of rows with
    numbers. Every sum is taken in one variation at a time: its ends lie within the sums of the ends of its terms.
    """
    import pandas as pd

    designs = candidates.settled()
    changed = [(designs, hardware), *((each.candidates, each.hardware) for each in variations(designs, hardware, 0))]
    tables = []
    for place, name in enumerate(designs.names):
        found = np.stack([_parts(some, chip, place) for some, chip in changed])
        layer, part = np.nonzero(found.max(axis=0))
        ends = dict(zip(COLUMNS, (found[0], found.min(axis=0), found.max(axis=0)), strict=True))
        layers = np.array([*designs.one(place)[0].names, ALL])
        columns = {"layer": layers[layer], "component": np.array(_PARTS)[part]}
        values = {column: each[layer, part] for column, each in ends.items()}
        tables.append(pd.DataFrame({"design": name, **columns, **values}))
    return pd.concat(tables, ignore_index=True)


def _parts(candidates: Candidates, hardware: Hardware, place: int) -> FloatArray:
    """The energies of layers, and of all together in the last row, by _PARTS; (R + 1, parts) [J]."""
    work, design = candidates.one(place)
    found = row_energies(work, hardware, design)
    own = np.stack([found[name] for name in COMPONENTS], axis=-1)
    out = np.zeros((work.rows + 1, len(_PARTS)))
    out[:-1, : len(COMPONENTS)] = own
    out[:, -1] = np.append(own.sum(axis=-1), 0.0)
    out[-1] = out.sum(axis=0)
    on_chip = own[:, [name not in (OFF_CHIP, STATIC) for name in COMPONENTS]].sum(axis=-1)
    numbers = work.geometry.multibit
    out[-1, _PARTS.index(SPIKING)], out[-1, _PARTS.index(MULTIBIT)] = on_chip[~numbers].sum(), on_chip[numbers].sum()
    return out
