"""Accelerators: a YAML file becomes a frozen table of constants in SI units, each with its source and range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from costmodels import dataflows
from costmodels.equations.chip import Chip, chip_of
from costmodels.errors import CostError
from costmodels.hardware.checks import check_agreement
from costmodels.hardware.compute import IntegerCompute
from costmodels.hardware.constants import Constant, memory_constants, op_constants, stated_range
from costmodels.hardware.datapath import check_widths
from costmodels.hardware.op_energy import op_tables
from costmodels.hardware.operating_point import supplied
from costmodels.hardware.schema import HardwareFile, Memory
from costmodels.widths import FLOAT

if TYPE_CHECKING:
    import pandas as pd


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
        choices |= {"adds_attention_zeros": compute.attention_zeros == "added"}
        choices |= {"sums_in_potentials": self.file.sums == "potential"}
        choices |= {"gates_clock": self.file.clock_gating == "between_inferences"}
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


def resolve(file: HardwareFile, name: str, path: str, sha256: str) -> Hardware:
    """All constants of a checked file: those it states, op energies scaled to its node, and memories from CACTI.

    Raises CostError, beginning with the key, for entries that do not fit each other.
    """
    check_agreement(file)
    table = {
        key: Constant(key, q.si, q.dimension, q.unit, q.source, *stated_range(q))
        for key, q in file.quantities()
        if not key.endswith((".temperature",))
    }
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
