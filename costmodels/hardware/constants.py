"""Numbers of an accelerator with unit, source and range: as stated in the file, and derived from tables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

from costmodels.errors import CostError
from costmodels.hardware.compute import IntegerCompute
from costmodels.hardware.op_energy import logic_scaling, op_tables
from costmodels.hardware.quantity import Quantity
from costmodels.hardware.schema import Memory
from costmodels.hardware.sram import ACCURACY, LARGEST, SOURCE, TEMPERATURES, sram
from costmodels.hardware.units import UNITS, to_si

MEASURED_LEAKAGE = (0.74e-3 / 8e6, 3.2e-3 / 8e6)
"""Leakage of measured chips per bit of their memories [W]: ODIN (28 nm FDSOI, 0.55 V; arXiv 1804.07858, figure 8b) and
Loihi (14 nm, 33 MB; Frady et al., NICE 2020, arXiv 2004.12691)."""


class ConstantRow(TypedDict):
    """A row of the constants table; numbers in the unit of the row."""

    key: str
    value: float
    unit: str
    source: str
    low: float
    high: float


@dataclass(frozen=True)
class Constant:
    """A number of an accelerator in SI units (bit, mm2, nm and K stay as they are).

    key         dotted key of the hardware file, such as memories.weights.read
    value       in the SI unit of the dimension
    dimension   a key of hardware.units.UNITS
    unit        the unit that it is shown in
    source      where the value was read, or `design choice`
    low, high   range of the value in the same SI unit; None where none is known
    """

    key: str
    value: float
    dimension: str
    unit: str
    source: str
    low: float | None = None
    high: float | None = None

    def shown(self) -> ConstantRow:
        """The row of the constants table, with the numbers in `unit`; NaN where no range is known."""
        factor = UNITS[self.dimension][self.unit]

        def back(x: float | None) -> float:
            return float("nan") if x is None else float(f"{x / factor:.12g}")

        return {
            "key": self.key,
            "value": back(self.value),
            "unit": self.unit,
            "source": self.source,
            "low": back(self.low),
            "high": back(self.high),
        }


def stated_range(q: Quantity) -> tuple[float | None, float | None]:
    """Low and high of a quantity of the file in SI units, None where it states none."""
    low, high = (None if bound is None else to_si(bound, q.unit, q.dimension) for bound in (q.low, q.high))
    return low, high


def op_constants(compute: IntegerCompute, node_nm: float) -> dict[str, Constant]:
    """Energies of operations from the table that the file names, scaled to its node.

    Raises CostError beginning with the key for an unknown table.
    """
    tables = op_tables()
    if compute.table not in tables:
        raise CostError(f"compute.table: unknown op-energy table {compute.table!r}; there are {', '.join(tables)}")
    table = tables[compute.table]
    factor = 1.0 if node_nm == table.node_nm else logic_scaling(table.node_nm, node_nm)
    scaled = "" if factor == 1.0 else f"; x {factor:.3g} from {table.node_nm:g} to {node_nm:g} nm (Stillmaker 2017)"
    constants = {}
    for key, entry in table.entries.items():
        full = f"compute.{key}"
        unit = {"J": "pJ", "J/bit": "pJ/bit", "J/bit2": "pJ/bit2"}[entry.dimension]
        low, high = (None if x is None else x * factor for x in (entry.low, entry.high))
        constants[full] = Constant(full, entry.value * factor, entry.dimension, unit, entry.source + scaled, low, high)
    return constants


def memory_constants(name: str, spec: Memory, node_nm: float) -> dict[str, Constant]:
    """Read, write, leakage, area and cycle of a memory from CACTI; nothing where the file names no device.

    Raises CostError beginning with the key for what the grid does not have.
    """
    banks = spec.banks.value if spec.banks is not None else 1.0
    if spec.device is None or spec.temperature is None:
        return {}
    shape = spec.size.si / banks, spec.word.si, node_nm
    try:
        bank = sram(*shape, spec.device, spec.temperature.si)
    except CostError as error:
        raise CostError(f"memories.{name}: {error}") from None
    each = (
        f"{SOURCE}: {spec.size.si / banks / 8192:g} KiB bank, {node_nm:g} nm, {spec.device}, {spec.temperature.si:g} K"
    )
    shown = {
        "read": (bank.read, "J", "pJ"),
        "write": (bank.write, "J", "pJ"),
        "leakage": (bank.leakage * banks, "W", "mW"),
        "area": (_area(spec, banks, node_nm), "mm2", "mm2"),
        "cycle": (bank.cycle, "s", "ns"),
    }
    constants = {}
    for key, (value, dimension, unit) in shown.items():
        full = f"memories.{name}.{key}"
        low, high = value * (1 - ACCURACY), value * (1 + ACCURACY)
        if key == "leakage":  # temperature matters more than CACTI's accuracy
            low, high = (getattr(sram(*shape, spec.device, kelvin), key) * banks for kelvin in TEMPERATURES)
            least, most = (per_bit * spec.size.si for per_bit in MEASURED_LEAKAGE)
            low, high, each = min(low, least), max(high, most), f"{each}; range: 300 to 350 K, ODIN and Loihi"
        constants[full] = Constant(full, value, dimension, unit, each, low, high)
    return constants


def _area(spec: Memory, banks: float, node_nm: float) -> float:
    """Area of a memory [mm2]: more banks never take less, though CACTI's search finds some smaller."""
    counts = [2.0**n for n in range(int(math.log2(banks)) + 1) if spec.size.si / 2.0**n <= LARGEST]
    device, kelvin = str(spec.device), spec.temperature.si if spec.temperature is not None else TEMPERATURES[0]
    return max(n * sram(spec.size.si / n, spec.word.si, node_nm, device, kelvin).area for n in {*counts, banks})
