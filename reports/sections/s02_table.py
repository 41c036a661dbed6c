"""The front table: every evaluated design, sortable, with download."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports.number_text import quantity, share, tidy
from reports.page import html
from reports.page.html import Drawing
from reports.run import Design, FinishedRun

TITLE = "Front table"


@dataclass(frozen=True)
class Row:
    """A design of the table; `status` is verified or measured, `knee` marks the bend of the front."""

    id: str
    name: str
    status: str
    knee: bool
    top1: float
    top1_stderr: float
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


@dataclass(frozen=True)
class FrontTable:
    """The front and the baselines by rising memory; `others` is how many further designs were evaluated."""

    rows: tuple[Row, ...]
    others: int


def record(run: FinishedRun) -> FrontTable:
    """The front and the baselines by rising memory."""
    shown = sorted((d for d in run.designs if d.on_front or d.baseline), key=lambda d: (d.memory_bytes, d.drop, d.id))
    return FrontTable(tuple(_row(d) for d in shown), len(run.designs) - len(shown))


def _row(d: Design) -> Row:
    return Row(
        id=d.id,
        name=d.pick or d.baseline,
        status="verified" if d.verified else "measured",
        knee=d.pick == "knee",
        top1=d.top1,
        top1_stderr=d.top1_stderr,
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
    )


HEAD = (
    "Design",
    "Role",
    "Top-1",
    "Drop [pp]",
    "95 % interval",
    "KL [nat]",
    "Memory",
    "Energy",
    "Latency",
    "Power",
    "Mean bits",
    "Status",
)


def draw(r: FrontTable) -> Drawing:
    """A table whose columns sort on click, with CSV and JSON download."""
    head = Markup("").join(
        Markup('<th scope="col" aria-sort="none"{}><button type="button">{}</button></th>').format(
            "" if h in ("Design", "Role", "Status") else Markup(' class="number"'), h
        )
        for h in HEAD
    )
    body = Markup("").join(_html_row(row) for row in r.rows)
    more = f"{r.others:,} dominated designs are in results.csv and in report.json." if r.others else ""
    content = html.join(
        html.text(
            f"{len(r.rows)} designs: the front and every baseline. The drop is paired: the same images go through the "
            f"float and the quantized network. {more}",
            "lead",
        ),
        Markup(
            '<p class="tools"><button type="button" data-download="csv">Download CSV</button> '
            '<button type="button" data-download="json">Download JSON</button> '
            '<span id="table-count" aria-live="polite"></span></p>'
        ),
        Markup(
            '<div class="scroll tall" tabindex="0" aria-label="Front table"><table id="front-table" class="sortable">'
            "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
        ).format(head, body),
    )
    return Drawing(content)


def _html_row(row: Row) -> Markup:
    cells = [
        (row.id, html.design_link(row.id), False),
        (row.name, row.name, False),
        (row.top1, f"{share(row.top1)} ± {tidy(100 * row.top1_stderr)}", True),
        (row.drop, tidy(row.drop), True),
        (row.drop_low, f"{tidy(row.drop_low)} … {tidy(row.drop_high)}", True),
        (row.kl, tidy(row.kl, 4), True),
        (row.memory_bytes, quantity(row.memory_bytes, "B"), True),
        (row.energy_j, quantity(row.energy_j, "J"), True),
        (row.latency_s, quantity(row.latency_s, "s"), True),
        (row.power_w, quantity(row.power_w, "W"), True),
        (row.mean_weight_bits, tidy(row.mean_weight_bits), True),
        (row.status, row.status, False),
    ]
    body = Markup("").join(
        Markup('<td data-value="{}"{}>{}</td>').format(value, Markup(' class="number"') if numeric else "", shown)
        for value, shown, numeric in cells
    )
    return Markup('<tr data-id="{}" tabindex="0" aria-selected="false" class="{}">{}</tr>').format(
        row.id, "" if row.feasible else "over", body
    )
