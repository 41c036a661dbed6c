"""The front table: front, picks, verified designs and baselines, sortable, with download."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from reports.number_text import UNITS, label, quantity, share, tidy
from reports.page import html
from reports.page.html import Drawing
from reports.run import Design, FinishedRun

TITLE = "Front table"


@dataclass(frozen=True)
class Row:
    """A design of the table; `unseen` is its drop on unseen images as `status` says, `drop` that on the search images.

    `picked` says whether it is put forward, `knee` marks the bend of the front; drops with their 95 % intervals [pp].
    """

    id: str
    name: str
    status: str
    picked: bool
    knee: bool
    time_steps: int
    unseen: float
    unseen_low: float
    unseen_high: float
    top1: float
    top1_low: float
    top1_high: float
    drop: float
    drop_low: float
    drop_high: float
    images: int
    kl: float
    memory_bytes: float
    energy_j: float
    latency_s: float
    power_w: float
    mean_weight_bits: float
    feasible: bool
    energy_band: tuple[float, float] | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class FrontTable:
    """The picks, then the front, verified designs and baselines by rising memory; `others` is how many are left out."""

    rows: tuple[Row, ...]
    others: int


def record(run: FinishedRun) -> FrontTable:
    """Picks first, in their order; the others by rising memory."""
    order = [pick.id for pick in run.picks.picks]
    place = {design: -len(order) + i for i, design in enumerate(order)}
    shown = [d for d in run.designs if d.shown or d.baseline]
    shown.sort(key=lambda d: (place.get(d.id, 0), d.memory_bytes, d.drop, d.id))
    return FrontTable(tuple(_row(d, run.picks.budgets) for d in shown), len(run.designs) - len(shown))


def missed(d: Design, budgets: Mapping[str, float]) -> tuple[str, ...]:
    """Why a design is not feasible: why it does not fit, and the budgets, by column of results.csv, that it misses."""
    found = [part for part in d.reasons.split("; ") if part]
    for column, limit in budgets.items():
        value, unit = getattr(d, column, math.nan), UNITS.get(column)
        if column != "drop" and unit is not None and value > limit:
            found.append(f"{label(column).lower()} {quantity(value, unit)}, the budget is {quantity(limit, unit)}")
    limit, drop = budgets.get("drop", math.inf), quantity(d.unseen.drop, "pp")
    if d.unseen.drop > limit:
        found.append(f"accuracy drop {drop}, the budget is {quantity(limit, 'pp')}")
    elif d.unseen.high > limit or not found:
        found.append(f"accuracy drop {drop}, within {quantity(limit, 'pp')} with less than 95 % probability")
    return tuple(found)


def _row(d: Design, budgets: Mapping[str, float]) -> Row:
    return Row(
        id=d.id,
        name=", ".join(name for name in (d.pick, d.baseline) if name),
        status=d.unseen.status,
        picked=bool(d.pick),
        knee=d.pick == "knee",
        time_steps=d.time_steps,
        unseen=d.unseen.drop,
        unseen_low=d.unseen.low,
        unseen_high=d.unseen.high,
        top1=d.top1,
        top1_low=d.top1_low,
        top1_high=d.top1_high,
        drop=d.drop,
        drop_low=d.drop_low,
        drop_high=d.drop_high,
        images=d.images,
        kl=d.kl,
        memory_bytes=d.memory_bytes,
        energy_j=d.energy_j,
        latency_s=d.latency_s,
        power_w=d.power_w,
        mean_weight_bits=d.mean_weight_bits,
        feasible=d.feasible,
        energy_band=d.energy_band,
        reasons=() if d.feasible else missed(d, budgets),
    )


HEAD = (
    "Design",
    "Role",
    "Drop, unseen images [pp]",
    "95 % interval",
    "Status",
    "Drop, search images [pp]",
    "95 % interval",
    "Top-1, search images",
    "KL [nat]",
    "Memory",
    "Energy",
    "Latency",
    "Power",
    "Mean bits",
    "Why not",
)


def draw(r: FrontTable) -> Drawing:
    """A table whose columns sort on click, with CSV and JSON download."""
    head = Markup("").join(
        Markup('<th scope="col" aria-sort="none"{}><button type="button">{}</button></th>').format(
            "" if h in ("Design", "Role", "Status", "Why not") else Markup(' class="number"'), h
        )
        for h in HEAD
    )
    body = Markup("").join(_html_row(row, first=i == 0) for i, row in enumerate(r.rows))
    more = f"{r.others:,} dominated designs are in results.csv and in report.json." if r.others else ""
    content = html.join(
        html.text(
            f"{len(r.rows)} designs: the picks first, then the front, every verified design and every baseline. Drops "
            "are paired: the same images go through the float and the quantized network. The drop on unseen images "
            "is verified if it was measured on them, otherwise predicted by the model of all measurements. The drop "
            "on the search images is too small on average, because designs were chosen on them. Intervals are 95 %. "
            "Below an energy are its least and its greatest value when constants, forms of the chip, firing rates "
            "and time steps change. The last column names the budget that a design exceeds, or the reason why the "
            "chip cannot hold or run it. Where the chip does not reach the frame rate, there is no average power. "
            f"{more}",
            "lead",
        ),
        Markup(
            '<p class="tools"><button type="button" data-download="csv">Download CSV</button> '
            '<button type="button" data-download="json">Download JSON</button> '
            '<span id="table-count" aria-live="polite"></span></p>'
        ),
        Markup(
            '<div class="scroll tall" tabindex="0" role="region" aria-label="Front table">'
            '<table id="front-table" class="sortable">'
            "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
        ).format(head, body),
    )
    return Drawing(content)


def _html_row(row: Row, first: bool) -> Markup:
    """A row of the table; Tab reaches the first (then the selected) one, arrow keys the others."""
    cells = [
        (row.id, html.design_link(row.id, tab_stop=False), False),
        (row.name, row.name, False),
        (row.unseen, tidy(row.unseen), True),
        (row.unseen_low, f"{tidy(row.unseen_low)} … {tidy(row.unseen_high)}", True),
        (row.status, row.status, False),
        (row.drop, tidy(row.drop), True),
        (row.drop_low, f"{tidy(row.drop_low)} … {tidy(row.drop_high)}", True),
        (row.top1, f"{share(row.top1)} ({tidy(100 * row.top1_low, 1)} … {tidy(100 * row.top1_high, 1)})", True),
        (row.kl, tidy(row.kl, 4), True),
        (row.memory_bytes, quantity(row.memory_bytes, "B"), True),
        (row.energy_j, html.with_band(quantity(row.energy_j, "J"), row.energy_band, "J"), True),
        (row.latency_s, quantity(row.latency_s, "s"), True),
        (row.power_w, quantity(row.power_w, "W"), True),
        (row.mean_weight_bits, tidy(row.mean_weight_bits), True),
        (len(row.reasons), Markup("").join(Markup("<small>{}</small>").format(each) for each in row.reasons), False),
    ]
    body = Markup("").join(
        Markup('<td data-value="{}"{}>{}</td>').format(value, Markup(' class="number"') if numeric else "", shown)
        for value, shown, numeric in cells
    )
    kinds = " ".join(name for name, holds in (("over", not row.feasible), ("picked", row.picked)) if holds)
    return Markup('<tr data-id="{}" tabindex="{}" aria-selected="false" class="{}">{}</tr>').format(
        row.id, 0 if first else -1, kinds, body
    )
