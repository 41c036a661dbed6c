"""Numbers with units, read from configuration files and written into messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from costmodels.units import SI, factor
from dse.errors import ConfigError

_TEXT = re.compile(r"^\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([^\s0-9]*2?)\s*$")


@dataclass(frozen=True)
class Quantity:
    """A quantity by its name in a configuration, its column of results.csv, and its unit there."""

    key: str
    column: str
    unit: str
    example: str


QUANTITIES = (
    Quantity("drop", "drop", "pp", "1.0"),
    Quantity("memory", "memory_bytes", "B", "300 kB"),
    Quantity("energy", "energy_j", "J", "20 uJ"),
    Quantity("latency", "latency_s", "s", "5 ms"),
    Quantity("power", "power_w", "W", "2 mW"),
    Quantity("area", "area_mm2", "mm2", "4 mm2"),
)


def objective_columns(names: Sequence[str]) -> tuple[str, str, str]:
    """Columns of results.csv behind the three objectives of a configuration, by their keys in `QUANTITIES`."""
    known = {quantity.key: quantity.column for quantity in QUANTITIES}
    first, second, third = (known[name] for name in names)
    return first, second, third


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
    return None if unit == "pp" else factor(suffix, unit)


def show(value: float, unit: str) -> str:
    """A value with an SI prefix and three significant digits: `show(3.2e-5, "J")` is `32.0 µJ`; NaN is `none`."""
    if value != value:
        return "none"
    if unit in ("pp", "mm2", "") or value == 0:
        return f"{value:.3g} {unit}".strip()
    for prefix, scale in SI.items():
        if abs(value) >= scale * 0.9995:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"
