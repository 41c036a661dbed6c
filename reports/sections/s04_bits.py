"""Which layer has how many bits: a heat map of the front, with each layer's part of weights and operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.designs import Layers, layers
from reports.number_text import quantity, short_name, tidy
from reports.page import html as drawing
from reports.page.html import Drawing, Plot, StaticFigure
from reports.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Bits per layer"
MOST_ROWS = 60
LETTERS = 90  # letters of a tick label that fit under the printed heat map


@dataclass(frozen=True)
class Bits:
    """Widths of the front designs by rising memory: `widths[row][layer]`, `steps[row]`, `states[stage][row]`.

    Of a front longer than MOST_ROWS only evenly spaced designs are drawn, picks always; `left_out` says how many not.
    `spans` are (name, first, last) of runs of layers that belong to one block; `palette` gives the colour of every
    width that occurs in the run; `forms[row]` is there where the search had the choice.
    """

    ids: tuple[str, ...]
    memory_bytes: tuple[float, ...]
    drop: tuple[float, ...]
    steps: tuple[int, ...]
    states: dict[str, tuple[int, ...]]
    widths: tuple[tuple[int, ...], ...]
    left_out: int
    layers: Layers
    spans: tuple[tuple[str, int, int], ...]
    palette: dict[int, str]
    forms: tuple[str, ...] = ()


def record(run: Run) -> Bits:
    """The widths of the front designs, rows by memory, columns in network order."""
    front = run.front
    kept = _spread(list(front["id"]), {str(p["id"]) for p in run.picks["picks"]})
    shown = front.loc[kept]
    names = layers(run)
    states = [c for c in shown.columns if c.startswith("v:") and shown[c].notna().all()]
    return Bits(
        ids=tuple(kept),
        memory_bytes=tuple(shown["memory_bytes"].astype(float)),
        drop=tuple(shown["drop"].astype(float)),
        steps=tuple(shown["time_steps"].astype(int)),
        states={c[2:]: tuple(shown[c].astype(int)) for c in states},
        widths=tuple(tuple(row) for row in shown[[f"w:{n}" for n in names.names]].astype(int).to_numpy().tolist()),
        left_out=len(front) - len(kept),
        layers=names,
        spans=spans(names.blocks),
        palette=palette(
            sorted(set(run.results[[f"w:{n}" for n in names.names]].astype(int).to_numpy().ravel().tolist()))
        ),
        forms=tuple(shown["form"].astype(str)) if "form" in shown else (),
    )


def _spread(ids: list[str], always: set[str]) -> list[str]:
    if len(ids) <= MOST_ROWS:
        return ids
    chosen = {ids[i] for i in np.linspace(0, len(ids) - 1, MOST_ROWS - len(always)).round().astype(int)} | always
    return [i for i in ids if i in chosen]


def spans(blocks: tuple[str, ...]) -> tuple[tuple[str, int, int], ...]:
    """(name, first, last) of every run of equal entries."""
    out: list[tuple[str, int, int]] = []
    for i, block in enumerate(blocks):
        if out and out[-1][0] == block:
            out[-1] = (block, out[-1][1], i)
        else:
            out.append((block, i, i))
    return tuple(out)


def palette(widths: list[int]) -> dict[int, str]:
    """A colour for every width: cividis from its dark to its light end, few bits dark."""
    import matplotlib

    scale = matplotlib.colormaps["cividis"]
    places = np.linspace(0.05, 0.97, len(widths)) if len(widths) > 1 else np.array([0.5])
    return {b: matplotlib.colors.to_hex(scale(p)) for b, p in zip(widths, places, strict=True)}


def draw(r: Bits) -> Drawing:
    """The heat map with the shares of every layer above it."""
    left = f" {r.left_out} front designs in between are left out here." if r.left_out else ""
    if "fused" in r.forms:
        left += " A fused design shows the width of each fused layer in all columns of the layers it stands for."
    html = drawing.join(
        drawing.text(
            "Every row is a front design, the smallest at the top; every column is a weight layer in network order, "
            "grouped by block. Above: each layer's part of all weights and of all synaptic operations (measured on "
            f"the float network). Few bits save memory where there are many weights, and "
            f"energy where there are many operations.{left}",
            "lead",
        ),
        drawing.plot(
            "bits", 170 + max(160, 13 * len(r.ids) + 60), "Bits of every layer for every front design", wide=True
        ),
    )
    caption = "Width of every weight layer (columns, network order) for the front designs (rows, by memory)."
    return Drawing(html, {"bits": plotted(r)}, {"bits": StaticFigure(caption, lambda: figure(r))} if r.ids else {})


def row_labels(r: Bits) -> list[str]:
    """Memory and drop of every row, and its form where that is not the unfused one."""
    forms = [f", {form}" if form not in ("", "unfused") else "" for form in r.forms or [""] * len(r.ids)]
    return [
        f"{quantity(m, 'B')}, {tidy(d, 1)} pp{form}" for m, d, form in zip(r.memory_bytes, r.drop, forms, strict=True)
    ]


def _widths(r: Bits) -> list[int]:
    return sorted({b for row in r.widths for b in row})


def plotted(r: Bits) -> Plot:
    """The interactive heat map; rows carry design ids."""
    widths = _widths(r)
    colours = r.palette
    rank = {b: i for i, b in enumerate(widths)}
    n = max(len(widths), 1)
    scale: list[list[Any]] = []
    for i, b in enumerate(widths):
        scale += [[i / n, colours[b]], [(i + 1) / n, colours[b]]]
    count = len(r.layers.names)
    hover = [[f"{s}: {b} bit" for s, b in zip(r.layers.short, row, strict=True)] for row in r.widths]
    heat = {
        "type": "heatmap",
        "z": [[rank[b] for b in row] for row in r.widths],
        "x": list(range(count)),
        "y": list(range(len(r.ids))),
        "zmin": -0.5,
        "zmax": n - 0.5,
        "colorscale": scale or "Cividis",
        "text": hover,
        "customdata": list(r.ids),
        "hovertemplate": "%{text}<extra></extra>",
        "xgap": 0.4,
        "ygap": 0.8,
        "colorbar": {
            "title": {"text": "bit"},
            "tickvals": list(range(n)),
            "ticktext": [str(b) for b in widths],
            "thickness": 12,
            "len": 0.72,
            "y": 0,
            "yanchor": "bottom",
            "outlinewidth": 0,
        },
        "meta": "bits",
    }
    shares = [
        {
            "type": "bar",
            "x": list(range(count)),
            "y": [100 * v for v in values],
            "yaxis": axis,
            "marker": {"color": colour, "line": {"width": 0}},
            "hovertemplate": "%{text}: %{y:.2f} % " + what + "<extra></extra>",
            "text": list(r.layers.short),
            "textposition": "none",
        }
        for values, axis, colour, what in (
            (r.layers.weight_share, "y2", "$c0", "of the weights"),
            (r.layers.synop_share, "y3", "$c2", "of the operations"),
        )
    ]
    labelled = [(name, a, b) for name, a, b in r.spans if b - a >= 2]
    edges = [a - 0.5 for _, a, _ in r.spans[1:]]
    layout = {
        "xaxis": {
            "tickvals": [(a + b) / 2 for _, a, b in labelled],
            "ticktext": [short_name(name) for name, _, _ in labelled],
            "tickangle": 0,
            "showgrid": False,
            "anchor": "y",
            "range": [-0.5, count - 0.5],
        },
        "yaxis": {
            "autorange": "reversed",
            "domain": [0, 0.72],
            "tickvals": list(range(0, len(r.ids), max(1, len(r.ids) // 14))),
            "ticktext": row_labels(r)[:: max(1, len(r.ids) // 14)],
            "title": {"text": "memory and drop of the design"},
            "showgrid": False,
        },
        "yaxis2": {"domain": [0.89, 1], "nticks": 3},
        "yaxis3": {"domain": [0.755, 0.865], "nticks": 3},
        "annotations": [  # these axes are too low for a title beside them
            {"text": text, "xref": "paper", "yref": "paper", "x": 0.5, "y": y, "yanchor": "top", "showarrow": False}
            for text, y in (("weights [%]", 1), ("synops [%]", 0.865))
        ],
        "shapes": [
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": e,
                "x1": e,
                "y0": 0,
                "y1": 0.72,
                "line": {"color": "$paper", "width": 2},
            }
            for e in edges
        ],
        "bargap": 0.1,
        "hovermode": "closest",
    }
    return {"data": [heat, *shares], "layout": layout}


def _apart(spans: tuple[tuple[str, int, int], ...], letter: float) -> dict[float, str]:
    """Where block names stand under the columns, long blocks first; a name for which there is no room is left out."""
    chosen: dict[float, str] = {}
    for name, first, last in sorted(spans, key=lambda s: s[1] - s[2]):
        middle, text = (first + last) / 2, short_name(name)
        if all(abs(middle - m) > letter * (1 + (len(text) + len(t)) / 2) for m, t in chosen.items()):
            chosen[middle] = text
    return dict(sorted(chosen.items()))


def figure(r: Bits) -> Figure:
    """The heat map for slides and print."""
    import matplotlib
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.ticker import MaxNLocator

    from reports.plots import style

    widths = _widths(r)
    colours = r.palette
    rows = len(r.ids)
    height = 2.2 + min(4.0, 0.09 * rows + 0.6)
    made, axes = style.new(3, 1, height=height, sharex=True, height_ratios=[1, 1, max(2.5, rows * 0.22)])
    count = np.arange(len(r.layers.names))
    for ax, values, colour, what in (
        (axes[0], r.layers.weight_share, style.CATEGORIES[0], "weights [%]"),
        (axes[1], r.layers.synop_share, style.CATEGORIES[2], "synops [%]"),
    ):
        ax.bar(count, 100 * np.array(values), width=0.9, color=colour)
        ax.set_ylabel(what, fontsize=7)
        ax.yaxis.set_major_locator(MaxNLocator(2, prune="upper"))  # the axes stand close together
        ax.tick_params(axis="x", length=0)
    heat = axes[2]
    where = {b: i for i, b in enumerate(widths)}
    image = heat.imshow(
        [[where[b] for b in row] for row in r.widths],
        aspect="auto",
        interpolation="nearest",
        cmap=ListedColormap([colours[b] for b in widths]),
        norm=BoundaryNorm(np.arange(len(widths) + 1) - 0.5, len(widths)),
        extent=(-0.5, len(count) - 0.5, rows - 0.5, -0.5),
    )
    for _, first, _ in r.spans[1:]:
        heat.axvline(first - 0.5, color="white", lw=0.9)
    places = _apart(r.spans, len(count) / LETTERS)
    heat.set_xticks(list(places), list(places.values()))
    step = max(1, rows // 12)
    heat.set_yticks(range(0, rows, step), row_labels(r)[::step])
    heat.set_ylabel("memory, drop")
    for spine in heat.spines.values():
        spine.set_visible(False)
    bar = made.colorbar(matplotlib.cm.ScalarMappable(image.norm, image.cmap), ax=heat, fraction=0.025, pad=0.01)
    bar.set_ticks(range(len(widths)), labels=[str(b) for b in widths])
    bar.outline.set_visible(False)
    bar.set_label("bit")
    made.align_ylabels(axes)
    return made
