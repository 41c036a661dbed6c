"""Units of hardware files and their factors to SI (bit for sizes and widths, mm2 for areas)."""

from __future__ import annotations

from costmodels.units import BINARY, SI, SPELLINGS


def _of(unit: str, *prefixes: str) -> dict[str, float]:
    """The unit with each of these prefixes, as chip files write them: `u` for micro."""
    return {f"{prefix}{unit}": (SI | BINARY)[SPELLINGS.get(prefix, prefix)] for prefix in prefixes}


_ENERGY = _of("J", "f", "p", "n", "u", "m", "")
_BYTES = {unit: 8 * scale for unit, scale in _of("B", "", "k", "M", "Ki", "Mi", "Gi").items()}

UNITS: dict[str, dict[str, float]] = {
    "J": _ENERGY,
    "J/bit": {f"{unit}/bit": factor for unit, factor in _ENERGY.items()},
    "J/bit2": {f"{unit}/bit2": factor for unit, factor in _ENERGY.items()},
    "J/bit/mm": {"fJ/bit/um": 1e-12, "pJ/bit/mm": 1e-12},
    "J/mm2": {"pJ/mm2": 1e-12},
    "W": _of("W", "n", "u", "m", ""),
    "s": _of("s", "p", "n", "u", "m", ""),
    "1/s": {"1/s": 1.0, **_of("Hz", "", "k", "M", "G")},
    "bit": {"bit": 1.0, **_BYTES},
    "bit/s": {"bit/s": 1.0, "Gbit/s": 1e9, "MB/s": 8e6, "GB/s": 8e9},
    "mm2": {"um2": 1e-6, "mm2": 1.0},
    "V": {"mV": 1e-3, "V": 1.0},
    "nm": {"nm": 1.0},
    "K": {"K": 1.0},
    "1": {"1": 1.0},
}
"""Dimension -> unit -> factor to the dimension's own unit, which is the key."""


_NAMES = {name for units in UNITS.values() for name in units}
# other spellings of these names; `K` alone is the kelvin
_USUAL = {other + name[1:]: name for name in _NAMES for other in {"u": "µμ", "k": "K"}.get(name[0], "") if name[1:]}


def usual(unit: str) -> str:
    """A unit as chip files have it: `kB` for `KB`, `uJ` for `µJ`; another text as it is.

    unit  as written
    """
    return _USUAL.get(unit, unit)


def to_si(value: float, unit: str, dimension: str) -> float:
    """`value` in the unit that names the dimension; the unit was checked when the file was read."""
    return value * UNITS[dimension][unit]
