"""Datapaths: what a processing element switches for one operation, and how many it does; one file each, by its name.

For the inside of costmodels; `names` and `named` find the files, `Datapath` says what a file defines.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Protocol, cast

from costmodels.equations.chip import Chip
from costmodels.equations.counts import Operands, Switching
from costmodels.errors import CostError


class Datapath(Protocol):
    """What a file of this folder defines."""

    def switching(self, operands: Operands, chip: Chip) -> Switching:
        """What one operation and one neuron step switch, each (..., R)."""


def names() -> tuple[str, ...]:
    """The datapaths: the files of this folder whose names do not begin with an underscore."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


@cache
def named(name: str) -> Datapath:
    """The datapath `name`. Raises CostError, beginning with the key of hardware files, for an unknown one."""
    if name not in names():
        raise CostError(f"compute.datapath: unknown datapath {name!r}; there are {', '.join(names())}")
    return cast(Datapath, importlib.import_module(f"{__name__}.{name}"))
