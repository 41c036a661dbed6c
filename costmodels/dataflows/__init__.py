"""Data flows: how often each action of a chip happens per row; one file each, found by its name.

For the inside of costmodels; `names` and `named` find the files, `check_measured` refuses layer tables that lack
something, `Dataflow` says what a file defines.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load
from costmodels.errors import CostError
from costmodels.workload.layer_table import PRODUCTS


class Dataflow(Protocol):
    """What a file of this folder defines."""

    REQUIRES: tuple[str, ...]
    """Memories that the chip must describe."""
    MEASURED: tuple[str, ...]
    """Columns of a workload that are NaN unless they were measured, and that the data flow cannot do without."""
    PIPELINED: bool
    """Whether layers work at the same time (latency is set by the slowest) or one after the other."""
    RESIDENT_STATES: bool
    """Whether all membrane potentials are kept between time steps."""

    def counts(self, load: Load, chip: Chip) -> Counts:
        """Actions per row, each (..., R)."""


def names() -> tuple[str, ...]:
    """The data flows: the files of this folder."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


@cache
def named(name: str) -> Dataflow:
    """The data flow `name`. Raises CostError, beginning with the key of hardware files, for an unknown one."""
    if name not in names():
        raise CostError(f"dataflow: unknown data flow {name!r}; there are {', '.join(names())}")
    return cast(Dataflow, importlib.import_module(f"{__name__}.{name}"))


def check_measured(name: str, chip: str, columns: Mapping[str, NDArray[np.float64]]) -> None:
    """Raise CostError where the data flow `name` of a chip needs what the columns of a workload do not know."""
    for column in named(name).MEASURED:
        if np.isnan(columns[column]).any():
            needs = f"dataflow: {name} of {chip} needs the columns {' and '.join(PRODUCTS)} of the layer table"
            raise CostError(f"{needs}; measure them: svit-dse profile --products")
