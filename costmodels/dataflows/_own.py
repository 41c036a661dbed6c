"""A data flow of the user's own: checked when it is loaded, and its counts whenever they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from costmodels import plugins
from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load
from costmodels.errors import CostError

MEMORIES = ("weights", "states", "spikes")
TUPLES = {"REQUIRES": MEMORIES, "MEASURED": ("product_share", "product_sums_share")}
FLAGS = ("PIPELINED", "RESIDENT_STATES")


@dataclass(frozen=True)
class OwnDataflow:
    """What a file or a package defines, as `costmodels.dataflows.Dataflow`."""

    reference: str
    found: Any
    REQUIRES: tuple[str, ...]
    MEASURED: tuple[str, ...]
    PIPELINED: bool
    RESIDENT_STATES: bool

    def counts(self, load: Load, chip: Chip) -> Counts:
        """Actions per row, each (..., R).  Raises CostError for what is no number of actions, or fails."""
        place = plugins.split(self.reference)[0] if plugins.is_file(self.reference) else Path(self.reference)
        given = plugins.with_line(place, CostError, lambda: self.found.counts(load, chip))
        if not isinstance(given, Counts):
            raise CostError(f"{self.reference}: counts gives a {type(given).__name__}; expected costmodels' Counts")
        rows = load.macs.shape[-1]
        for field in fields(given):
            values = np.asarray(getattr(given, field.name))
            if values.ndim and values.shape[-1] not in (1, rows):
                shape = f"{field.name} has the shape {values.shape}"
                raise CostError(f"{self.reference}: {shape}; expected one number of actions for each of {rows} rows")
            if values.dtype.kind not in "fiu" or not (values >= 0).all():
                raise CostError(f"{self.reference}: {field.name} has values that are no number of actions, at least 0")
        return given


def checked(found: Any, reference: str) -> OwnDataflow:
    """The data flow that a module or an object defines.

    Raises CostError, beginning with the key of hardware files, for what is missing or has another type.
    """
    where = f"dataflow: {reference}"
    for name in (*TUPLES, *FLAGS, "counts"):
        if not hasattr(found, name):
            expected = "REQUIRES, MEASURED, PIPELINED, RESIDENT_STATES and counts(load, chip)"
            raise CostError(f"{where} has no {name}; a data flow defines {expected}")
    for name, known in TUPLES.items():
        value = getattr(found, name)
        if not isinstance(value, tuple) or not set(value) <= set(known):
            raise CostError(f"{where}: {name} is {value!r}; expected a tuple of {', '.join(known)}")
    for name in FLAGS:
        if not isinstance(getattr(found, name), bool):
            raise CostError(f"{where}: {name} is {getattr(found, name)!r}; expected True or False")
    if not callable(found.counts):
        raise CostError(f"{where}: counts is not a function; expected counts(load, chip)")
    own = {name: getattr(found, name) for name in (*TUPLES, *FLAGS)}
    return OwnDataflow(reference, found, **own)
