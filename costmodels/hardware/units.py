"""Units of hardware files and their factors to SI (bit for sizes and widths, mm2 for areas)."""

from __future__ import annotations

_ENERGY = {"fJ": 1e-15, "pJ": 1e-12, "nJ": 1e-9, "uJ": 1e-6, "mJ": 1e-3, "J": 1.0}
_POWER = {"nW": 1e-9, "uW": 1e-6, "mW": 1e-3, "W": 1.0}

UNITS: dict[str, dict[str, float]] = {
    "J": _ENERGY,
    "J/bit": {f"{unit}/bit": factor for unit, factor in _ENERGY.items()},
    "J/bit2": {f"{unit}/bit2": factor for unit, factor in _ENERGY.items()},
    "J/bit/mm": {"fJ/bit/um": 1e-12, "pJ/bit/mm": 1e-12},
    "J/mm2": {"pJ/mm2": 1e-12},
    "W": _POWER,
    "s": {"ps": 1e-12, "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0},
    "1/s": {"1/s": 1.0, "Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9},
    "bit": {"bit": 1.0, "B": 8.0, "kB": 8e3, "MB": 8e6, "KiB": 8.0 * 1024, "MiB": 8.0 * 1024**2, "GiB": 8.0 * 1024**3},
    "bit/s": {"bit/s": 1.0, "Gbit/s": 1e9, "MB/s": 8e6, "GB/s": 8e9},
    "mm2": {"um2": 1e-6, "mm2": 1.0},
    "V": {"mV": 1e-3, "V": 1.0},
    "nm": {"nm": 1.0},
    "K": {"K": 1.0},
    "1": {"1": 1.0},
}
"""Dimension -> unit -> factor to the dimension's own unit, which is the key."""


def to_si(value: float, unit: str, dimension: str) -> float:
    """`value` in the unit that names the dimension; the unit was checked when the file was read."""
    return value * UNITS[dimension][unit]
