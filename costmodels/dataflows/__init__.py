"""Data flows: how often each action of a chip happens per row; one file each, found by its name.

One of the user's own is such a file anywhere, which a hardware file names by its path, or an entry point of the group
`svit_dse.dataflows`.  For the inside of costmodels; `names` and `named` find the files, `check_measured` refuses layer
tables that lack something, `Dataflow` says what a file defines.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from costmodels import plugins
from costmodels.dataflows import _own as own
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


GROUP = "svit_dse.dataflows"


def names() -> tuple[str, ...]:
    """The shipped data flows: the files of this folder."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


def named(name: str) -> Dataflow:
    """The data flow `name`, or that of a file.

    Raises CostError, beginning with the key of hardware files, for an unknown one, and for a file that is none.
    """
    return _of_file(name) if plugins.is_file(name) else _of_name(name)


@cache
def _of_name(name: str) -> Dataflow:
    if name in names():
        return cast(Dataflow, importlib.import_module(f"{__name__}.{name}"))
    if name in plugins.installed(GROUP):
        return cast(Dataflow, own.checked(plugins.from_package(GROUP, name, CostError), name))
    known = ", ".join((*names(), *plugins.installed(GROUP)))
    raise CostError(f"dataflow: unknown data flow {name!r}; there are {known}, or give FILE.py")


def _of_file(reference: str) -> Dataflow:
    """The data flow of a file; a file that is the same is checked once."""
    found = plugins.loaded(reference, CostError)
    known = _CHECKED.get(reference)
    if known is None or known[0] is not found:
        known = _CHECKED[reference] = found, cast(Dataflow, own.checked(found, reference))
    return known[1]


_CHECKED: dict[str, tuple[Any, Dataflow]] = {}


def check_measured(name: str, chip: str, columns: Mapping[str, NDArray[np.float64]]) -> None:
    """Raise CostError where the data flow `name` of a chip needs what the columns of a workload do not know."""
    for column in named(name).MEASURED:
        if np.isnan(columns[column]).any():
            needs = f"dataflow: {name} of {chip} needs the columns {' and '.join(PRODUCTS)} of the layer table"
            raise CostError(f"{needs}; measure them: svit-dse profile --products")
