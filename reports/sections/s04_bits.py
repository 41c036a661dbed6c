"""Which layer has how many bits: a heat map of the front, the picks and the verified designs.

Above it stands each layer's part of weights and operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from reports.number_text import quantity, tidy
from reports.page import html
from reports.page.html import Drawing, StaticFigure
from reports.plots import heat_map
from reports.plots.heat_map import HeatMap, Shares, Span
from reports.run import FinishedRun, WeightLayers

TITLE = "Bits per layer"
MOST_ROWS = 60
WHAT = "Width of every weight layer for the front, the picks and the verified designs"


@dataclass(frozen=True)
class OtherWidths:
    """A pick's widths beside those of weights [bit]: potentials by stage, streams by the module that starts them, sums
    between layers by stage; empty where they were not searched.
    """

    pick: str
    id: str
    state_bits: dict[str, int]
    stream_bits: dict[str, int]
    between_bits: dict[str, int]


@dataclass(frozen=True)
class Bits:
    """Widths of the front, the picks and the verified designs by rising memory: `widths[row][layer]`, `steps[row]`.

    `states[stage][row]` are widths of potentials, `drop[row]` is the best that is known of the drop on unseen images
    [pp], `picks[row]` the name of a pick or empty.  Of more designs than MOST_ROWS only evenly spaced ones are drawn,
    picks and verified ones always; `left_out` says how many not.
    `spans` are (name, first, last) of runs of layers that belong to one block; `palette` gives the colour of every
    width that occurs in the run; `forms[row]` is the form of the design, where the search had the choice; `others` are
    the other widths of the picks.
    """

    ids: tuple[str, ...]
    picks: tuple[str, ...]
    memory_bytes: tuple[float, ...]
    drop: tuple[float, ...]
    steps: tuple[int, ...]
    states: dict[str, tuple[int, ...]]
    widths: tuple[tuple[int, ...], ...]
    left_out: int
    layers: WeightLayers
    spans: tuple[Span, ...]
    palette: dict[int, str]
    forms: tuple[str, ...] = ()
    others: tuple[OtherWidths, ...] = ()


def record(run: FinishedRun) -> Bits:
    """The widths of the front, picks and verified designs, rows by memory, columns in network order."""
    front = run.shown
    kept = set(_spread([d.id for d in front], {d.id for d in front if d.pick or d.verified}))
    shown = [d for d in front if d.id in kept]
    stages = dict.fromkeys(stage for d in run.designs for stage in d.state_bits)
    states = [stage for stage in stages if all(stage in d.state_bits for d in shown)]
    return Bits(
        ids=tuple(d.id for d in shown),
        picks=tuple(d.pick for d in shown),
        memory_bytes=tuple(d.memory_bytes for d in shown),
        drop=tuple(d.unseen.drop for d in shown),
        steps=tuple(d.time_steps for d in shown),
        states={stage: tuple(d.state_bits[stage] for d in shown) for stage in states},
        widths=tuple(d.bits for d in shown),
        left_out=len(front) - len(shown),
        layers=run.weight_layers,
        spans=spans(run.weight_layers.blocks),
        palette=heat_map.palette(sorted({b for d in run.designs for b in d.bits})),
        forms=tuple(d.form for d in shown) if any(d.form for d in run.designs) else (),
        others=tuple(
            OtherWidths(d.pick, d.id, d.state_bits, d.stream_bits, d.between_bits)
            for d in run.designs
            if d.pick and (d.state_bits or d.stream_bits or d.between_bits)
        ),
    )


def _spread(ids: list[str], always: set[str]) -> list[str]:
    """At most MOST_ROWS ids at even distances, those of `always` among them."""
    if len(ids) <= MOST_ROWS:
        return ids
    kept = {ids[i] for i in np.linspace(0, len(ids) - 1, MOST_ROWS - len(always)).round().astype(int)} | always
    return [i for i in ids if i in kept]


def spans(blocks: tuple[str, ...]) -> tuple[Span, ...]:
    """(name, first, last) of every run of equal entries."""
    out: list[Span] = []
    for i, block in enumerate(blocks):
        if out and out[-1][0] == block:
            out[-1] = (block, out[-1][1], i)
        else:
            out.append((block, i, i))
    return tuple(out)


def draw(r: Bits) -> Drawing:
    """The heat map with the shares of every layer above it."""
    left = f" {r.left_out} designs of the front in between are not shown." if r.left_out else ""
    if "fused" in r.forms:
        left += (
            " For a fused design, the width of each fused layer is shown in the columns of all layers that it replaces."
        )
    shown = described(r)
    body = html.join(
        html.text(
            "Each row is a design of the front, a pick or a verified design, with the least memory at the top. Each "
            "column is a weight layer in network order, grouped by block. The bars above show each layer's share of "
            "all weights and of all synaptic operations, which were counted on the float network. Narrow widths save "
            f"memory in layers with many weights, and energy in layers with many operations.{left}",
            "lead",
        ),
        html.plot(
            "bits",
            heat_map.page_height(len(r.ids)),
            "Bits of every layer for the front, the picks and the verified designs",
            wide=True,
        ),
        _others_table(r.others),
    )
    caption = f"{WHAT} (columns: layers in network order; rows: designs by memory)."
    figure = StaticFigure(caption, lambda: heat_map.figure(shown))
    return Drawing(body, {"bits": heat_map.plotted(shown)}, {"bits": figure} if r.ids else {})


def _others_table(others: Sequence[OtherWidths]) -> str | Markup:
    """The picks' other widths, a column for each kind that was searched."""
    kinds = {
        "Membrane potentials": "state_bits",
        "Residual streams": "stream_bits",
        "Sums between layers": "between_bits",
    }
    shown = {head: field for head, field in kinds.items() if any(getattr(each, field) for each in others)}
    if not shown:
        return ""
    rows = [
        (each.pick, *(", ".join(f"{n} {b}" for n, b in getattr(each, field).items()) for field in shown.values()))
        for each in others
    ]
    return html.join(html.heading("Other widths of the picks [bit]"), html.table(("Pick", *shown), rows))


def described(r: Bits) -> HeatMap:
    """What the heat map shows."""
    return HeatMap(
        widths=r.widths,
        ids=r.ids,
        rows=tuple(row_labels(r)),
        columns=r.layers.short,
        spans=r.spans,
        palette=r.palette,
        shares=(
            Shares("weights [%]", r.layers.weight_share, "c0", "of the weights"),
            Shares("synops [%]", r.layers.synop_share, "c2", "of the operations"),
        ),
        named=tuple(i for i, pick in enumerate(r.picks) if pick),
    )


def row_labels(r: Bits) -> list[str]:
    """Name of a pick, memory and drop of every row, and its form where that is not the unfused one."""
    forms = [f", {form}" if form not in ("", "unfused") else "" for form in r.forms or [""] * len(r.ids)]
    names = [f"{pick}: " if pick else "" for pick in r.picks]
    return [
        f"{name}{quantity(m, 'B')}, {tidy(d, 1)} pp{form}"
        for name, m, d, form in zip(names, r.memory_bytes, r.drop, forms, strict=True)
    ]
