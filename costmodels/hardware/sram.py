"""SRAM from runs of CACTI 7: 1680 points over capacity, port width, node, device type and temperature.

CACTI searches partitions, so its raw results jump. Energies, leakage and area therefore pass through the monotone
envelope (the least over all memories that are at least as large and as wide, each of which could be built instead)
and are interpolated bilinearly in log capacity and log width.
"""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from costmodels.errors import CostError, ExtrapolationWarning
from costmodels.hardware.op_energy import DATA

FloatArray = NDArray[np.float64]
_QUANTITIES = ("read", "write", "leakage", "area", "cycle")
_GROWTH = {"read": 0.5, "write": 0.5, "leakage": 1.0, "area": 1.0, "cycle": 0.5}
"""Exponents of capacity beyond the grid; docs/cost-models.md, SRAM."""
TEMPERATURES = (300.0, 350.0)
LARGEST = 16.0 * 1024**2 * 8
"""Largest bank of the grid [bit]."""
_ROUNDING = 1e-9
SOURCE = "CACTI 7 grid (costmodels/data/cacti_grid.csv)"
ACCURACY = 0.2  # Accelergy's cacti plug-in declares 80 %


@dataclass(frozen=True)
class Sram:
    """One bank: energies per access [J], leakage [W], area [mm2] and shortest cycle [s]."""

    read: float
    write: float
    leakage: float
    area: float
    cycle: float


@cache
def _grid() -> tuple[dict[tuple[float, str, float], dict[str, FloatArray]], FloatArray, FloatArray]:
    with (DATA / "cacti_grid.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    capacities = np.array(sorted({float(r["capacity_bytes"]) for r in rows}))
    widths = np.array(sorted({float(r["width_bits"]) for r in rows}))
    at_c = {c: i for i, c in enumerate(capacities)}
    at_w = {w: i for i, w in enumerate(widths)}
    grid: dict[tuple[float, str, float], dict[str, FloatArray]] = {}
    for r in rows:
        key = float(r["node_nm"]), r["device"], float(r["temp_k"])
        tables = grid.setdefault(key, {q: np.empty((len(capacities), len(widths))) for q in _QUANTITIES})
        place = at_c[float(r["capacity_bytes"])], at_w[float(r["width_bits"])]
        tables["read"][place] = float(r["read_nj"]) * 1e-9
        tables["write"][place] = float(r["write_nj"]) * 1e-9
        tables["leakage"][place] = (float(r["leak_mw"]) + float(r["gate_leak_mw"])) * 1e-3
        tables["area"][place] = float(r["area_mm2"])
        tables["cycle"][place] = float(r["cycle_ns"]) * 1e-9
    envelopes = {key: {q: np.log(_envelope(t)) for q, t in tables.items()} for key, tables in grid.items()}
    return envelopes, np.log(capacities), np.log(widths)


def _envelope(table: FloatArray) -> FloatArray:
    """Least over equal or larger capacity (axis 0) and width (axis 1)."""
    for axis in (0, 1):
        table = np.flip(np.minimum.accumulate(np.flip(table, axis), axis), axis)
    return table


def nodes() -> tuple[float, ...]:
    """The technology nodes of the grid [nm]."""
    return tuple(sorted({key[0] for key in _grid()[0]}))


@cache
def sram(size_bits: float, word_bits: float, node_nm: float, device: str, temperature_k: float) -> Sram:
    """One SRAM bank.

    size_bits      capacity [bit]
    word_bits      port width [bit]
    node_nm        technology node [nm]
    device         CACTI's device type: itrs-lstp, itrs-lop or itrs-hp
    temperature_k  junction temperature [K]

    Between nodes the quantities are interpolated in log node, between 300 and 350 K exponentially (leakage) along
    with the rest. Outside 2 KiB..16 MiB or 8..128 bit an ExtrapolationWarning is given: energy and cycle grow with
    the square root of capacity, leakage and area in proportion to it, and everything but the cycle in proportion to
    width. Raises CostError for a node outside the grid.
    """
    grid = _grid()[0]
    known = nodes()
    if not known[0] <= node_nm <= known[-1]:
        raise CostError(
            f"node {node_nm:g} nm is outside the CACTI grid ({known[0]:g} to {known[-1]:g} nm); "
            "give read, write, leakage, area and cycle of the memory"
        )
    if device not in {key[1] for key in grid}:
        raise CostError(f"unknown device {device!r}; there are {', '.join(sorted({key[1] for key in grid}))}")
    corners = [
        (node, kelvin, near * warm)
        for node, near in _node_shares(node_nm, known)
        for kelvin, warm in _temperature_shares(temperature_k)
    ]

    def between(quantity: str) -> float:
        parts = (
            share * _interpolate(grid[node, device, kelvin][quantity], size_bits, word_bits, quantity)
            for node, kelvin, share in corners
        )
        return float(np.exp(sum(parts)))

    values = {quantity: between(quantity) for quantity in _QUANTITIES}
    _warn(size_bits, word_bits)
    return Sram(**values)


def _node_shares(node_nm: float, known: tuple[float, ...]) -> list[tuple[float, float]]:
    """The nodes of the grid on both sides and their shares, linear in log node."""
    below, above = max(n for n in known if n <= node_nm), min(n for n in known if n >= node_nm)
    if above == below:
        return [(below, 1.0)]
    share = float((np.log(node_nm) - np.log(below)) / (np.log(above) - np.log(below)))
    return [(below, 1.0 - share), (above, share)]


def _temperature_shares(temperature_k: float) -> list[tuple[float, float]]:
    """The temperatures of the grid and their shares; none of zero."""
    cold, hot = TEMPERATURES
    warm = (temperature_k - cold) / (hot - cold)
    return [(kelvin, share) for kelvin, share in ((cold, 1 - warm), (hot, warm)) if share]


def _interpolate(log_table: FloatArray, size_bits: float, word_bits: float, quantity: str) -> float:
    _, log_c, log_w = _grid()
    c, w = np.log(size_bits / 8), np.log(word_bits)
    inside_c, inside_w = np.clip(c, log_c[0], log_c[-1]), np.clip(w, log_w[0], log_w[-1])
    i = min(int(np.searchsorted(log_c, inside_c, side="right")) - 1, len(log_c) - 2)
    j = min(int(np.searchsorted(log_w, inside_w, side="right")) - 1, len(log_w) - 2)
    x = (inside_c - log_c[i]) / (log_c[i + 1] - log_c[i])
    y = (inside_w - log_w[j]) / (log_w[j + 1] - log_w[j])
    near = (1 - x) * log_table[i, j] + x * log_table[i + 1, j]
    far = (1 - x) * log_table[i, j + 1] + x * log_table[i + 1, j + 1]
    beyond = _GROWTH[quantity] * (c - inside_c) + (0.0 if quantity == "cycle" else w - inside_w)
    return float((1 - y) * near + y * far + beyond)


def _warn(size_bits: float, word_bits: float) -> None:
    _, log_c, log_w = _grid()
    c, w = np.log(size_bits / 8), np.log(word_bits)
    if not log_c[0] - _ROUNDING <= c <= log_c[-1] + _ROUNDING:
        text = f"a memory bank of {size_bits / 8192:g} KiB is outside the CACTI grid (2 to 16384 KiB)"
        warnings.warn(f"{text}: extrapolated by the closed form", ExtrapolationWarning, stacklevel=3)
    if not log_w[0] - _ROUNDING <= w <= log_w[-1] + _ROUNDING:
        text = f"a memory port of {word_bits:g} bit is outside the CACTI grid (8 to 128 bit)"
        warnings.warn(f"{text}: extrapolated by the closed form", ExtrapolationWarning, stacklevel=3)
