"""Designs of a run as the cost models take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dse.results import tables

if TYPE_CHECKING:
    from costmodels import Candidates
    from dse.evaluation.costs import Costing


def designs_of(costing: Costing, rows: pd.DataFrame, spikes: pd.DataFrame, names: Sequence[str] = ()) -> Candidates:
    """Rows of results.csv as designs with all that their costs depend on.

    costing  the layer tables and the chip
    rows     rows of results.csv
    spikes   the run's spikes.csv
    names    what the designs are called; default: their ids
    """
    found = [tables.design_of(row) for _, row in rows.iterrows()]
    counted = spikes.drop_duplicates("id").set_index("id").loc[rows["id"]].to_numpy(dtype=np.float64)
    return costing.candidates(found, counted, tuple(names) or tuple(map(str, rows["id"])))
