"""Priced actions back into a chip: what another estimator says of them becomes entries of a hardware file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from costmodels.errors import CostError
from costmodels.hardware.hardware import Hardware, resolve
from costmodels.hardware.schema import HardwareFile
from costmodels.studies.action_counts import CONTROL, PER_BIT, PRICES
from costmodels.whole_files import replacing

UNITS = {
    "multiply_per_bit2": "pJ/bit2",
    "wire": "pJ/bit/mm",
    "clock_per_area": "pJ/mm2",
    **dict.fromkeys(("leakage", "logic_leakage", "background"), "nW"),
}
"""The units of entries, by the last part of their keys, that are no pJ and no pJ/bit."""


def priced(hardware: Hardware, path: str | Path) -> Hardware:
    """The chip with the energies of a priced table: what another estimator says of the same actions.

    hardware  the chip
    path      a CSV file with the columns component, action, energy_pj and source, a row per action

    Every energy becomes an entry of the hardware file with that source; `write_hardware` writes it. A price of control
    takes the place of a control factor. Raises CostError with file, line, column, value and remedy.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise CostError(f"{path}: no such file; expected a CSV table with component, action, energy_pj and source")
    table = pd.read_csv(path)
    for column in ("component", "action", "energy_pj", "source"):
        if column not in table.columns:
            raise CostError(f"{path}:1: column {column!r} is missing; expected component, action, energy_pj, source")
    tree = hardware.file.model_dump(mode="python", exclude_none=True)
    for line, row in enumerate(table.to_dict("records"), start=2):
        key = PRICES.get((str(row["component"]), str(row["action"])))
        if key is None:
            known = ", ".join(f"{component} {action}" for component, action in PRICES)
            raise CostError(f"{path}:{line}: no action {row['component']} {row['action']}; there are {known}")
        _set(tree, key, _entry(row, key, f"{path}:{line}"))
        if key == CONTROL:
            tree["compute"].pop("control_factor", None)
    return resolve(HardwareFile.model_validate(tree), hardware.name, hardware.path, hardware.sha256)


def _entry(row: dict[Any, Any], key: str, place: str) -> dict[str, Any]:
    try:
        value = float(row["energy_pj"])
    except ValueError:
        value = float("nan")
    if not 0 <= value < float("inf"):
        raise CostError(f"{place}: energy_pj is {row['energy_pj']!r}; expected a number of pJ, at least 0")
    if not isinstance(row["source"], str) or not row["source"].strip():
        raise CostError(f"{place}: source is missing; say which estimator priced {row['component']} {row['action']}")
    unit = UNITS.get(key.rsplit(".", 1)[-1], "pJ/bit" if key in PER_BIT else "pJ")
    per_second = 1e-3 if unit == "nW" else 1.0  # a pJ per second is a thousandth of a nW
    return {"value": value * per_second, "unit": unit, "source": row["source"]}


def _set(tree: dict[str, Any], key: str, entry: dict[str, Any]) -> None:
    *parents, last = key.split(".")
    section = tree
    for part in parents:
        if part not in section:
            raise CostError(f"{key} is priced, but the chip has no {part}; leave the row out")
        section = section[part]
    section[last] = entry


def write_hardware(hardware: Hardware, path: str | Path) -> None:
    """Write a chip as a hardware file that `load_hardware` reads.

    hardware  the chip
    path      the file
    """
    from ruamel.yaml import YAML

    tree = hardware.file.model_dump(mode="json", exclude_none=True)
    with replacing(path) as part:
        YAML(typ="safe", pure=True).dump(tree, part)
