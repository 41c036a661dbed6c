"""Numbers with units, read from configuration files and written into messages."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dse.errors import ConfigError

_PREFIX = {"": 1.0, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}
_TEXT = re.compile(r"^\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([^\s0-9]*)\s*$")


@dataclass(frozen=True)
class Budget:
    """A budget's name in the configuration, the column of results.csv it limits, and its unit."""

    key: str
    column: str
    unit: str
    example: str


BUDGETS = (
    Budget("drop", "drop", "pp", "1.0"),
    Budget("memory", "memory_bytes", "B", "300 kB"),
    Budget("energy", "energy_j", "J", "20 uJ"),
    Budget("latency", "latency_s", "s", "5 ms"),
    Budget("power", "power_w", "W", "2 mW"),
    Budget("area", "area_mm2", "mm2", "4 mm2"),
)


def parse(text: str | float, unit: str, key: str, example: str) -> float:
    """`"300 kB"` to 300000.0; a bare number is already in `unit` (SI; pp for a drop, mm2 for an area).

    Raises ConfigError naming `key` for anything that is not a positive number with that unit.
    """
    match = _TEXT.match(str(text))
    if match is None:
        raise ConfigError(f"{key} is {text!r}; expected a number with a unit, such as {example!r}")
    try:
        number = float(match.group(1))
    except ValueError:
        raise ConfigError(f"{key} is {text!r}; expected a number with a unit, such as {example!r}") from None
    scale = _scale(match.group(2), unit)
    if scale is None:
        raise ConfigError(f"{key} is {text!r}; expected a value in {unit}, such as {example!r}")
    if not 0.0 <= number < float("inf"):
        raise ConfigError(f"{key} is {text!r}; expected a finite value that is not negative, such as {example!r}")
    return number * scale


def _scale(suffix: str, unit: str) -> float | None:
    if suffix in ("", unit):
        return 1.0
    if not suffix.endswith(unit) or unit in ("pp", "mm2"):
        return None
    prefix = suffix.removesuffix(unit)
    if unit == "B" and prefix in _BINARY:
        return _BINARY[prefix]
    return _PREFIX.get(prefix)


def show(value: float, unit: str) -> str:
    """A value with an SI prefix and three significant digits: `show(3.2e-5, "J")` is `32.0 µJ`."""
    if unit in ("pp", "mm2", "") or value == 0 or value != value:
        return f"{value:.3g} {unit}".strip()
    for prefix, factor in (
        ("G", 1e9),
        ("M", 1e6),
        ("k", 1e3),
        ("", 1.0),
        ("m", 1e-3),
        ("µ", 1e-6),
        ("n", 1e-9),
        ("p", 1e-12),
    ):
        if abs(value) >= factor * 0.9995:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"
