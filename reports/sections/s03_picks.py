"""The picks side by side, and what the verification on unseen images changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from reports.designs import Design, Verified, designs, layers
from reports.number_text import quantity, short_name, tidy
from reports.page import html
from reports.page.html import Drawing, Plot, StaticFigure
from reports.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Picks"


@dataclass(frozen=True)
class Chosen:
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
class Checked:
    """A candidate as the search measured it, drop with 95 % interval [pp], and as unseen images did."""

    id: str
    drop: float
    low: float
    high: float
    verified: Verified


@dataclass(frozen=True)
class Picks:
    """The picks, and all verified candidates by searched drop; `shift` is the mean of verified minus searched [pp]."""

    picks: tuple[Chosen, ...]
    checked: tuple[Checked, ...]
    budget: float | None
    shift: float | None


def record(run: Run) -> Picks:
    """The picks of a run and its verified candidates."""
    by_id = {d.id: d for d in designs(run)}
    blocks = layers(run).blocks
    entries = run.picks["picks"]
    first = by_id[str(entries[0]["id"])] if entries else None
    picks = tuple(_chosen(p, by_id[str(p["id"])], first, blocks) for p in entries)
    checked = sorted(
        (Checked(d.id, d.drop, d.drop_low, d.drop_high, d.verified) for d in by_id.values() if d.verified is not None),
        key=lambda c: (c.drop, c.id),
    )
    shift = float(np.mean([c.verified.drop - c.drop for c in checked])) if checked else None
    return Picks(picks, tuple(checked), run.budgets.get("drop"), shift)


def _chosen(pick: dict[str, Any], design: Design, first: Design | None, blocks: tuple[str, ...]) -> Chosen:
    bits = np.array(design.bits)
    widths, counts = np.unique(bits, return_counts=True)
    predicted = pick.get("predicted_drop")
    value = predicted.get("value") if isinstance(predicted, dict) else predicted
    names = np.array(blocks)
    return Chosen(
        name=str(pick["name"]),
        why=str(pick["why"]),
        design=design,
        predicted_drop=None if value is None else float(value),
        layers_per_width={int(w): int(c) for w, c in zip(widths, counts, strict=True)},
        differs=0 if first is None else int((bits != np.array(first.bits)).sum()),
        block_bits=tuple((b, float(bits[names == b].mean())) for b in dict.fromkeys(blocks)),
    )


def draw(r: Picks) -> Drawing:
    """A table with a column per pick, and searched against verified drops."""
    parts: list[Markup] = []
    if r.picks:
        parts.append(_table(r))
    else:
        parts.append(html.text("No design was picked: none of the candidates meets the budgets on cost."))
    if not r.checked:
        parts.append(
            html.not_measured("any design on images the search never saw", "`svit-dse search` verifies its candidates.")
        )
        return Drawing(html.join(*parts))
    parts += [
        html.heading("Search images against unseen images"),
        html.text(
            "A search picks what looked good on its own images, so its drops flatter. Every candidate was therefore "
            f"measured again on images that the search never saw; on average the drop moved by "
            f"{tidy(r.shift or 0.0)} pp.",
            "lead",
        ),
        html.key((("accent", "in the search"), ("warn", "on unseen images"))),
        html.plot(
            "checked", 90 + 34 * len(r.checked), "Drops of the verified candidates, searched and on unseen images"
        ),
    ]
    caption = "Accuracy drop of every verified candidate with 95 % intervals, in the search and on unseen images."
    return Drawing(
        html.join(*parts), {"checked": plotted(r)}, {"verification": StaticFigure(caption, lambda: figure(r))}
    )


def _table(r: Picks) -> Markup:
    def interval(value: float, low: float, high: float, images: int) -> Markup:
        return Markup("{} pp<small>{} … {}, {} images</small>").format(
            tidy(value), tidy(low), tidy(high), f"{images:,}"
        )

    def verified(d: Design) -> Markup | str:
        v = d.verified
        return interval(v.drop, v.low, v.high, v.images) if v else "not verified"

    head = ("", *(Markup("{} {}").format(p.name.capitalize(), html.design_link(p.design.id)) for p in r.picks))
    rows: list[tuple[str | Markup, ...]] = [
        ("Why", *(p.why for p in r.picks)),
        ("Drop, unseen images", *(verified(p.design) for p in r.picks)),
        ("Drop, search images", *(_searched(p.design, interval) for p in r.picks)),
    ]
    if any(p.predicted_drop is not None for p in r.picks):
        rows.append(
            ("Drop, predicted", *("–" if p.predicted_drop is None else f"{tidy(p.predicted_drop)} pp" for p in r.picks))
        )
    costs = (("Memory", "memory_bytes", "B"), ("Energy per image", "energy_j", "J"), ("Latency", "latency_s", "s"))
    for name, column, unit in (*costs, ("Average power", "power_w", "W")):
        rows.append((name, *(quantity(getattr(p.design, column), unit) for p in r.picks)))
    rows.append(("Mean width", *(f"{tidy(p.design.mean_weight_bits)} bit" for p in r.picks)))
    rows.append(("Layers per width", *(_histogram(p) for p in r.picks)))
    rows.append(("Time steps", *(str(p.design.time_steps) for p in r.picks)))
    if any(p.design.form for p in r.picks):
        rows.append(("Form", *(p.design.form for p in r.picks)))
    rows.append(
        ("Other widths than the recommended", *(f"{p.differs} of {len(p.design.bits)} layers" for p in r.picks))
    )
    blocks = html.table(
        ("Mean bits of block", *(p.name for p in r.picks)),
        [
            (short_name(b), *(tidy(p.block_bits[i][1], 1) for p in r.picks))
            for i, (b, _) in enumerate(r.picks[0].block_bits)
        ],
        numeric=range(1, len(r.picks) + 1),
    )
    return html.join(html.table(head, rows, kind="plain picks"), html.details("Mean bits of every block", blocks))


def _searched(d: Design, interval: Any) -> Any:
    return interval(d.drop, d.drop_low, d.drop_high, d.images)


def _histogram(p: Chosen) -> str:
    return ", ".join(f"{c} × {b} bit" for b, c in sorted(p.layers_per_width.items()))


def plotted(r: Picks) -> Plot:
    """Two intervals per candidate."""
    from reports.plots.style import drop_ticks, root

    ids = [c.id for c in r.checked][::-1]
    data = []
    for name, colour, symbol, values in (
        ("search", "$accent", "circle", [(c.drop, c.low, c.high) for c in r.checked][::-1]),
        ("unseen", "$warn", "square", [(c.verified.drop, c.verified.low, c.verified.high) for c in r.checked][::-1]),
    ):
        centre = root([v[0] for v in values])
        shift = 0.14 if name == "search" else -0.14
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "ids": ids,
                "x": centre.tolist(),
                "y": [i + shift for i in range(len(ids))],
                "marker": {"color": colour, "symbol": symbol, "size": 7},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": (root([v[2] for v in values]) - centre).tolist(),
                    "arrayminus": (centre - root([v[1] for v in values])).tolist(),
                    "color": colour,
                    "thickness": 1.4,
                    "width": 0,
                },
            }
        )
    ticks = drop_ticks(*_limits(r))
    shapes = []
    if r.budget is not None:
        at = float(root(r.budget))
        line = {"color": "$muted", "width": 1, "dash": "dash"}
        shapes.append({"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": line})
    layout = {
        "xaxis": {
            "tickvals": root(ticks).tolist(),
            "ticktext": [f"{t:g}".replace("-", "−") for t in ticks],
            "title": {"text": "accuracy drop [pp]"},
        },
        "yaxis": {
            "tickvals": list(range(len(ids))),
            "ticktext": ids,
            "showgrid": False,
            "range": [-0.6, len(ids) - 0.4],
        },
        "shapes": shapes,
    }
    return {"data": data, "layout": layout}


def _limits(r: Picks) -> tuple[float, float]:
    low = min(min(c.low, c.verified.low) for c in r.checked)
    high = max(max(c.high, c.verified.high) for c in r.checked)
    return low, max(high, r.budget or high)


def figure(r: Picks) -> Figure:
    """Two intervals per candidate, for slides and print."""
    from reports.plots import style

    made, ax = style.new(height=1.1 + 0.28 * len(r.checked))
    y = np.arange(len(r.checked))
    ax.hlines(y - 0.13, [c.low for c in r.checked], [c.high for c in r.checked], color=style.ACCENT, lw=1)
    ax.plot([c.drop for c in r.checked], y - 0.13, "o", ms=4, color=style.ACCENT, label="in the search")
    low, high = [c.verified.low for c in r.checked], [c.verified.high for c in r.checked]
    ax.hlines(y + 0.13, low, high, color=style.WARN, lw=1)
    ax.plot([c.verified.drop for c in r.checked], y + 0.13, "s", ms=4, color=style.WARN, label="on unseen images")
    ax.set_xscale("function", functions=(style.root, style.square))
    ticks = style.drop_ticks(*_limits(r))
    ax.set_xticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    ax.minorticks_off()
    if r.budget is not None:
        ax.axvline(r.budget, color=style.MUTED, lw=0.7, ls=(0, (4, 3)))
    ax.set_yticks(y, [c.id for c in r.checked])
    ax.invert_yaxis()
    ax.set_xlabel("accuracy drop [pp]")
    ax.grid(True, axis="x")
    made.legend(loc="outside upper center", ncols=2)
    return made
