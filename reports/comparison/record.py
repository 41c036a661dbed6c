"""What a comparison of runs shows: their fronts, their recommended designs, and what is not comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.comparison.gaps import gaps
from reports.comparison.inputs import Input, differing
from reports.run import Design, FinishedRun, UnseenDrop


@dataclass(frozen=True)
class ComparedDesign:
    """A design of a run: what is known of its drop on unseen images [pp], top-1 share of the search images, costs [SI].

    `searched` is the drop on the search images [pp]: too small on average, as designs were chosen on them.
    """

    id: str
    unseen: UnseenDrop
    searched: float
    top1: float
    memory_bytes: float
    energy_j: float
    latency_s: float
    power_w: float
    feasible: bool
    energy_band: tuple[float, float] | None = None

    def cost(self, column: str) -> float:
        """Memory or energy [SI], by its column of results.csv."""
        return self.energy_j if column == "energy_j" else self.memory_bytes


@dataclass(frozen=True)
class Side:
    """One run of the comparison; `recommended` is an id or None, `verdict` that of the recommended design.

    `recommended_design` need not be on the front; `unseen_images` are those it was verified on.
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
    unseen_images: int


@dataclass(frozen=True)
class Comparison:
    """Several runs side by side; `warnings` say what makes their numbers hard to compare.

    `gaps` are sentences on what lies between their recommended designs, `inputs` what differs in what went in.
    """

    sides: tuple[Side, ...]
    warnings: tuple[str, ...]
    gaps: tuple[str, ...]
    inputs: tuple[Input, ...]


def record(runs: Sequence[FinishedRun], paths: Sequence[Path]) -> Comparison:
    """What the comparison shows; a run is named by the last part of its path, where that is unique."""
    labels = [p.name or str(p) for p in paths]
    labels = [n if labels.count(n) == 1 else str(p) for n, p in zip(labels, paths, strict=True)]
    sides = tuple(_side(run, name) for run, name in zip(runs, labels, strict=True))
    return Comparison(sides, _warnings(sides), gaps(runs, labels), differing(runs))


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
        unseen_images=picks[0].verified_images if picks else 0,
    )


def _compared(d: Design) -> ComparedDesign:
    costs = d.memory_bytes, d.energy_j, d.latency_s, d.power_w
    return ComparedDesign(d.id, d.unseen, d.drop, d.top1, *costs, d.feasible, d.energy_band)


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
