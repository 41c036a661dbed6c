"""The files of a run directory that a run may leave out, each as rows or as values by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import pandas as pd

from reports.errors import ReportError
from reports.run.layer_costs import LayerCost, layer_costs
from reports.run.rows import BreakdownRow, EnergyPartRow, KnobRow, LayerRow, SpikesRow
from reports.run.tables import Row, missing, optional_rows, read_table

Breakdown = Mapping[tuple[str, str, str, str], float]
Bands = Mapping[tuple[str, str, str], tuple[float, float]]


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


RowOfDesign = TypeVar("RowOfDesign", bound=_HasId)


@dataclass(frozen=True)
class KnobTable:
    """codesign.csv as it is: its columns depend on the knobs that the chip declares."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


@dataclass(frozen=True)
class RunFiles:
    """The files that a run may leave out: None where one is missing or empty. `ids` are the designs of results.csv."""

    directory: Path
    ids: frozenset[str]

    def text(self, name: str) -> str:
        """The text of a file that every run has."""
        path = self.directory / name
        if not path.is_file():
            raise missing(path)
        return path.read_text(encoding="utf-8")

    def check(self, name: str, ids: Iterable[str]) -> None:
        """Raise ReportError for a design that is not in results.csv."""
        unknown = next((i for i in ids if i not in self.ids), None)
        if unknown is not None:
            path = self.directory / name
            raise ReportError(f"{path}: design {unknown} is not in results.csv; the files come from different runs")

    def rows(self, name: str, row: type[Row]) -> tuple[Row, ...] | None:
        """The rows of a table."""
        return optional_rows(self.directory / f"{name}.csv", row)

    def of_designs(self, name: str, row: type[RowOfDesign]) -> tuple[RowOfDesign, ...] | None:
        """The rows of a table whose designs are all in results.csv."""
        rows = self.rows(name, row)
        self.check(f"{name}.csv", (r.id for r in rows or ()))
        return rows

    def spikes(self) -> dict[str, dict[str, float]] | None:
        """Spikes per image by design and LIF layer, from the s: columns of spikes.csv."""
        table = self._table("spikes", SpikesRow)
        if table is None:
            return None
        counts = table.drop_duplicates("id").set_index("id").filter(regex="^s:").rename(columns=lambda c: c[2:])
        return {str(design): row for design, row in counts.to_dict("index").items()}

    def breakdown(self) -> Breakdown | None:
        """Costs by quantity, design, stage and component, in the order of breakdown.csv; its layers are summed."""
        table = self._table("breakdown", BreakdownRow)
        if table is None:
            return None
        keys = ["quantity", "id", "stage", "component"]
        sums = table.groupby(keys)["value"].sum()
        return {key: float(sums[key]) for key in table[keys].drop_duplicates().itertuples(index=False, name=None)}

    def layer_costs(self, layers: tuple[LayerRow, ...], design: str, parts: Bands) -> tuple[LayerCost, ...]:
        """The layers of one design; nothing where breakdown.csv does not hold it."""
        table = self._table("breakdown", BreakdownRow)
        own = {(layer, component): band for (each, layer, component), band in parts.items() if each == design}
        return () if table is None else layer_costs(table[table["id"] == design], layers, own)

    def energy_bands(self) -> tuple[Bands, Bands]:
        """Least and greatest energy of layers and components of designs, and of the components of their stages; empty
        in older runs.
        """
        parts: dict[tuple[str, str, str], tuple[float, float]] = {}
        stages: dict[tuple[str, str, str], tuple[float, float]] = {}
        for row in self.of_designs("energy_parts", EnergyPartRow) or ():
            band = row.energy_low, row.energy_high
            if row.stage and not row.layer:
                stages[row.id, row.stage, row.component] = band
            else:
                parts[row.id, row.layer, row.component] = band
        return parts, stages

    def knobs(self) -> KnobTable | None:
        """The table of codesign.csv."""
        table = self._table("codesign", KnobRow, of_designs=False)
        if table is None:
            return None
        rows = tuple(
            tuple(float(v) if isinstance(v, int | float) and not isinstance(v, bool) else str(v) for v in row)
            for row in table.itertuples(index=False)
        )
        return KnobTable(tuple(map(str, table.columns)), rows)

    def _table(self, name: str, row: type[object], of_designs: bool = True) -> pd.DataFrame | None:
        path = self.directory / f"{name}.csv"
        if not path.is_file():
            return None
        table = read_table(path, row)
        if of_designs:
            self.check(path.name, table["id"])
        return table if len(table) else None
