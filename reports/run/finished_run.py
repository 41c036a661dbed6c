"""Reading a run directory into one frozen value; docs/design.md says what each file holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from reports.errors import ReportError
from reports.run import designs as design_reader
from reports.run.designs import Design, WeightLayers
from reports.run.layer_costs import LayerCost
from reports.run.manifest import Manifest, read_manifest
from reports.run.picks import Picks, read_picks
from reports.run.rows import (
    BottleneckRow,
    ComparisonRow,
    ContributionRow,
    CrossoverRow,
    ExpectedRow,
    FinetunedRow,
    FormRow,
    HardwareRow,
    HealthRow,
    HistoryRow,
    LayerRow,
    PredictionRow,
    ResultRow,
    SensitivityRow,
    SweptRow,
    VerifiedRow,
)
from reports.run.run_files import Bands, Breakdown, KnobTable, RunFiles
from reports.run.stability import Stability, read_stability
from reports.run.tables import read_rows, read_table


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
    knobs: tuple[SweptRow, ...] | None
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
            "images, and none is recommended. Run the same search command again to continue."
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
    files = RunFiles(directory, frozenset(results["id"]))
    picks = read_picks(directory / "picks.json")
    files.check("picks.json", (p.id for p in picks.picks))
    stability = read_stability(directory / "stability.json", tuple(table["id"]))
    parts, stage_bands = files.energy_bands()
    return FinishedRun(
        directory=directory,
        config=files.text("config.yaml"),
        manifest=read_manifest(directory / "manifest.json"),
        picks=picks,
        designs=_designs(files, results, picks, stability),
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
        knobs=files.rows("knobs", SweptRow),
        comparisons=files.of_designs("comparisons", ComparisonRow),
        forms=files.of_designs("forms", FormRow),
        bottlenecks=files.of_designs("bottlenecks", BottleneckRow),
        crossover=files.of_designs("crossover", CrossoverRow),
        contributions=files.rows("decomposition", ContributionRow),
        finetuned=files.rows("finetuned", FinetunedRow),
        stability=stability,
    )


def _designs(files: RunFiles, results: pd.DataFrame, picks: Picks, stability: Stability | None) -> tuple[Design, ...]:
    """The designs of results.csv with what other files say of them."""
    verified = files.of_designs("verified", VerifiedRow) or ()
    expected = files.of_designs("expected", ExpectedRow) or ()
    path = files.directory / "results.csv"
    found = design_reader.designs(path, results, picks.picks, verified, expected, picks.budgets)
    return found if stability is None else tuple(replace(d, energy_band=stability.energy_of(d.id)) for d in found)
