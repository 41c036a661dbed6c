"""What lies between the recommended designs of compared runs, and what a run without one lacks, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from reports.number_text import UNITS, label, quantity, share, significant, tidy
from reports.run import Design, FinishedRun
from reports.sections import advice

COSTS = ("memory_bytes", "energy_j", "latency_s", "power_w", "area_mm2")


def gaps(runs: Sequence[FinishedRun], names: Sequence[str]) -> tuple[str, ...]:
    """Every later run against the first, then what each run is short of.

    Runs without a recommended design are not in the first part; the second says how far they are from one.
    """
    lines = []
    chosen = {n: r.by_id(r.recommended) for r, n in zip(runs, names, strict=True) if r.recommended is not None}
    same = len({(r.manifest.images.sha256, r.manifest.network) for r in runs}) == 1
    for name in list(chosen)[1:]:
        first = next(iter(chosen))
        lines.append(f"{name} against {first}: {_costs(chosen[name], chosen[first])}.")
        lines.append(f"{name} against {first}: {_drops(chosen[name], chosen[first], same)}.")
    return (*lines, *(f"{n}: {line}" for r, n in zip(runs, names, strict=True) for line in _short_of(r)))


def _costs(one: Design, other: Design) -> str:
    """The costs of a design against those of another: `206 kB less memory (36.0 %)`."""
    parts = []
    for column in COSTS:
        new, old = float(getattr(one, column)), float(getattr(other, column))
        if new != new or old != old:
            continue  # a chip without areas, or one that does not reach the frame rate
        if new == old:
            parts.append(f"the same {label(column).lower()}")
            continue
        more = "more" if new > old else "less"
        parts.append(f"{quantity(abs(new - old), UNITS[column])} {more} {label(column).lower()}{_ratio(new, old)}")
    return ", ".join(parts)


def _ratio(new: float, old: float) -> str:
    """A change in percent, as a factor where it is more than a doubling."""
    if old == 0:
        return ""
    return f" ({significant(new / old, 2)} times)" if new > 2 * old else f" ({share(abs(new / old - 1))})"


def _drops(one: Design, other: Design, same: bool) -> str:
    """The drops on unseen images of two designs, and whether their intervals tell them apart."""
    said = [f"{tidy(d.unseen.drop)} pp ({tidy(d.unseen.low)} … {tidy(d.unseen.high)})" for d in (one, other)]
    text = f"drop on unseen images {said[0]} against {said[1]}"
    if same and one.id == other.id and one.unseen == other.unseen:
        return f"the same design, {text.split(' against ')[0]}"
    if not same:
        return f"{text}, each against its own float network and images"
    if one.unseen.low > other.unseen.high or one.unseen.high < other.unseen.low:
        return f"{text}; the 95 % intervals do not overlap"
    return f"{text}; the 95 % intervals overlap, so neither is shown to be better"


def _short_of(run: FinishedRun) -> list[str]:
    """What would make the recommended design OK; without one, how far the nearest design is."""
    if run.recommended is not None:
        return list(advice(run))
    if run.manifest.unfinished is not None:
        return [run.banner]
    return ["no design is recommended.", *advice(run), *_nearest(run)]


def _nearest(run: FinishedRun) -> list[str]:
    """The evaluated design that is least over its worst budget on cost, and why the chip cannot run it."""
    budgets = {c: v for c, v in run.picks.budgets.items() if c != "drop" and v > 0}
    designs = [d for d in run.designs if d.id != run.baselines.get("float")]
    if not designs:
        return []

    def excess(d: Design) -> float:
        return max((float(getattr(d, c)) / v for c, v in budgets.items() if getattr(d, c) == getattr(d, c)), default=0)

    near = min(designs, key=lambda d: (bool(d.reasons), excess(d), d.unseen.drop, d.id))
    over = [
        f"{label(c).lower()} by {quantity(getattr(near, c) - v, UNITS[c])}"
        for c, v in budgets.items()
        if getattr(near, c) > v
    ]
    found = [f"the nearest design, {near.id}, exceeds {' and '.join(over)}."] if over else []
    return found + ([f"the chip cannot run {near.id}: {near.reasons}."] if near.reasons else [])
