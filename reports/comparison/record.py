"""What a comparison of runs shows: their fronts, their recommended designs, and what is not comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.run import Design, FinishedRun


@dataclass(frozen=True)
class ComparedDesign:
    """A design of a run: paired drop with its 95 % interval [pp], top-1 share, memory [B], energy [J] and its band."""

    id: str
    drop: float
    low: float
    high: float
    top1: float
    memory_bytes: float
    energy_j: float
    feasible: bool
    energy_band: tuple[float, float] | None = None

    def cost(self, column: str) -> float:
        """Memory or energy [SI], by its column of results.csv."""
        return self.energy_j if column == "energy_j" else self.memory_bytes


@dataclass(frozen=True)
class Side:
    """One run of the comparison; `recommended` is an id or None, `verdict` that of the recommended design.

    `recommended_design` need not be on the front: that is the front of the search images.
    """

    name: str
    network: str
    checkpoint: str
    hardware: str
    data: str
    tool: str
    float_top1: float
    evaluations: int
    budgets: dict[str, float]
    recommended: str | None
    verdict: str
    front: tuple[ComparedDesign, ...]
    recommended_design: ComparedDesign | None


@dataclass(frozen=True)
class Comparison:
    """Several runs side by side; `warnings` say what makes their numbers hard to compare."""

    sides: tuple[Side, ...]
    warnings: tuple[str, ...]


def record(runs: Sequence[FinishedRun], paths: Sequence[Path]) -> Comparison:
    """What the comparison shows; a run is named by the last part of its path, where that is unique."""
    labels = [p.name or str(p) for p in paths]
    labels = [n if labels.count(n) == 1 else str(p) for n, p in zip(labels, paths, strict=True)]
    sides = tuple(_side(run, name) for run, name in zip(runs, labels, strict=True))
    return Comparison(sides, _warnings(sides))


def _side(run: FinishedRun, name: str) -> Side:
    m, picks = run.manifest, run.picks.picks
    return Side(
        name=name,
        network=m.network,
        checkpoint=m.checkpoint.sha256,
        hardware=f"{m.hardware.name} {m.hardware.sha256[:8]}",
        data=f"{m.images.name} {m.images.sha256[:8]}",
        tool=m.origin.version,
        float_top1=m.float_search.top1,
        evaluations=len(run.designs),
        budgets=run.picks.budgets,
        recommended=run.recommended,
        verdict=picks[0].verdict if picks else "REVIEW",
        front=tuple(_compared(d) for d in run.front),
        recommended_design=None if run.recommended is None else _compared(run.by_id(run.recommended)),
    )


def _compared(d: Design) -> ComparedDesign:
    costs = d.memory_bytes, d.energy_j, d.feasible
    return ComparedDesign(d.id, d.drop, d.drop_low, d.drop_high, d.top1, *costs, energy_band=d.energy_band)


def _warnings(sides: tuple[Side, ...]) -> tuple[str, ...]:
    checks = (
        ("data", "The runs use different images. Drops are paired within a run, not between runs."),
        (
            "network",
            "The runs use different networks. Each drop is against its own float network, so compare top-1 as well.",
        ),
        ("tool", "The runs were made by different versions of svit-dse."),
    )
    warnings = [text for field, text in checks if len({getattr(s, field) for s in sides}) > 1]
    if len({tuple(sorted(s.budgets.items())) for s in sides}) > 1:
        warnings.append("The runs were judged against different budgets.")
    return tuple(warnings)
