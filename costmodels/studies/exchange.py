"""Action counts for tools that price them, and priced actions back into a chip: CSV tables by layer and component."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels import dataflows
from costmodels.equations.counts import Counts, Load
from costmodels.equations.energy import NEURON_ADDITIONS
from costmodels.errors import CostError
from costmodels.estimation.designs import Designs
from costmodels.estimation.loads import load_of
from costmodels.estimation.request import request
from costmodels.hardware.hardware import Hardware, resolve
from costmodels.hardware.schema import HardwareFile, IntegerCompute
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

PRICES = {
    ("weight_memory", "read"): "memories.weights.read",
    ("state_memory", "read"): "memories.states.read",
    ("state_memory", "write"): "memories.states.write",
    ("spike_memory", "read"): "memories.spikes.read",
    ("spike_memory", "write"): "memories.spikes.write",
    ("register", "write_bit"): "compute.register_per_bit",
    ("adder", "add_bit"): "compute.add_per_bit",
    ("multiplier", "multiply_bit2"): "compute.multiply_per_bit2",
    ("multiplier", "operand_bit"): "compute.multiply_per_bit",
    ("network", "packet"): "noc.message",
    ("network", "hop"): "noc.hop",
}
"""The constant of a hardware file that prices an action of a component."""


def action_counts(workload: Workload, hardware: Hardware, design: Designs | ArrayLike) -> pd.DataFrame:
    """One design's actions per inference, one row per layer, component and action that happens.

    workload  the layer table with the measured activity
    hardware  the chip
    design    one design as for `estimate`, with integer weights

    Columns: layer, component, action, count, `constant` (the hardware file's key that prices it), `energy_pj` (of one
    action on this chip). Actions of memories are words; those of register and adder bits; of the multiplier products of
    widths, and means of them. Control, leakage and DRAM have no such action and are left out. Raises CostError for a
    chip that states energies per operation, and for float rows.
    """
    import pandas as pd

    if not isinstance(hardware.file.compute, IntegerCompute):
        raise CostError(f"{hardware.name} states energies per operation: its actions are those of `actions`")
    asked = request(workload, hardware, Designs.of(design), None)
    load = load_of(asked, asked.only("action counts are"))
    if np.any(load.is_float):
        raise CostError("action counts are of integer weights; leave out layers with 32 bits")
    counts = dataflows.named(hardware.dataflow).counts(load, hardware.chip)
    rows = []
    for (component, action), values in _counted(load, counts, hardware):
        key = PRICES[component, action]
        if key not in hardware.table:
            continue
        each = np.broadcast_to(np.asarray(values, dtype=np.float64), (workload.rows,))
        for place in np.flatnonzero(each):
            row: dict[str, Any] = {"layer": workload.names[place], "component": component, "action": action}
            price = hardware.table[key].value * 1e12
            rows.append(row | {"count": float(each[place]), "constant": key, "energy_pj": price})
    order = {name: place for place, name in enumerate(workload.names)}
    table = pd.DataFrame(rows)
    return table.sort_values("layer", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def _counted(load: Load, counts: Counts, hardware: Hardware) -> Iterator[tuple[tuple[str, str], FloatArray]]:
    """Every action with how often it happens in each row, (R,)."""
    chip, unit = hardware.chip, load.switching
    in_states = counts.sum_words + counts.state_words + counts.idle_state_words + counts.stream_state_words
    updates = counts.neuron_steps + counts.idle_neuron_steps
    leaks = np.where(load.leak_bits > 0, updates, 0.0)
    operations = counts.additions + counts.multiplications
    added = operations * unit.add_bits + updates * NEURON_ADDITIONS * unit.neuron_bits
    added = added - leaks * unit.neuron_bits + counts.stream_bit_additions + counts.rescales * load.sum_bits
    squares = counts.multiplications * unit.product_bits2 + leaks * unit.neuron_bits * load.leak_bits
    means = counts.multiplications * unit.product_bits + leaks * (unit.neuron_bits + load.leak_bits) / 2
    yield ("weight_memory", "read"), counts.weight_words
    yield ("state_memory", "read"), in_states
    yield ("state_memory", "write"), in_states
    yield ("spike_memory", "read"), counts.spike_words_read + counts.stream_words
    yield ("spike_memory", "write"), counts.spike_words_written + counts.stream_words
    yield ("register", "write_bit"), counts.register_bits
    yield ("adder", "add_bit"), added
    yield ("multiplier", "multiply_bit2"), squares + counts.rescales * load.sum_bits * chip.scale_bits
    yield ("multiplier", "operand_bit"), means + counts.rescales * (load.sum_bits + chip.scale_bits) / 2
    yield ("network", "packet"), counts.packets
    yield ("network", "hop"), counts.packets * chip.hops


def priced(hardware: Hardware, path: str | Path) -> Hardware:
    """The chip with the energies of a priced table: what another estimator says of the same actions.

    hardware  the chip
    path      a CSV file with the columns component, action, energy_pj and source, a row per action

    Every energy becomes an entry of the hardware file with that source; `write_hardware` writes it. Raises CostError
    with file, line, column, value and remedy.
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
    unit = {"multiply_per_bit2": "pJ/bit2", "message": "pJ", "hop": "pJ"}.get(key.rsplit(".", 1)[-1])
    if unit is None:
        unit = "pJ/bit" if key.startswith("compute.") else "pJ"
    return {"value": value, "unit": unit, "source": row["source"]}


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
    with Path(path).open("w", encoding="utf-8") as stream:
        YAML(typ="safe", pure=True).dump(tree, stream)
