"""The picks side by side, and what the verification on unseen images changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from reports.number_text import quantity, short_name, tidy
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import interactive, printed
from reports.plots.description import Axis, Chart, Marker, Points, Rule, drop_axis, intervals
from reports.run import Design, FinishedRun, PickedDesign, UnseenDrop, VerifiedDrop

TITLE = "Picks"


@dataclass(frozen=True)
class ComparedPick:
    """One pick: its design, why it was picked, what a surrogate predicted (None without one), layers per width.

    `differs` is the number of layers whose width is not that of the recommended design; `block_bits` the mean width of
    every block.
    """

    name: str
    why: str
    design: Design
    predicted_drop: float | None
    layers_per_width: dict[int, int]
    differs: int
    block_bits: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class VerifiedCandidate:
    """A candidate as the search measured it, drop with 95 % interval [pp], and as unseen images did."""

    id: str
    drop: float
    low: float
    high: float
    verified: VerifiedDrop


@dataclass(frozen=True)
class PicksCompared:
    """The picks, and all verified candidates by searched drop; `shift` is the mean of verified minus searched [pp]."""

    picks: tuple[ComparedPick, ...]
    checked: tuple[VerifiedCandidate, ...]
    budget: float | None
    shift: float | None


def record(run: FinishedRun) -> PicksCompared:
    """The picks of a run and its verified candidates."""
    by_id = {d.id: d for d in run.designs}
    blocks = run.weight_layers.blocks
    first = by_id[run.recommended] if run.recommended is not None else None
    picks = tuple(_compared(p, by_id[p.id], first, blocks) for p in run.picks.picks)
    checked = sorted(
        (
            VerifiedCandidate(d.id, d.drop, d.drop_low, d.drop_high, d.verified)
            for d in run.designs
            if d.verified is not None
        ),
        key=lambda c: (c.drop, c.id),
    )
    shift = float(np.mean([c.verified.drop - c.drop for c in checked])) if checked else None
    return PicksCompared(picks, tuple(checked), run.picks.budgets.get("drop"), shift)


def _compared(pick: PickedDesign, design: Design, first: Design | None, blocks: tuple[str, ...]) -> ComparedPick:
    bits = np.array(design.bits)
    widths, counts = np.unique(bits, return_counts=True)
    names = np.array(blocks)
    return ComparedPick(
        name=pick.name,
        why=pick.why,
        design=design,
        predicted_drop=pick.predicted_drop,
        layers_per_width={int(w): int(c) for w, c in zip(widths, counts, strict=True)},
        differs=0 if first is None else int((bits != np.array(first.bits)).sum()),
        block_bits=tuple((b, float(bits[names == b].mean())) for b in dict.fromkeys(blocks)),
    )


def draw(r: PicksCompared) -> Drawing:
    """A table with a column per pick, and searched against verified drops."""
    parts: list[Markup] = []
    if r.picks:
        parts.append(_table(r))
    else:
        parts.append(html.text("No design was picked: none of the candidates meets the budgets on cost."))
    if not r.checked:
        parts.append(html.not_measured("any design on unseen images", "`svit-dse search` verifies its candidates."))
        return Drawing(html.join(*parts))
    parts += [
        html.heading("Search images against unseen images"),
        html.text(
            "A search picks designs that did well on its own images, so their drops there tend to be too small. "
            f"{len(r.checked)} candidates were measured again on unseen images. "
            f"{_shift(r.shift or 0.0)}",
            "lead",
        ),
        html.key((("accent", "in the search"), ("warn", "on unseen images"))),
        html.plot(
            "checked", 90 + 34 * len(r.checked), "Drops of the verified candidates, in the search and on unseen images"
        ),
    ]
    caption = "Accuracy drop of every verified candidate with 95 % intervals, in the search and on unseen images."
    shown = chart(r)
    height = 1.1 + 0.28 * len(r.checked)
    figure = StaticFigure(caption, lambda: printed.figure(shown, height, legend_columns=2))
    return Drawing(html.join(*parts), {"checked": interactive.plot(shown)}, {"verification": figure})


def _table(r: PicksCompared) -> Markup:
    head = ("", *(Markup("{} {}").format(p.name.capitalize(), html.design_link(p.design.id)) for p in r.picks))
    rows: list[tuple[str | Markup, ...]] = [
        ("Why", *(p.why for p in r.picks)),
        ("Drop, unseen images", *(_expected(p.design.unseen) for p in r.picks)),
        ("measured there, alone", *(_measured(p.design.verified) for p in r.picks)),
        ("Drop, search images", *(_searched(p.design) for p in r.picks)),
    ]
    if any(p.predicted_drop is not None for p in r.picks):
        rows.append(("predicted from search images alone", *(quantity(p.predicted_drop, "pp") for p in r.picks)))
    rows += [(name, *(_cost(p.design, unit, cost) for p in r.picks)) for name, unit, cost in _COSTS]
    rows.append(("Mean width", *(f"{tidy(p.design.mean_weight_bits)} bit" for p in r.picks)))
    rows.append(("Layers per width", *(_histogram(p) for p in r.picks)))
    rows.append(("Time steps", *(str(p.design.time_steps) for p in r.picks)))
    if any(p.design.form for p in r.picks):
        rows.append(("Form", *(p.design.form for p in r.picks)))
    rows.append(
        ("Other widths than the recommended", *(f"{p.differs} of {len(p.design.bits)} layers" for p in r.picks))
    )
    table = html.table(head, rows, kind="plain picks")
    return html.join(table, html.details("Mean bits of every block", _block_table(r)))


_COSTS: tuple[tuple[str, str, Callable[[Design], float]], ...] = (
    ("Memory", "B", lambda d: d.memory_bytes),
    ("Energy per image", "J", lambda d: d.energy_j),
    ("Latency", "s", lambda d: d.latency_s),
    ("Average power", "W", lambda d: d.power_w),
)


def _cost(d: Design, unit: str, cost: Callable[[Design], float]) -> str | Markup:
    return html.with_band(quantity(cost(d), unit), d.energy_band if unit == "J" else None, unit)


def _block_table(r: PicksCompared) -> Markup:
    return html.table(
        ("Mean bits of block", *(p.name for p in r.picks)),
        [
            (short_name(b), *(tidy(p.block_bits[i][1], 1) for p in r.picks))
            for i, (b, _) in enumerate(r.picks[0].block_bits)
        ],
        numeric=range(1, len(r.picks) + 1),
    )


def _interval(drop: float, low: float, high: float, images: int) -> Markup:
    return Markup("{} pp<small>{} … {}, {} images</small>").format(tidy(drop), tidy(low), tidy(high), f"{images:,}")


def _expected(u: UnseenDrop) -> Markup:
    """The best that is known, as every other section says it."""
    return Markup("{} pp<small>{} … {}, {}</small>").format(tidy(u.drop), tidy(u.low), tidy(u.high), u.status)


def _measured(v: VerifiedDrop | None) -> str | Markup:
    return "not verified" if v is None else _interval(v.drop, v.low, v.high, v.images)


def _shift(points: float) -> str:
    """Drops on unseen images against those of the search, in words."""
    if tidy(points) == tidy(0.0):
        return "On average their drop there is the same."
    return f"On average their drop there is {tidy(abs(points))} pp {'larger' if points > 0 else 'smaller'}."


def _searched(d: Design) -> Markup:
    return _interval(d.drop, d.drop_low, d.drop_high, d.images)


def _histogram(p: ComparedPick) -> str:
    return ", ".join(f"{c} × {b} bit" for b, c in sorted(p.layers_per_width.items()))


def chart(r: PicksCompared) -> Chart:
    """Two intervals per candidate, the smallest searched drop at the top."""
    rows = r.checked[::-1]
    ids = [c.id for c in rows]
    searched = Points(
        x=[c.drop for c in rows],
        y=[i + 0.14 for i in range(len(rows))],
        marker=Marker("accent"),
        name="in the search",
        ids=ids,
        x_interval=intervals([c.low for c in rows], [c.high for c in rows]),
    )
    unseen = Points(
        x=[c.verified.drop for c in rows],
        y=[i - 0.14 for i in range(len(rows))],
        marker=Marker("warn", "square"),
        name="on unseen images",
        ids=ids,
        x_interval=intervals([c.verified.low for c in rows], [c.verified.high for c in rows]),
    )
    ends = [end for c in rows for end in (c.low, c.high, c.verified.low, c.verified.high)]
    budget = () if r.budget is None else (r.budget,)
    return Chart(
        (searched, unseen),
        x=drop_axis([*ends, *budget]),
        y=Axis(ticks=tuple(enumerate(ids)), limits=(-0.6, len(ids) - 0.4), grid=False),
        rules=tuple(Rule("x", limit) for limit in budget),
    )
