"""The shipped constant tables: op energies and technology scaling, each row with its source."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from costmodels.errors import CostError
from costmodels.hardware.units import to_si

DATA = Path(__file__).parents[1] / "data"
_DIMENSIONS = {
    "add_per_bit": "J/bit",
    "multiply_per_bit2": "J/bit2",
    "multiply_per_bit": "J/bit",
    "float_add": "J",
    "float_multiply": "J",
    "register_per_bit": "J/bit",
}


@dataclass(frozen=True)
class Entry:
    """One op energy at the node of its table, in J, J/bit or J/bit2."""

    value: float
    dimension: str
    source: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class OpTable:
    """The op energies of one source at one node."""

    name: str
    node_nm: float
    entries: Mapping[str, Entry]


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@cache
def op_tables() -> Mapping[str, OpTable]:
    """The shipped op-energy tables by name (costmodels/data/op_energy.csv), each at its own node [J, J/bit, J/bit2]."""
    grouped: dict[str, dict[str, Entry]] = {}
    nodes: dict[str, float] = {}
    for row in _rows("op_energy.csv"):
        dimension = _DIMENSIONS[row["key"]]
        value, low, high = (
            to_si(float(row[k]), row["unit"], dimension) if row[k] else None for k in ("value", "low", "high")
        )
        assert value is not None
        grouped.setdefault(row["table"], {})[row["key"]] = Entry(value, dimension, row["source"], low, high)
        nodes[row["table"]] = float(row["node_nm"])
    return {name: OpTable(name, nodes[name], entries) for name, entries in grouped.items()}


@cache
def _scaling() -> tuple[tuple[float, ...], tuple[float, ...]]:
    rows = sorted((float(r["node_nm"]), float(r["factor"])) for r in _rows("scaling.csv"))
    return tuple(n for n, _ in rows), tuple(f for _, f in rows)


def logic_scaling(from_nm: float, to_nm: float) -> float:
    """Energy of logic at one node over that at another, at equal supply voltage.

    Stillmaker & Baas 2017; linear in the node between table entries, which gives 0.513 at 28 nm and 0.294 at 22 nm
    from 45 nm. Logic only: SRAM comes from CACTI per node, DRAM and I/O are not scaled. Raises CostError outside
    7..65 nm.
    """
    nodes, factors = _scaling()
    for node in (from_nm, to_nm):
        if not nodes[0] <= node <= nodes[-1]:
            raise CostError(
                f"node {node:g} nm has no scaling factor; the table covers {nodes[0]:g} to {nodes[-1]:g} nm"
            )
    low, high = np.interp([from_nm, to_nm], nodes, factors)
    return float(high / low)
