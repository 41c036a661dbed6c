"""Units of hardware files and their factors to SI (bit for sizes and widths, mm2 for areas)."""

from __future__ import annotations

from costmodels.units import BINARY, SI, SPELLINGS


def _of(unit: str, prefixes: str, binary: tuple[str, ...] = ()) -> dict[str, float]:
    """The unit with each of these SI prefixes, `u` for micro and `-` for none, and with these binary ones."""
    written = {"" if p == "-" else p: SI[SPELLINGS.get(p, p) if p != "-" else ""] for p in prefixes}
    return {f"{p}{unit}": scale for p, scale in written.items()} | {f"{p}{unit}": BINARY[p] for p in binary}


_ENERGY = _of("J", "fpnum-")
_BYTES = {unit: 8 * scale for unit, scale in _of("B", "-kM", ("Ki", "Mi", "Gi")).items()}

UNITS: dict[str, dict[str, float]] = {
    "J": _ENERGY,
    "J/bit": {f"{unit}/bit": factor for unit, factor in _ENERGY.items()},
    "J/bit2": {f"{unit}/bit2": factor for unit, factor in _ENERGY.items()},
    "J/bit/mm": {"fJ/bit/um": 1e-12, "pJ/bit/mm": 1e-12},
    "J/mm2": {"pJ/mm2": 1e-12},
    "W": _of("W", "num-"),
    "s": _of("s", "pnum-"),
    "1/s": {"1/s": 1.0, **_of("Hz", "-kMG")},
    "bit": {"bit": 1.0, **_BYTES},
    "bit/s": {"bit/s": 1.0, "Gbit/s": 1e9, "MB/s": 8e6, "GB/s": 8e9},
    "mm2": {"um2": 1e-6, "mm2": 1.0},
    "V": {"mV": 1e-3, "V": 1.0},
    "nm": {"nm": 1.0},
    "K": {"K": 1.0},
    "1": {"1": 1.0},
}
"""Dimension -> unit -> factor to the dimension's own unit, which is the key."""


def usual(unit: str) -> str:
    """A unit as chip files have it: `kB` for `KB`, `uJ` for `µJ`; another text as it is.

    unit  as written
    """
    known = {name for units in UNITS.values() for name in units}
    for written, prefix in SPELLINGS.items():
        plain = "u" if prefix == "µ" else prefix
        for seen in (written, prefix):
            if unit.startswith(seen) and plain + unit.removeprefix(seen) in known and unit not in known:
                return plain + unit.removeprefix(seen)
    return unit


def to_si(value: float, unit: str, dimension: str) -> float:
    """`value` in the unit that names the dimension; the unit was checked when the file was read."""
    return value * UNITS[dimension][unit]
