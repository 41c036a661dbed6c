"""Numbers with units and short names, as the report writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

PREFIXES = (
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
    (1e-9, "n"),
    (1e-12, "p"),
    (1e-15, "f"),
)
UNITS = {
    "drop": "pp",
    "memory_bytes": "B",
    "energy_j": "J",
    "latency_s": "s",
    "power_w": "W",
    "area_mm2": "mm²",
}
NAMES = {
    "drop": "Accuracy drop",
    "memory_bytes": "Memory",
    "energy_j": "Energy per image",
    "latency_s": "Latency",
    "power_w": "Average power",
    "area_mm2": "Area",
}
_UNSCALED = ("pp", "mm²", "", "bit")
_NUMBERED = re.compile(r"^([A-Za-z])[A-Za-z_]{4,}?(\d+(?:_\d+)*)(?=\.|$)")  # a long word with a number, in front
_SHORT = (  # what several families of networks call their parts
    (r"^([A-Za-z]\d+_\d+)\.0(?=\.|$)", r"\1"),  # the only block of a stage with two numbers
    (r"\.encode_conv$", ""),
    (r"\.encode_lif$", ".lif"),
    (r"\.attn\.", "."),
    (r"\.mlp\.", "."),
    (r"\.Conv\.", "."),
    (r"_conv\.0\.body\.0$", ".pw1"),
    (r"_conv\.0\.body\.2\.0$", ".dw"),
    (r"_conv\.0\.body\.2\.1$", ".pw2"),
    (r"_conv\.0$", ""),
    (r"_conv$", ""),
    (r"\.pwconv", ".pw"),
    (r"\.dwconv", ".dw"),
)


def scale(largest: float, unit: str) -> tuple[float, str]:
    """The factor and the prefixed unit in which values up to `largest` read well: `scale(3e6, "B")` is (1e6, "MB")."""
    if unit in _UNSCALED or largest == 0 or not math.isfinite(largest):
        return 1.0, unit
    for factor, prefix in PREFIXES:
        if abs(largest) >= 0.9995 * factor:
            return factor, prefix + unit
    return PREFIXES[-1][0], PREFIXES[-1][1] + unit


def quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """A value in SI units as text with a prefix and three significant digits: `quantity(3.2e-5, "J")` is `32.0 µJ`."""
    if value is None or not math.isfinite(value):
        return "–"
    if unit == "pp":
        return f"{tidy(value)} pp"
    factor, prefixed = scale(value, unit)
    return f"{significant(value / factor, digits)} {prefixed}".strip()


def band_text(value: str, band: tuple[float, float] | None, unit: str) -> str:
    """A value in words with its least and greatest, where they are known: `2.00 µJ (1.00 µJ … 9.00 µJ)`."""
    if band is None or band[0] != band[0]:
        return value
    return f"{value} ({quantity(band[0], unit)} … {quantity(band[1], unit)})"


def cost_text(value: float, column: str, energies: tuple[float, float] | None) -> str:
    """A cost of a design by its column of results.csv; an energy with its least and greatest [J], where known."""
    return band_text(quantity(value, UNITS[column]), energies if column == "energy_j" else None, UNITS[column])


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, never in exponent form between 0.001 and a million."""
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    if -3 <= places <= 6:
        text = f"{value:,.{max(places, 0)}f}"
    else:
        text = f"{value:.{digits - 1}e}"
    return text.replace("-", "−")


def tidy(value: float, places: int = 2) -> str:
    """A number with fixed decimals and a real minus sign; never `−0.00`."""
    rounded = round(value, places) + 0.0
    return f"{rounded:.{places}f}".replace("-", "−")


def share(value: float | None, places: int = 1) -> str:
    """A share in [0, 1] as a percentage."""
    return "–" if value is None or not math.isfinite(value) else f"{tidy(100 * value, places)} %"


def label(column: str) -> str:
    """What a column of results.csv is called in the report."""
    return NAMES.get(column, column)


def short_name(name: str) -> str:
    """A module path as short as it stays readable: `block3.0.attn.q_conv.0.body.2.0` is `b3.0.q.dw`."""
    name = _NUMBERED.sub(lambda found: found[1].lower() + found[2], name)
    for pattern, replacement in _SHORT:
        name = re.sub(pattern, replacement, name)
    return name


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Short name of every layer; a layer whose short name another one has too keeps its own."""
    short = {name: short_name(name) for name in names}
    counts: dict[str, int] = {}
    for text in short.values():
        counts[text] = counts.get(text, 0) + 1
    return {name: text if counts[text] == 1 else name for name, text in short.items()}


def listed(parts: Sequence[str]) -> str:
    """Words in a row: `a`, `a and b`, `a, b and c`; at least one."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
