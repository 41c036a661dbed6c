"""The glossary: sorted, complete in itself, and every place that it names exists."""

import dataclasses
import importlib.util
import re
from pathlib import Path

import pytest

from reports.run import rows

GLOSSARY = Path(__file__).parents[1] / "docs" / "glossary.md"
HEAD = ["term", "symbol", "unit", "meaning", "where"]
TABLES = {
    "results.csv": rows.ResultRow,
    "sensitivity.csv": rows.SensitivityRow,
    "history.csv": rows.HistoryRow,
    "health.csv": rows.HealthRow,
    "breakdown.csv": rows.BreakdownRow,
    "verified.csv": rows.VerifiedRow,
}


def entries() -> list[dict[str, str]]:
    lines = [line for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == HEAD
    return [dict(zip(HEAD, row, strict=True)) for row in cells[2:]]


def exists(place: str) -> bool:
    """Whether `package.module` can be imported, or `file.csv: column` is a column that a run directory has."""
    file, _, column = place.partition(": ")
    if column:
        return column in {field.name for field in dataclasses.fields(TABLES[file])}
    try:
        return importlib.util.find_spec(place) is not None
    except ModuleNotFoundError:
        return False


def test_terms_are_sorted_and_each_has_a_meaning():
    terms = [e["term"].lower() for e in entries()]
    assert terms == sorted(terms)
    assert len(set(terms)) == len(terms) > 50
    assert [e["term"] for e in entries() if not e["meaning"]] == []


@pytest.mark.parametrize("place", sorted({e["where"] for e in entries()}))
def test_every_place_exists(place):
    name = re.fullmatch(r"`([^`]+)`", place)
    assert name is not None, place
    assert exists(name[1]), place


def test_a_place_that_does_not_exist_is_noticed():
    assert not exists("dse.luck")
    assert not exists("nowhere.at.all")
    assert not exists("results.csv: luck")
