"""Reading a run directory into one frozen value; docs/design.md says what each file holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import pandas as pd

from reports.errors import ReportError
from reports.run import designs as design_reader
from reports.run.designs import Design, WeightLayers
from reports.run.layer_costs import LayerCost, layer_costs
from reports.run.manifest import Manifest, read_manifest
from reports.run.picks import Picks, read_picks
from reports.run.rows import (
    BottleneckRow,
    BreakdownRow,
    ComparisonRow,
    ContributionRow,
    CrossoverRow,
    EnergyPartRow,
    ExpectedRow,
    FinetunedRow,
    FormRow,
    HardwareRow,
    HealthRow,
    HistoryRow,
    KnobRow,
    LayerRow,
    PredictionRow,
    ResultRow,
    SensitivityRow,
    SpikesRow,
    VerifiedRow,
)
from reports.run.stability import Stability, read_stability
from reports.run.tables import Row, missing, optional_rows, read_rows, read_table

Breakdown = Mapping[tuple[str, str, str, str], float]
Bands = Mapping[tuple[str, str, str], tuple[float, float]]


@dataclass(frozen=True)
class KnobTable:
    """codesign.csv as it is: its columns depend on the knobs that the chip declares."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


@dataclass(frozen=True)
class FinishedRun:
    """A finished search, read from its directory; what the run does not have is None.

    `designs` are in the order of evaluation, each once; `baselines` maps a baseline's name to the id of its design,
    float first. `spikes` are spikes per image by design and LIF layer; `breakdown` are costs [SI] by quantity, design,
    stage and component; `energy_parts` are least and greatest energy [J] by design, layer and component, where an empty
    layer or component is all of them; `stage_bands` the same by stage.
    """

    directory: Path
    config: str
    manifest: Manifest
    picks: Picks
    designs: tuple[Design, ...]
    baselines: Mapping[str, str]
    layers: tuple[LayerRow, ...]
    weight_layers: WeightLayers
    sensitivity: tuple[SensitivityRow, ...] | None
    spikes: Mapping[str, Mapping[str, float]] | None
    breakdown: Breakdown | None
    layer_costs: tuple[LayerCost, ...]
    energy_parts: Bands
    stage_bands: Bands
    hardware: tuple[HardwareRow, ...] | None
    history: tuple[HistoryRow, ...] | None
    predictions: tuple[PredictionRow, ...] | None
    health: tuple[HealthRow, ...] | None
    codesign: KnobTable | None
    comparisons: tuple[ComparisonRow, ...] | None
    forms: tuple[FormRow, ...] | None
    bottlenecks: tuple[BottleneckRow, ...] | None
    crossover: tuple[CrossoverRow, ...] | None
    contributions: tuple[ContributionRow, ...] | None
    finetuned: tuple[FinetunedRow, ...] | None
    stability: Stability | None

    @property
    def front(self) -> tuple[Design, ...]:
        """The designs on the front, sorted by memory, then drop, then id."""
        return tuple(sorted((d for d in self.designs if d.on_front), key=lambda d: (d.memory_bytes, d.drop, d.id)))

    @property
    def shown(self) -> tuple[Design, ...]:
        """The front, the picks and every verified design, sorted by memory, then drop, then id."""
        return tuple(sorted((d for d in self.designs if d.shown), key=lambda d: (d.memory_bytes, d.drop, d.id)))

    @property
    def recommended(self) -> str | None:
        """Id of the recommended design, None when the run recommends none."""
        return self.picks.picks[0].id if self.picks.picks else None

    @property
    def title(self) -> str:
        """The title of a report of this run."""
        unfinished = ", search not finished" if self.manifest.unfinished else ""
        return f"Bit allocation of {self.manifest.network} on {self.manifest.hardware.name}{unfinished}"

    @property
    def banner(self) -> str:
        """What stands above the whole report; empty for a finished search."""
        if self.manifest.unfinished is None:
            return ""
        done, wanted = self.manifest.unfinished
        return (
            f"This search is not finished: {done:,} of {wanted:,} evaluations exist. No design was verified on unseen "
            "images, and none is recommended. Run the same search command again to go on."
        )

    def by_id(self, design: str) -> Design:
        """The design of an id that occurs in the run."""
        return next(d for d in self.designs if d.id == design)


def read_run(directory: Path) -> FinishedRun:
    """Read and check a run directory; raises ReportError naming the file, the entry and what would do."""
    if not directory.is_dir():
        raise ReportError(f"{directory}: no such directory; give the --out of a finished `svit-dse search`")
    path = directory / "results.csv"
    table = read_table(path, ResultRow)
    layers = read_rows(directory / "layers.csv", LayerRow)
    results = design_reader.checked_results(path, table, layers)
    files = _Files(directory, frozenset(results["id"]))
    picks = read_picks(directory / "picks.json")
    files.check("picks.json", (p.id for p in picks.picks))
    verified = files.of_designs("verified", VerifiedRow) or ()
    expected = files.of_designs("expected", ExpectedRow) or ()
    stability = read_stability(directory / "stability.json", tuple(table["id"]))
    designs = design_reader.designs(path, results, picks.picks, verified, expected, picks.budgets)
    parts, stage_bands = files.energy_bands()
    if stability is not None:
        designs = tuple(replace(d, energy_band=stability.energy_of(d.id)) for d in designs)
    return FinishedRun(
        directory=directory,
        config=files.text("config.yaml"),
        manifest=read_manifest(directory / "manifest.json"),
        picks=picks,
        designs=designs,
        baselines=design_reader.baselines(results),
        layers=layers,
        weight_layers=design_reader.weight_layers(layers),
        sensitivity=files.rows("sensitivity", SensitivityRow),
        spikes=files.spikes(),
        breakdown=files.breakdown(),
        layer_costs=files.layer_costs(layers, picks.picks[0].id if picks.picks else "", parts),
        energy_parts=parts,
        stage_bands=stage_bands,
        hardware=files.rows("hardware", HardwareRow),
        history=files.of_designs("history", HistoryRow),
        predictions=files.of_designs("predictions", PredictionRow),
        health=files.of_designs("health", HealthRow),
        codesign=files.knobs(),
        comparisons=files.of_designs("comparisons", ComparisonRow),
        forms=files.of_designs("forms", FormRow),
        bottlenecks=files.of_designs("bottlenecks", BottleneckRow),
        crossover=files.of_designs("crossover", CrossoverRow),
        contributions=files.rows("decomposition", ContributionRow),
        finetuned=files.rows("finetuned", FinetunedRow),
        stability=stability,
    )


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


RowOfDesign = TypeVar("RowOfDesign", bound=_HasId)


@dataclass(frozen=True)
class _Files:
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
