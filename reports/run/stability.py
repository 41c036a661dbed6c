"""stability.json: what uncertain constants of the chip do to the costs, the ranking and the front."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reports.errors import ReportError
from reports.run.json_file import Entry, read_json


@dataclass(frozen=True)
class Swing:
    """A constant and the relative change of the objective at the low and the high end of its range."""

    constant: str
    range: str
    low: float
    high: float


@dataclass(frozen=True)
class Scenario:
    """One changed constant: Kendall's tau of the ranking, the share of the front that stays on it.

    `cheapest` is the design that costs least of those that lose no more than the recommended one, and `regret` what
    that one costs more (a share); empty and 0 in older files.
    """

    constant: str
    change: str
    tau: float
    front_kept: float
    cheapest: str = ""
    regret: float = 0.0


@dataclass(frozen=True)
class FrontSurvival:
    """The share of the scenarios in which a design of the front stays on it."""

    design: str
    share: float


@dataclass(frozen=True)
class Band:
    """A design's objective [SI], and the least and greatest of it over all variations."""

    design: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Stability:
    """The record of `costmodels.studies.stability`; `designs` were costed again, None where the file has no number.

    `regret` is the greatest of the recommended design, None in older files; `cheapest` and `base_regret` are those of
    the scenarios at the unchanged constants; `notes` say why a ranking says nothing;
    `energies` are the bands of the energy, whatever the objective is; `others` are the swings of other costs, by name.
    """

    objective: str
    designs: int | None
    swings: tuple[Swing, ...]
    scenarios: tuple[Scenario, ...]
    survival: tuple[FrontSurvival, ...]
    bands: tuple[Band, ...] = ()
    regret: float | None = None
    notes: tuple[str, ...] = ()
    energies: tuple[Band, ...] = ()
    cheapest: str = ""
    base_regret: float = 0.0
    others: tuple[tuple[str, tuple[Swing, ...]], ...] = ()

    def energy_of(self, design: str) -> tuple[float, float] | None:
        """Least and greatest energy of a design over all variations [J]; None where it was not costed again."""
        return next(((band.low, band.high) for band in self.energies if band.design == design), None)


def read_stability(path: Path, rows: tuple[str, ...]) -> Stability | None:
    """The record of a run, None where it has none; `rows` are the ids of results.csv, which it may name by number.

    Raises ReportError for an entry that is missing or of another type.
    """
    if not path.is_file():
        return None
    tree = read_json(path)
    tree.need("tornado", "scenarios")
    others = tree.optional("tornados")
    return Stability(
        objective=tree.text("objective", "energy_j"),
        designs=int(tree.number("designs")) if "designs" in tree else None,
        swings=_swings(tree, "tornado"),
        others=() if others is None else tuple((name, _swings(others, name)) for name in others),
        scenarios=tuple(
            Scenario(
                *(s.text("constant"), s.text("change"), s.number("tau"), s.number("front_kept")),
                cheapest=s.text("cheapest", ""),
                regret=s.number("regret", 0.0),
            )
            for s in tree.entries("scenarios")
        ),
        survival=tuple(FrontSurvival(_design(path, s, rows), s.number("share")) for s in tree.entries("survival")),
        bands=_bands(path, tree, "bands", rows),
        energies=_bands(path, tree, "energy_bands", rows),
        regret=tree.number("worst_regret") if "worst_regret" in tree else None,
        notes=tree.texts("notes"),
        cheapest=tree.text("cheapest", ""),
        base_regret=tree.number("base_regret", 0.0),
    )


def _swings(tree: Entry, name: str) -> tuple[Swing, ...]:
    return tuple(
        Swing(t.text("constant"), t.text("range"), t.number("low_change"), t.number("high_change"))
        for t in tree.entries(name)
    )


def _bands(path: Path, tree: Entry, name: str, rows: tuple[str, ...]) -> tuple[Band, ...]:
    return tuple(
        Band(_design(path, b, rows), b.number("value"), b.number("low"), b.number("high")) for b in tree.entries(name)
    )


def _design(path: Path, entry: Entry, rows: tuple[str, ...]) -> str:
    """The design of an entry, which is an id or a row of results.csv counted from 0."""
    named = entry.text("design")
    if named in rows:
        return named
    if not named.isdigit() or int(named) >= len(rows):
        raise ReportError(f"{path}: design {named} is not in results.csv; write it again")
    return rows[int(named)]
