"""The constants of a chip at its supply, where the file states them at another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from costmodels.errors import CostError
from costmodels.hardware.constants import Constant
from costmodels.hardware.supply import Supply

_DYNAMIC = ("J", "J/bit", "J/bit2", "J/bit/mm", "J/mm2")


def supplied(table: Mapping[str, Constant], supply: Supply | None) -> dict[str, Constant]:
    """The constants of a chip at its supply; DRAM has a supply of its own.

    Eq. 60: energies go with the square of the voltage, eq. 61: leakage with the stated power of it. Raises CostError
    for a clock that the supply does not allow.
    """
    if supply is None:
        return dict(table)
    clock, bound = table["clock"].value, supply.fastest_here
    if clock > bound * (1 + 1e-9):
        raise CostError(
            f"clock: {clock / 1e6:g} MHz is above {bound / 1e6:.4g} MHz, the fastest at {supply.voltage.value:g} V; "
            "lower the clock or raise supply.voltage"
        )
    return {key: _at(constant, supply) for key, constant in table.items()}


def _at(constant: Constant, supply: Supply) -> Constant:
    in_memory = constant.key.startswith("memories.")
    volts = supply.voltage.value
    if in_memory and supply.memory_least is not None:
        volts = max(volts, supply.memory_least.value)
    ratio = volts / supply.nominal.value
    if constant.dimension in _DYNAMIC and not constant.key.startswith("dram."):
        factor = ratio**2
    elif constant.dimension == "W":
        factor = ratio**supply.leakage_exponent.value
    else:
        return constant
    if factor == 1:
        return constant
    low, high = (None if x is None else x * factor for x in (constant.low, constant.high))
    source = f"{constant.source}; x {factor:.3g} from {supply.nominal.value:g} to {volts:g} V"
    return replace(constant, value=constant.value * factor, low=low, high=high, source=source)
