"""What rounding, widths from the scores, the search and other parts contribute to the recommended design."""

from __future__ import annotations

from dataclasses import dataclass

from reports.number_text import share, tidy
from reports.page import html
from reports.page.html import Drawing
from reports.run import Z95, ContributionRow, FinishedRun

TITLE = "What each part contributes"
SEARCH = "search over scores"  # the row of `dse.results.decomposition` whose saving the section opens with
FROM = {
    "alone": "added to the best uniform width",
    "last": "removed from the recommended design",
    "before verification": "both before verification",
}


@dataclass(frozen=True)
class Part:
    """One comparison: changes of memory and energy as shares, of the drop [pp] with half its 95 % interval."""

    name: str
    how: str
    memory: float
    energy: float
    drop: float
    reach: float
    measured: bool


@dataclass(frozen=True)
class Contributions:
    """All comparisons, and the share of memory that the search saves over the scores alone; None where unknown."""

    parts: tuple[Part, ...]
    search_saves: float | None


def record(run: FinishedRun) -> Contributions | None:
    """The comparisons of decomposition.csv; None in a run without them."""
    if run.contributions is None:
        return None
    parts = tuple(_part(row) for row in run.contributions)
    saved = next((-part.memory for part in parts if part.name == SEARCH), None)
    return Contributions(parts, saved)


def _part(row: ContributionRow) -> Part:
    return Part(
        row.part,
        row.how,
        row.memory_after / row.memory_before - 1,
        row.energy_after / row.energy_before - 1,
        row.drop_after - row.drop_before,
        Z95 * row.change_sd,
        row.basis == "measured",
    )


def draw(r: Contributions | None) -> Drawing:
    """A sentence on the search over the scores, and the table."""
    if r is None:
        return Drawing(
            html.not_measured("what each part contributes", "It needs a drop budget and a pick of `svit-dse search`.")
        )
    body = [
        [
            part.name.capitalize(),
            FROM.get(part.how, part.how),
            _signed(share(part.memory)),
            _signed(share(part.energy)),
            f"{_signed(tidy(part.drop))} ± {tidy(part.reach)} pp",
            "measured" if part.measured else "predicted",
        ]
        for part in r.parts
    ]
    heads = ["Part", "Compared", "Memory", "Energy", "Drop, 95 %", "Basis"]
    caption = (
        "Each row compares two designs that differ in one part. Rounding compares compensated with nearest rounding at "
        "the same widths. Drops are on unseen images: measured, or else expected by the model of all measurements."
    )
    table = html.table(heads, body, caption, numeric=(2, 3, 4))
    said = [] if r.search_saves is None else [html.text(html.code_in(_said(r.search_saves)), "lead")]
    return Drawing(html.join(*said, table))


def _said(saved: float) -> str:
    than = f"{share(abs(saved))} {'less' if saved >= 0 else 'more'} memory than"
    return (
        f"The search's design takes {than} the widths from gradient scores alone at the same drop budget, both "
        f"before verification. Where the difference is very small, `search.strategy: guided` finds an equally good "
        f"design without a search."
    )


def _signed(text: str) -> str:
    return text if text.startswith("−") or text.startswith("0.0") else f"+{text}"
