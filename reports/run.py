"""Reading a run directory into one frozen value; docs/design.md says what each file holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reports.errors import ReportError

NEEDED = {
    "results": (
        *("id", "origin", "time_steps", "top1", "top1_stderr", "drop", "drop_low", "drop_high", "kl", "images"),
        *("memory_bytes", "energy_j", "latency_s", "power_w", "mean_weight_bits", "on_front", "feasible"),
    ),
    "layers": ("name", "kind", "stage", "block", "weights", "macs", "synops", "neurons", "lif", "lif_spikes"),
}
OPTIONAL = {
    "sensitivity": ("group", "bits", "score"),
    "spikes": ("id",),
    "breakdown": ("id", "layer", "stage", "quantity", "component", "value"),
    "hardware": ("key", "value", "unit", "source", "low", "high"),
    "verified": ("id", "drop", "drop_low", "drop_high", "images"),
    "history": ("trial", "id", "phase", "origin", "images", "seconds", "hypervolume"),
    "predictions": ("id", "predicted", "sd", "measured"),
    "health": ("id", "name", "neurons", "rate", "dead", "saturated"),
    "codesign": ("id",),
    "finetuned": ("id", "top1", "drop", "drop_low", "drop_high", "images"),
}
FINITE = ("top1", "drop", "drop_low", "drop_high", "memory_bytes", "energy_j", "latency_s", "power_w")
NAMED_BASELINES = ("guided", "qsvit", "greedy", "aq4svit")


@dataclass(frozen=True)
class Run:
    """A finished search: its tables as they were written, one row of `results` per design.

    `rows` are the ids of results.csv line by line; a design that was evaluated twice stands there twice.
    `results` and `front` (sorted by memory) have the design's id as index and column; `baselines` maps an origin to
    the id of its design, float first.  Tables that the run does not have are None.
    """

    directory: Path
    config: str
    manifest: Mapping[str, Any]
    picks: Mapping[str, Any]
    results: pd.DataFrame
    rows: tuple[str, ...]
    layers: pd.DataFrame
    baselines: Mapping[str, str]
    sensitivity: pd.DataFrame | None
    spikes: pd.DataFrame | None
    breakdown: pd.DataFrame | None
    hardware: pd.DataFrame | None
    verified: pd.DataFrame | None
    history: pd.DataFrame | None
    predictions: pd.DataFrame | None
    health: pd.DataFrame | None
    codesign: pd.DataFrame | None
    finetuned: pd.DataFrame | None
    stability: Mapping[str, Any] | None

    @property
    def front(self) -> pd.DataFrame:
        """The designs on the front, sorted by memory, then drop, then id."""
        return self.results[self.results["on_front"]].sort_values(["memory_bytes", "drop", "id"])

    @property
    def weight_layers(self) -> list[str]:
        """Names of the weight layers in network order."""
        return [c[2:] for c in self.results.columns if c.startswith("w:")]

    @property
    def budgets(self) -> dict[str, float]:
        """Limits by column of results.csv."""
        return dict(self.picks["budgets"])

    @property
    def recommended(self) -> str | None:
        """Id of the recommended design, None when the run recommends none."""
        chosen = self.picks["picks"]
        return str(chosen[0]["id"]) if chosen else None


def read_run(directory: Path) -> Run:
    """Read and check a run directory; raises ReportError naming the file, the entry and what would do."""
    if not directory.is_dir():
        raise ReportError(f"{directory}: no such directory; give the --out of a finished `svit-dse search`")
    tables = {name: _table(directory, name, columns) for name, columns in NEEDED.items()}
    optional = {name: _optional_table(directory, name, columns) for name, columns in OPTIONAL.items()}
    results = _merged(_checked(directory / "results.csv", tables["results"], tables["layers"]))
    picks = _json(directory / "picks.json", ("budgets", "picks"))
    for name, table in optional.items():
        if table is not None and "id" in table.columns and name not in ("codesign", "finetuned"):
            _known(directory / f"{name}.csv", table["id"].astype(str), results)
    _known(directory / "picks.json", pd.Series([str(p["id"]) for p in picks["picks"]], dtype=str), results)
    stability = directory / "stability.json"
    return Run(
        directory=directory,
        config=_text(directory / "config.yaml"),
        manifest=_json(directory / "manifest.json", ("tool", "checkpoint", "hardware", "data", "float", "phases")),
        picks=picks,
        results=results,
        rows=tuple(tables["results"]["id"]),
        layers=tables["layers"],
        baselines=_baselines(tables["results"]),
        stability=_json(stability, ("tornado", "scenarios")) if stability.is_file() else None,
        **optional,
    )


def _missing(path: Path) -> ReportError:
    return ReportError(f"{path}: no such file; a finished `svit-dse search` writes it, so finish or repeat the search")


def _text(path: Path) -> str:
    if not path.is_file():
        raise _missing(path)
    return path.read_text(encoding="utf-8")


def _json(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        tree = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ReportError(f"{path}: line {error.lineno} is no JSON ({error.msg}); repeat the search") from None
    for key in keys:
        if not isinstance(tree, dict) or key not in tree:
            raise ReportError(f"{path}: has no {key!r}; was it written by another version of svit-dse?")
    return dict(tree)


def _table(directory: Path, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    path = directory / f"{name}.csv"
    if not path.is_file():
        raise _missing(path)
    try:
        table = pd.read_csv(path, dtype={"id": str, "name": str})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: is no table ({str(error).splitlines()[0]}); repeat the search") from None
    for column in columns:
        if column not in table.columns:
            raise ReportError(f"{path}: has no column {column!r}; expected {', '.join(columns)}")
    return table


def _optional_table(directory: Path, name: str, columns: tuple[str, ...]) -> pd.DataFrame | None:
    if not (directory / f"{name}.csv").is_file():
        return None
    table = _table(directory, name, columns)
    return table if len(table) else None


def _checked(path: Path, results: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    if results.empty:
        raise ReportError(f"{path}: has no rows; a report needs at least one evaluated design")
    for column in FINITE:
        numbers = pd.to_numeric(results[column], errors="coerce").replace([float("inf"), -float("inf")], float("nan"))
        if numbers.isna().any():
            row = int(numbers.isna().to_numpy().argmax())
            raise ReportError(f"{path}: line {row + 2}, {column} is {results[column].iloc[row]!r}; expected a number")
    for column in ("on_front", "feasible"):
        if results[column].dtype != bool:
            raise ReportError(f"{path}: column {column} holds {results[column].iloc[0]!r}; expected True or False")
    weighted = list(layers.loc[layers["kind"] != "attention", "name"])
    if "form" in results.columns:
        results = _by_first_form(results, weighted)
    named = [c[2:] for c in results.columns if c.startswith("w:")]
    if named != weighted:
        odd = sorted(set(named) ^ set(weighted)) or ["their order"]
        raise ReportError(
            f"{path}: its w: columns and the weight layers of layers.csv differ in {odd[0]}; repeat the search"
        )
    if results[[f"w:{n}" for n in named]].isna().to_numpy().any():
        raise ReportError(f"{path}: a w: column has an empty cell; expected a width in bits everywhere")
    return results


def _by_first_form(results: pd.DataFrame, weighted: list[str]) -> pd.DataFrame:
    """Designs of both forms by the layers of the unfused one: each has the width of the layer it was fused into.

    A fused layer's column stands after those of the layers it stands for, which are empty in its designs.
    """
    every = [c for c in results.columns if c.startswith("w:")]
    strange = [c for c in every if c[2:] not in set(weighted)]
    filled = results[every].bfill(axis=1).drop(columns=strange)
    return pd.concat([results.drop(columns=every), filled], axis=1)


def _merged(results: pd.DataFrame) -> pd.DataFrame:
    """One row per design: a design that several origins proposed carries all their names."""
    names = results.groupby("id", sort=False)["origin"].agg(lambda o: ", ".join(dict.fromkeys(o)))
    unique = results.drop_duplicates("id").copy()
    unique["origin"] = unique["id"].map(names)
    return unique.set_index("id", drop=False).rename_axis(None)


def _baselines(results: pd.DataFrame) -> dict[str, str]:
    first = results.drop_duplicates("origin")
    named = first["origin"].isin(["float", *NAMED_BASELINES]) | first["origin"].str.startswith(("uniform", "guided-"))
    return dict(zip(first.loc[named, "origin"], first.loc[named, "id"].astype(str), strict=True))


def _known(path: Path, ids: pd.Series, results: pd.DataFrame) -> None:
    strange = ids[~ids.isin(results["id"])]
    if len(strange):
        raise ReportError(f"{path}: design {strange.iloc[0]} is not in results.csv; the files come from different runs")
