"""The run directory: `write_run` is its only writer, `open_run` its only reader; docs/design.md lists every column."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costmodels.whole_files import write_text
from dse.config.file import dump_config, load_config
from dse.config.schema import Config
from dse.errors import ConfigError
from dse.problem.by_form import ByForm
from dse.problem.design import Design, is_weight_column, weight_column
from dse.results import tables
from dse.results.candidates import knee
from dse.results.contents import SO_FAR, START, UNFINISHED, Contents
from dse.results.files import read_csv, read_designs, read_json, read_table, write_csv, write_json
from dse.results.manifest import Manifest
from dse.results.naming import design_id
from dse.results.picks_file import Picks
from dse.results.places import here, placed
from dse.results.tuned_weights import Weights, load_weights, save_weights
from dse.results.verified import MEASURED, Verified, read_verified

if TYPE_CHECKING:
    from costmodels import Hardware, Workload
    from dse.evaluation.costs import Costing

TUNED = "finetuned"


def write_run(out: Path, contents: Contents) -> Run:
    """Write a run directory, every file complete or not at all, and open it.  Raises OSError where it cannot.

    out       the folder, made where there is none
    contents  what goes into its files
    """
    out.mkdir(parents=True, exist_ok=True)
    contents = replace(contents, results=tables.as_written(contents.results))
    write_text(out / "config.yaml", dump_config(contents.config))
    for place, (form, table) in enumerate((contents.layers or {}).items()):
        write_csv(out / (f"layers-{form}.csv" if place else "layers.csv"), table)
    write_csv(out / "front.csv", tables.front_of(contents.results, contents.chosen))
    for name, value in vars(contents).items():
        if isinstance(value, pd.DataFrame):
            write_csv(out / f"{name}.csv", value)
        elif isinstance(value, Mapping) and name not in ("layers", "manifest"):
            write_json(out / f"{name}.json", value)
    for name in (SO_FAR, START):
        (out / name).unlink(missing_ok=True)
    if (out / UNFINISHED / "manifest.json").is_file():
        shutil.rmtree(out / UNFINISHED)
    write_json(out / "manifest.json", {**contents.manifest, "paths_from": here(out)})
    return open_run(out)


@dataclass(frozen=True, eq=False)
class Run:
    """A finished search as its directory tells it; the columns of its tables stand at `Contents`.

    `table` is results.csv, `layers` and `spikes` are layers.csv and spikes.csv.  The other files are read when they
    are asked for.
    """

    path: Path
    config: Config
    manifest: Manifest
    table: pd.DataFrame
    layers: pd.DataFrame
    spikes: pd.DataFrame

    @cached_property
    def picks(self) -> Picks:
        """The recommended design and its alternatives."""
        return cast(Picks, read_json(self.path / "picks.json"))

    @cached_property
    def verified(self) -> dict[str, Verified] | None:
        """Drops on images that the search never saw, by id; None where none was verified."""
        path = self.path / "verified.csv"
        return read_verified(read_designs(path, MEASURED)) if path.is_file() else None

    @cached_property
    def expected(self) -> pd.DataFrame | None:
        """`expected, sd` of every design's drop on unseen images [percentage points], by id; None in older runs."""
        path = self.path / "expected.csv"
        if not path.is_file():
            return None
        return read_table(path, ("id", "expected", "sd")).drop_duplicates("id").set_index("id")

    @cached_property
    def decomposition(self) -> pd.DataFrame | None:
        """What each part of the recommended design contributes; None in older runs, and without pick or drop budget."""
        path = self.path / "decomposition.csv"
        return read_table(path, ("part", "how")) if path.is_file() else None

    @property
    def tuned(self) -> pd.DataFrame:
        """finetuned.csv: designs with other integers; the columns of `table`, `parent` and `verify_...`."""
        path = self.path / f"{TUNED}.csv"
        return read_table(path, tables.NAMED) if path.is_file() else self.table.head(0)

    @property
    def lif_layers(self) -> tuple[str, ...]:
        """LIF layers in the order of the engine's spike counts."""
        return tuple(str(c).removeprefix("s:") for c in self.spikes.columns if c != "id")

    @property
    def spike_counts(self) -> NDArray[np.float64]:
        """Spikes per image of every row of `table`, (N, LIF layers)."""
        return np.asarray(self.spikes.drop(columns="id"), dtype=np.float64)

    @cached_property
    def named_picks(self) -> dict[str, str]:
        """Ids of the picks by name (`recommended`, `least-power`), and of the front's `knee`; words joined by `-`."""
        known = {}
        if (self.path / "picks.json").is_file():
            known = {pick["name"].replace(" ", "-"): pick["id"] for pick in self.picks["picks"]}
        bend = knee(tables.front_of(self.table)) if "on_front" in self.table else None
        return known if bend is None else {"knee": bend} | known

    @property
    def chosen(self) -> list[str]:
        """Ids of the picks and of the verified designs."""
        return [*self.named_picks.values(), *(self.verified or {})]

    def row(self, name: str | None) -> pd.Series:
        """The row of a design, of `table` or `tuned`, by any name that `dse.results.naming` reads.

        Raises ConfigError where neither has it.
        """
        known = self.table
        if (self.path / f"{TUNED}.csv").is_file() and len(tuned := self.tuned):
            known = pd.concat([known, tuned], ignore_index=True)
        found = design_id(name, known, self.named_picks, str(self.path / "results.csv"))
        return known.iloc[int(np.argmax(known["id"] == found))]  # of hundreds of columns, only this row is taken

    def design(self, name: str | None) -> Design:
        """A design by a name.  Raises ConfigError as `row`."""
        return tables.design_of(self.row(name))

    def weights(self, name: str | None) -> Weights | None:
        """The integers of a fine-tuned or reestimated design, by layer; None where the run's rounding made them.

        Raises ConfigError as `row`, and where the file lacks a layer.
        """
        row = self.row(name)
        folder, design = self._tuned_folder(str(row["id"])), tables.design_of(row)
        return load_weights(folder, design.layers, design.weight_bits) if folder.is_dir() else None

    def workload(self) -> Workload:
        """The layer table of the first form for the cost models."""
        from costmodels import Workload

        return Workload.from_table(self.layers, str(self.path / "layers.csv"))

    def chip(self) -> Hardware:
        """The run's chip.  Raises CostError for its file, ConfigError where that names code from elsewhere."""
        from costmodels import load_hardware
        from dse.results import trust

        trust.check_chip(self.config, self.path)
        return load_hardware(self.config.hardware)

    def costing(self, chip: Hardware | None = None) -> Costing:
        """The costs of the run's designs on its chip, or on another.

        Raises ConfigError where a layer table is missing, or the spikes of one of its LIF layers, and where the widths
        of a design are not those of the layers of a form.
        """
        from costmodels import Workload  # reading a run does not need these
        from dse.evaluation.costs import Costing

        chip = chip or self.chip()
        first, *others = self.config.forms
        workloads: dict[str, Workload] = {first: self.workload()}
        for form in others:
            path = self.path / f"layers-{form}.csv"
            if not path.is_file():
                raise ConfigError(f"{path}: no such file, and search.forms has {form}; search again")
            workloads[form] = Workload.from_csv(path)
        counted = set(self.lif_layers)
        if missing := [name for work in workloads.values() for name in work.lif_layers if name not in counted]:
            raise ConfigError(f"{self.path / 'spikes.csv'}: has no column 's:{missing[0]}'; search again")
        by_form = ByForm.of(workloads, lambda workload: workload.weight_layers)
        self._check_widths(by_form.layers.values())
        return Costing(by_form, chip, self.config.frame_rate, self.lif_layers)

    def _check_widths(self, forms: Iterable[Sequence[str]]) -> None:
        columns = [str(c) for c in self.table.columns if is_weight_column(str(c))]
        given = self.table[columns].notna().to_numpy()
        wanted = [{weight_column(name) for name in layers} for layers in forms]
        fit = [(given == [c in form for c in columns]).all(1) for form in wanted if form <= set(columns)]
        if not (right := np.any(fit, axis=0) if fit else np.zeros(len(given), bool)).all():
            at = f"{self.path / 'results.csv'}:{int(right.argmin()) + 2}"
            raise ConfigError(f"{at}: has not the widths of the layers in layers.csv; search again")

    def _tuned_folder(self, design: str) -> Path:
        """The folder of a fine-tuned design, which never lies outside of the run."""
        if Path(design).name != design or design == "..":
            raise ConfigError(f"{self.path / 'results.csv'}: id {design!r} cannot name a folder; search again")
        return self.path / TUNED / design

    def add_tuned(self, row: Mapping[str, Any], record: Mapping[str, Any], weights: Weights) -> Path:
        """Keep a design with other integers: its folder finetuned/<id>, which is returned, and a row of finetuned.csv.

        `row` has the columns of `tuned`, `record` becomes design.json.  A design of the same id is replaced.
        """
        folder = self._tuned_folder(str(row["id"]))
        folder.mkdir(parents=True, exist_ok=True)
        save_weights(folder, weights)
        write_json(folder / "design.json", record)
        others = self.tuned[self.tuned["id"] != row["id"]]
        new = pd.DataFrame([dict(row)])
        write_csv(self.path / f"{TUNED}.csv", pd.concat([others, new], ignore_index=True) if len(others) else new)
        return folder


def open_run(path: Path) -> Run:
    """The run in a directory.

    path  a folder that `write_run` or `svit-dse search` wrote

    Raises ConfigError, naming file, entry and remedy, for what no finished search wrote.
    """
    for name in ("config.yaml", "results.csv", "layers.csv", "spikes.csv", "manifest.json"):
        if not (path / name).is_file():
            raise ConfigError(f"{path / name}: no such file; is {path} the --out of a finished `svit-dse search`?")
    manifest = cast(Manifest, read_json(path / "manifest.json"))
    recorded = manifest.get("paths_from")
    run = Run(
        path,
        placed(load_config(path / "config.yaml"), path, recorded if isinstance(recorded, str) else None),
        manifest,
        read_table(path / "results.csv", tables.NAMED),
        read_csv(path / "layers.csv"),
        read_table(path / "spikes.csv", ("id",)),
    )
    if run.table.empty:
        raise ConfigError(f"{path / 'results.csv'}: has no rows; search again")
    if list(run.spikes["id"]) != list(run.table["id"]):
        raise ConfigError(f"{path / 'spikes.csv'}: its designs are not those of results.csv; search again")
    if "drop" not in run.table:
        raise ConfigError(f"{path / 'results.csv'}: has no column 'drop', which every run has; search again")
    return run
