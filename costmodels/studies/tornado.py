"""What the range of each constant alone does to the cost of one design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from costmodels.estimation.candidates import Candidates
from costmodels.hardware.hardware import Hardware
from costmodels.studies.variations import range_of, uncertain

if TYPE_CHECKING:
    import pandas as pd


COSTS = ("memory_bytes", "energy_j", "latency_s", "power_w")
"""The costs that a tornado is made of."""


def tornados(design: Candidates, hardware: Hardware, frame_rate: float | None) -> dict[str, pd.DataFrame]:
    """Change of each of one design's `COSTS` at both ends of every constant's range, the widest first."""
    ranged = tuple(key for key, c in hardware.table.items() if not c.value and c.high)  # zero, but perhaps more
    keys = (*uncertain(hardware), *ranged)
    chips = [hardware.with_constant(key, x) for key in keys for x in range_of(hardware.table[key])[:2]]
    cost = design.costs_on([hardware, *chips], frame_rate=frame_rate)
    return {name: _table(hardware, keys, getattr(cost, name)[:, 0].tolist()) for name in COSTS}


def _table(hardware: Hardware, keys: Sequence[str], values: Sequence[float]) -> pd.DataFrame:
    """The rows of one cost, from its value on the chip itself and then at the ends of each constant."""
    import pandas as pd

    base, *ends = values
    rows = []
    for place, key in enumerate(keys):
        constant = hardware.table[key]
        low, high, stated = range_of(constant)
        changes = [value / base - 1 if base else 0.0 for value in ends[2 * place : 2 * place + 2]]
        shown = replace(constant, low=low, high=high).shown()
        row: dict[str, object] = {"constant": key, "unit": constant.unit}
        row |= {name: shown[name] for name in ("value", "low", "high")}
        row |= {"range": "stated" if stated else "x0.5 to x2", "low_change": changes[0], "high_change": changes[1]}
        rows.append(row)
    table = pd.DataFrame(rows)
    span = (table["high_change"] - table["low_change"]).abs()
    return table.iloc[np.argsort(-span.to_numpy(), kind="stable")].reset_index(drop=True)
