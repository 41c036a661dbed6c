"""In which inputs compared runs differ: manifest, configuration and constants of the chip."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from reports.errors import ReportError
from reports.number_text import UNITS, label, quantity
from reports.run import FinishedRun, Manifest

# keys of config.yaml whose values stand in the manifest with a hash, or in picks.json with their units
ELSEWHERE = ("network", "checkpoint", "hardware", "data.name", "data.search_images", "search.seed", "budgets.")
ABSENT = "–"


@dataclass(frozen=True)
class Input:
    """One input: its kind, its name, and its value in every run in words."""

    kind: str
    name: str
    values: tuple[str, ...]


def differing(runs: Sequence[FinishedRun]) -> tuple[Input, ...]:
    """The inputs that are not the same in all runs: of the run, of its configuration, and constants of its chip."""
    tables = {
        "run": [_of_manifest(run.manifest) for run in runs],
        "configuration": [_of_configuration(run) for run in runs],
        "chip": [_of_chip(run) for run in runs],
    }
    return tuple(row for kind, columns in tables.items() for row in _rows(kind, columns) if len(set(row.values)) > 1)


def _rows(kind: str, columns: Sequence[Mapping[str, str]]) -> Iterator[Input]:
    names = dict.fromkeys(name for column in columns for name in column)
    for name in names:
        yield Input(kind, name, tuple(column.get(name, ABSENT) for column in columns))


def _of_manifest(m: Manifest) -> dict[str, str]:
    images = f"{m.images.count:,} of {m.images.name}, {m.images.split}"
    return {
        "network": m.network,
        "checkpoint": _hashed(m.checkpoint.name, m.checkpoint.sha256),
        "images": _hashed(images, m.images.sha256),
        "chip file": _hashed(m.hardware.name, m.hardware.sha256),
        "seed": m.origin.seed,
        "svit-dse": m.origin.version + (f", commit {m.origin.commit[:8]}" if m.origin.commit else ""),
        "costs computed again": f"measured in {m.recosted_from}" if m.recosted_from else "no",
    } | {f"own {what}": name for what, name in m.own_parts}


def _hashed(name: str, sha256: str) -> str:
    return f"{name} ({sha256[:8]})" if sha256 else name


def _of_configuration(run: FinishedRun) -> dict[str, str]:
    limits = {f"budget, {label(c).lower()}": quantity(v, UNITS.get(c, "")) for c, v in run.picks.budgets.items()}
    return {key: text for key, text in _flat(_parsed(run)) if not key.startswith(ELSEWHERE)} | limits


def _parsed(run: FinishedRun) -> Mapping[str, Any]:
    """The configuration of a run as plain values.  Raises ReportError for a file that no search wrote."""
    path = run.directory / "config.yaml"
    try:
        if any(isinstance(event, AliasEvent) for event in YAML(pure=True).parse(run.config)):
            raise ReportError(f"{path}: has YAML aliases, which no search writes; compare the directory as it was made")
        tree = YAML(typ="safe", pure=True).load(run.config)
    except YAMLError as error:
        raise ReportError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None
    return tree if isinstance(tree, Mapping) else {}


def _flat(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and values; an empty mapping is a value."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value if isinstance(value, str) else json.dumps(value, default=str)


def _of_chip(run: FinishedRun) -> dict[str, str]:
    return {row.key: f"{row.value:.6g} {'' if row.unit == '1' else row.unit}".strip() for row in run.hardware or ()}
