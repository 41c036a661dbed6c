"""What has to be known before a design is signed: what limits it, what would change the pick, what would make it OK."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

from reports.number_text import NAMES, UNITS, band_text, label, quantity, share, tidy
from reports.run import BudgetCheck, FinishedRun, FormRow, PickedDesign, Stability

CONFIDENCE = 0.95  # posterior from which a drop budget counts as kept
Fact = tuple[str, str]  # what, and what is said of it


def facts(run: FinishedRun) -> tuple[Fact, ...]:
    """What is known of the recommended design beside its results; nothing where none is recommended."""
    if run.recommended is None:
        return ()
    found = (
        ("Tightest budget", _tightest(checks_of(run, run.picks.picks[0]), run.by_id(run.recommended).energy_band)),
        ("What limits its speed", _bottleneck(run)),
        ("Worst form of the datapath", _worst_form(run)),
        ("Under other constants", _constants(run)),
        ("Without spikes", _twin(run)),
    )
    return tuple((what, said) for what, said in found if said)


def checks_of(run: FinishedRun, pick: PickedDesign) -> tuple[BudgetCheck, ...]:
    """The budgets of a pick, the drop as everywhere: by the search and the unseen images together."""
    drop = run.by_id(pick.id).unseen.drop
    return tuple(
        replace(check, achieved=drop, slack=check.budget - drop) if check.quantity == "drop" else check
        for check in pick.checks
    )


def advice(run: FinishedRun) -> tuple[str, ...]:
    """What would make the recommended design OK, a line per budget that says REVIEW; without one, the gap of all."""
    if run.recommended is None:
        return _gaps(run)
    first = run.picks.picks[0]
    failing = [check for check in first.checks if check.verdict != "OK"]
    return tuple(_for_drop(run, c) if c.quantity == "drop" else _for_cost(c) for c in failing)


def _for_drop(run: FinishedRun, check: BudgetCheck) -> str:
    """More images, or a budget that the posterior keeps."""
    pick = run.picks.picks[0]
    unseen = run.by_id(pick.id).unseen
    sd = (unseen.high - unseen.low) / (2 * NormalDist().inv_cdf(0.975))
    reachable = unseen.drop + NormalDist().inv_cdf(CONFIDENCE) * sd
    ways = []
    needed = run.picks.needed_images
    if needed is not None and needed > pick.verified_images:
        ways.append(f"verification on about {needed:,} unseen images (data.verify_images)")
    if reachable > check.budget:
        ways.append(f"a drop budget of {tidy(reachable + 0.005)} pp, fixed before another verification")
    else:
        ways.append("another search with this budget, because the verification used another one")
    return f"OK takes {', or '.join(ways)}."


def _for_cost(check: BudgetCheck) -> str:
    over, enough = quantity(-check.slack, check.unit), quantity(check.achieved, check.unit)
    return f"{label(check.quantity)} is {over} over its budget: OK takes a budget of {enough} or more."


def _gaps(run: FinishedRun) -> tuple[str, ...]:
    """How far the nearest evaluated design is from every budget on cost that none keeps."""
    float_id = run.baselines.get("float")
    designs = [d for d in run.designs if d.id != float_id]
    lines = []
    for column, budget in run.picks.budgets.items():
        reached = {d.id: getattr(d, column) for d in designs if column != "drop" and hasattr(d, column)}
        if not reached:
            continue
        best = min(reached, key=reached.__getitem__)
        if reached[best] > budget:
            gap, unit = reached[best] - budget, UNITS[column]
            lines.append(
                f"{label(column)}: the least of all designs is {quantity(reached[best], unit)} ({best}), "
                f"{quantity(gap, unit)} over the budget."
            )
    return tuple(lines)


def _tightest(checks: Sequence[BudgetCheck], energies: tuple[float, float] | None) -> str:
    """The budget of which the least share is left; `energies` are least and greatest energy of the design [J]."""
    limited = [c for c in checks if c.budget > 0]
    if not limited:
        return ""
    tight = min(limited, key=lambda c: c.slack / c.budget)
    left = f"{share(tight.slack / tight.budget, 0)} of it is left" if tight.slack >= 0 else "exceeded"
    band = energies if tight.quantity == "energy_j" else None
    achieved = band_text(quantity(tight.achieved, tight.unit), band, tight.unit)
    budget = quantity(tight.budget, tight.unit)
    return f"{label(tight.quantity)}, {achieved} of {budget}: {left}"


def _bottleneck(run: FinishedRun) -> str:
    """The resource that binds most of the layers' time, and the one that is best doubled."""
    rows = [row for row in run.bottlenecks or () if row.id == run.recommended]
    if not rows:
        return ""
    binding, best = max(rows, key=lambda r: r.share), max(rows, key=lambda r: r.saving)
    layers = f"{binding.layers} layer{'' if binding.layers == 1 else 's'}"
    said = f"{binding.resource}: it limits {layers}, {share(binding.share, 0)} of the layers' time"
    if best.saving < 0.005:
        return f"{said}; doubling any one resource saves less than 1 % of the latency"
    return f"{said}; twice the {best.resource} saves {share(best.saving, 0)} of the latency"


def _worst_form(run: FinishedRun) -> str:
    """The form of the datapath under which the design needs most energy."""
    rows = [row for row in run.forms or () if row.id == run.recommended]
    if len(rows) < 2:
        return ""
    own, worst = rows[0], max(rows, key=lambda r: r.energy_j)
    said = f"{_form(worst.form)}: {_energy(worst)}, {share(worst.energy_saving, 0)} less than 8-bit weights"
    if worst is own:
        return f"{said}; this chip has it"
    return f"{said}; this chip is {_form(own.form)}: {_energy(own)}"


def _energy(row: FormRow) -> str:
    return band_text(quantity(row.energy_j, "J"), (row.energy_low, row.energy_high), "J")


def _form(name: str) -> str:
    return name.replace("_", "-")


def _constants(run: FinishedRun) -> str:
    """Whether another design would be cheaper when constants move: unchanged, or which one, and what that is worth."""
    studied = run.stability
    if studied is None or not studied.cheapest or not studied.scenarios:
        return ""
    count = f"{len(studied.scenarios)} changes of constants, forms and activity"
    cost = NAMES.get(studied.objective, studied.objective).lower()
    worst = max(studied.scenarios, key=lambda s: s.regret)
    kept = sum(s.cheapest == studied.cheapest for s in studied.scenarios)
    if studied.cheapest != run.recommended:
        return _already(studied, cost, kept, count)
    if kept == len(studied.scenarios):
        return f"unchanged: under {count} no design that loses no more needs less {cost}"
    return (
        f"unchanged under {kept} of {count}; by {cost} it becomes {worst.cheapest} under {worst.constant} "
        f"({worst.change}), regret {share(worst.regret)}"
    )


def _already(studied: Stability, cost: str, kept: int, count: str) -> str:
    """The least memory was picked, and another design needs less of the objective without losing more."""
    regret = f"regret {share(studied.base_regret)}, at worst {share(studied.regret)}"
    return f"by {cost} alone it becomes {studied.cheapest}, also under {kept} of {count}; {regret}"


def _twin(run: FinishedRun) -> str:
    """The energy of the same weights in a network without spikes, with zeros skipped and dense."""
    rows = {r.network: r.energy_j for r in run.comparisons or () if r.id == run.recommended}
    if "spiking" not in rows or len(rows) < 2:
        return ""
    parts = [f"{name} {_against(energy / rows['spiking'] - 1)}" for name, energy in rows.items() if name != "spiking"]
    return f"the same weights: {'; '.join(parts)}; the accuracy of these networks was not measured"


def _against(change: float) -> str:
    return f"{share(abs(change), 0)} {'more' if change >= 0 else 'less'} energy"
