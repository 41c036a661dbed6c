"""Accelerators: a YAML file becomes a frozen table of constants in SI units, each with its source and range."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodels import dataflows
from costmodels.equations.chip import Chip, chip_of
from costmodels.errors import CostError
from costmodels.hardware.constants import Constant, memory_constants, op_constants, stated_range
from costmodels.hardware.datapath import check_widths
from costmodels.hardware.file import check, parse
from costmodels.hardware.op_energy import op_tables
from costmodels.hardware.operating_point import supplied
from costmodels.hardware.schema import HardwareFile, IntegerCompute, Memory
from costmodels.widths import FLOAT, WIDEST_INTEGER
from costmodels.yaml_file import line_of, meant, read_yaml

if TYPE_CHECKING:
    import pandas as pd

CHIPS = Path(__file__).parents[1] / "chips"


@dataclass(frozen=True)
class Hardware:
    """One accelerator.

    name      name of the file without its ending
    path      path of the file
    sha256    hash of the file, hexadecimal
    file      content of the file
    table     every number of the model by dotted key, in SI units
    op_table  table of the op energies; empty where the file states energies per operation
    """

    name: str
    path: str
    sha256: str
    file: HardwareFile
    table: Mapping[str, Constant]
    op_table: str = ""

    @property
    def title(self) -> str:
        """The title that the file gives."""
        return self.file.title

    @property
    def dataflow(self) -> str:
        """The name of its data flow."""
        return self.file.dataflow

    @property
    def needs_products(self) -> bool:
        """Whether its data flow needs what product sparsity leaves: the columns of `svit-dse profile --products`."""
        return bool(dataflows.named(self.dataflow).MEASURED)

    @property
    def datapath(self) -> str:
        """The name of its datapath."""
        compute = self.file.compute
        stated = compute.datapath if isinstance(compute, IntegerCompute) else None
        return stated.form if stated is not None else "ideal"

    @property
    def weight_widths(self) -> tuple[int, ...]:
        """Integer weight widths that the chip can store, ascending; others are stored in the next wider one."""
        return tuple(sorted(set(self.file.weight_widths)))

    @property
    def frame_rate(self) -> float:
        """Inferences per second at which average power is stated, unless a call says otherwise."""
        return self.table["frame_rate"].value

    @cached_property
    def chip(self) -> Chip:
        """The numbers as the equations read them."""
        compute = self.file.compute
        grows = isinstance(compute, IntegerCompute) and compute.accumulator == "grown"
        constants = {key: constant.value for key, constant in self.table.items()}
        pins = self.file.dram is None or self.file.dram.pinning == "partial"
        choices = {"adds_levels": compute.levels == "additions", "pins": pins}
        choices |= {"skips_zeros": compute.zero_weights == "skipped", "image_once": self.file.still_image == "once"}
        choices |= {"sums_in_potentials": self.file.sums == "potential"}
        return chip_of(constants, grows, self.datapath, choices)

    def constants(self) -> pd.DataFrame:
        """Every constant as `key, value, unit, source, low, high`, derived ones included (hardware.csv of a run)."""
        import pandas as pd

        return pd.DataFrame([constant.shown() for constant in self.table.values()])

    def with_constant(self, key: str, value: float) -> Hardware:
        """The same accelerator with one constant at another value.

        key    dotted key of the constant
        value  in the SI unit of its dimension

        Nothing else changes, not even what was derived from it. Raises CostError for an unknown key.
        """
        if key not in self.table:
            raise CostError(f"{self.name} has no constant {key!r}; there are {', '.join(self.table)}")
        return replace(self, table={**self.table, key: replace(self.table[key], value=value)})

    def with_datapath(self, section: Mapping[str, Any]) -> Hardware:
        """The same accelerator with another datapath.

        section  the entries of `compute.datapath` of a hardware file; numbers as {value, unit, source}

        Weight widths that the new datapath cannot run are left out. Raises CostError where the file states energies per
        operation, which no datapath explains.
        """
        if not isinstance(self.file.compute, IntegerCompute):
            raise CostError(f"{self.name} states energies per operation; a datapath does not apply")
        tree = self.file.model_dump(mode="python", exclude_none=True)
        tree["compute"]["datapath"] = dict(section)
        widest = section["weight_bits"]["value"] if "weight_bits" in section else FLOAT
        tree["weight_widths"] = tuple(bits for bits in self.file.weight_widths if bits <= widest)
        return resolve(HardwareFile.model_validate(tree), self.name, self.path, self.sha256)

    def with_op_table(self, name: str) -> Hardware:
        """The same accelerator with the op energies of the shipped table `name` (see costmodels.op_tables).

        Raises CostError for an unknown table, and where the file states energies per operation.
        """
        compute = self.file.compute
        if not isinstance(compute, IntegerCompute):
            raise CostError(f"{self.name} states energies per operation; an op-energy table does not apply")
        blank = dict.fromkeys(op_tables()[name].entries) if name in op_tables() else {}
        changed = compute.model_copy(update={**blank, "table": name})
        return resolve(self.file.model_copy(update={"compute": changed}), self.name, self.path, self.sha256)


def hardware_names() -> tuple[str, ...]:
    """The shipped accelerators: the files in costmodels/chips."""
    return tuple(sorted(path.stem for path in CHIPS.glob("*.yaml")))


def load_hardware(name_or_path: str | Path) -> Hardware:
    """An accelerator.

    name_or_path  a shipped one by its name (costmodels.hardware_names), or one of your own by its path

    Raises CostError with file, line, key, value and remedy on one line.
    """
    path = find(name_or_path)
    try:
        return resolve(parse(path), path.stem, str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    except CostError as error:
        raise CostError(_placed(str(error), path)) from None


def find(name_or_path: str | Path) -> Path:
    """The file of a shipped accelerator, or the path itself."""
    text = str(name_or_path)
    if text in hardware_names():
        return CHIPS / f"{text}.yaml"
    path = Path(name_or_path)
    if not path.is_file():
        raise CostError(f"{text}: neither a file nor a shipped accelerator; {meant(text, hardware_names())}")
    return path


def lint(name_or_path: str | Path) -> list[str]:
    """Every mistake of a hardware file, one line each; empty for a file that can be used.

    name_or_path  as for `load_hardware`
    """
    try:
        path = find(name_or_path)
    except CostError as error:
        return [str(error)]
    mistakes, file = check(path)
    if file is None:
        return mistakes
    try:
        resolve(file, path.stem, str(path), "")
    except CostError as error:
        return [_placed(str(error), path)]
    return []


def hardware_table() -> pd.DataFrame:
    """The shipped accelerators, one row each: name, title, node, data flow, widths, memories and the file's hash."""
    import pandas as pd

    rows = []
    for name in hardware_names():
        hardware = load_hardware(name)
        chip = hardware.chip
        on_chip = [port.size for port in (chip.weights, chip.states, chip.spikes) if port.size < float("inf")]
        rows.append(
            {
                "name": name,
                "title": hardware.title,
                "node_nm": hardware.table["node"].value,
                "dataflow": hardware.dataflow,
                "weight_widths": " ".join(map(str, hardware.weight_widths)),
                "on_chip_bytes": sum(on_chip) / 8,
                "dram": chip.has_dram,
                "memory_area_mm2": chip.memory_area,
                "constants": len(hardware.table),
                "sha256": hardware.sha256,
            }
        )
    return pd.DataFrame(rows)


def resolve(file: HardwareFile, name: str, path: str, sha256: str) -> Hardware:
    """All constants of a checked file: those it states, op energies scaled to its node, and memories from CACTI.

    Raises CostError, beginning with the key, for entries that do not fit each other.
    """
    needed = dataflows.named(file.dataflow).REQUIRES
    for memory in needed:
        if getattr(file.memories, memory) is None:
            raise CostError(f"memories.{memory} is missing; data flow {file.dataflow} needs it")
    _check_geometry(file)
    _check_choices(file)
    table = {
        key: Constant(key, q.si, q.dimension, q.unit, q.source, *stated_range(q))
        for key, q in file.quantities()
        if not key.endswith((".temperature",))
    }
    for bits in file.weight_widths:
        if WIDEST_INTEGER < bits < FLOAT:
            expected = f"expected 1 to {WIDEST_INTEGER} for integers, or {FLOAT} for float"
            raise CostError(f"weight_widths: {bits} is not supported; {expected}")
    op_table = ""
    if isinstance(file.compute, IntegerCompute):
        check_widths(file.compute.datapath, file.weight_widths)
        op_table = file.compute.table
        table |= {key: c for key, c in op_constants(file.compute, file.node.value).items() if key not in table}
    for memory in ("weights", "states", "spikes"):
        spec: Memory | None = getattr(file.memories, memory)
        if spec is not None:
            table |= {k: c for k, c in memory_constants(memory, spec, file.node.value).items() if k not in table}
    return Hardware(name, path, sha256, file, supplied(table, file.supply), op_table)


def _check_choices(file: HardwareFile) -> None:
    """Raise CostError for choices that the data flow does not have."""
    if file.still_image == "once" and file.dataflow != "tick_batched":
        raise CostError(f"still_image: data flow {file.dataflow} runs every layer in every step; leave it out")
    tree = isinstance(file.compute, IntegerCompute) and file.compute.reduction_inputs is not None
    if tree and dataflows.named(file.dataflow).PIPELINED:
        raise CostError(f"compute.reduction_inputs: data flow {file.dataflow} adds spike by spike; leave it out")


def _check_geometry(file: HardwareFile) -> None:
    """Raise CostError for an array that is not that of the processing elements, or that the data flow does not have."""
    shape = file.geometry
    if shape is None:
        return
    made, stated = shape.positions.value * shape.channels.value, file.processing_elements.value
    if made != stated:
        text = f"{shape.positions.value:g} positions x {shape.channels.value:g} channels are {made:g} elements"
        raise CostError(f"geometry: {text}, processing_elements is {stated:g}; expected the same number")
    if dataflows.named(file.dataflow).PIPELINED:
        raise CostError(f"geometry: data flow {file.dataflow} has a core per layer and no array; leave it out")


def _placed(message: str, path: Path) -> str:
    """A message that begins with a key, with file and line in front; others as they are."""
    if message.startswith(str(path)):
        return message
    key = message.split(" ")[0].rstrip(":")
    line = line_of(read_yaml(path), key.split("."))
    return f"{path}:{line}: {message}" if line else f"{path}: {message}"
