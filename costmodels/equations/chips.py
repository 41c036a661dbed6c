"""Several chips as one whose numbers are arrays: the equations are elementwise and give each what it gets alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodels.equations.chip import Chip, Port

FloatArray = NDArray[np.float64]
Name = tuple[str, str]
"""A number of a chip: the memory that has it, or nothing, and its field."""

MEMORIES = ("weights", "states", "spikes")
_OF_PORTS = ("word", "banks", "read", "write", "leakage", "area", "cycle")
_NUMBERS = (
    *("clock", "processing_elements", "tile_positions", "synchronisation", "logic_leakage", "idle_per_cycle"),
    *("element_area", "register_area", "clock_per_area", "add_per_bit", "multiply_per_bit2", "multiply_per_bit"),
    *("float_add", "float_multiply", "register_per_bit", "control_factor", "control_per_operation", "accumulate"),
    *("accumulate_convolution", "multiply_accumulate", "dram_energy", "dram_bandwidth", "dram_background"),
    *("hop", "message", "hops", "packet_rate"),
)
VARYING: tuple[Name, ...] = (
    *(("", name) for name in _NUMBERS),
    *((memory, name) for memory in MEMORIES for name in _OF_PORTS),
    ("weights", "size"),
    ("states", "size"),
)
"""The numbers that only enter sums, products and comparisons of the equations; what these branch on is left out."""
_NUMBERS_OF = attrgetter(*(f"{memory}.{field}" if memory else field for memory, field in VARYING))


def alike(chip: Chip) -> tuple[Any, ...]:
    """What chips have in common that can be stacked: all but VARYING, and which of those are none."""
    ports = tuple(getattr(chip, memory) for memory in MEMORIES)
    own = [getattr(chip, f.name) for f in fields(Chip) if f.name not in (*_NUMBERS, *MEMORIES)]
    return (*own, chip.spikes.size, *((port.cycle > 0, math.isinf(port.size)) for port in ports))


@dataclass(frozen=True, eq=False)
class Chips:
    """Chips that are `alike`, one for each of n designs: the first, and arrays (n,) of the numbers that differ."""

    first: Chip
    varying: Mapping[Name, FloatArray]

    @classmethod
    def of(cls, chips: Sequence[Chip], designs: int) -> Chips:
        """Every chip for `designs` designs in turn."""
        values = np.array([_NUMBERS_OF(chip) for chip in chips], dtype=np.float64)
        differing = np.flatnonzero((values != values[0]).any(axis=0)).tolist()
        return cls(chips[0], {VARYING[place]: np.repeat(values[:, place], designs) for place in differing})

    def for_designs(self) -> Chip:
        """The chip whose numbers are (n,), for what designs as a whole have."""
        return self._with(self.varying)

    def for_rows(self, part: slice) -> Chip:
        """The chip whose numbers are (n, 1), for the rows (n, R) of a part of the designs."""
        return self._with({name: values[part, None] for name, values in self.varying.items()})

    def _with(self, numbers: Mapping[Name, FloatArray]) -> Chip:
        changed: dict[str, Any] = {field: value for (memory, field), value in numbers.items() if not memory}
        for memory in MEMORIES:
            port: Port = getattr(self.first, memory)
            own: dict[str, Any] = {field: value for (of, field), value in numbers.items() if of == memory}
            changed[memory] = replace(port, **own)
        return replace(self.first, **changed)
