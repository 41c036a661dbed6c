"""The heat map of widths: a row per design, a column per layer, and each layer's shares above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np

from reports.number_text import short_name
from reports.plots import style
from reports.plots.interactive import Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LETTERS = 90  # letters of a tick label that fit under the printed heat map
LEAST_SPAN = 3  # layers of a block that has its name on the page
TICKS_ON_PAGE, TICKS_ON_PAPER = 14, 12  # rows that carry a text
PAGE_LETTERS = 66  # letters of a tick label that fit on the page, on a narrow screen as well
TITLE_ROOM, BAR_ROOM, GAP, MARGINS = 20, 36, 10, 50  # px of the page: a title, the bars below it, what parts them
Span = tuple[str, int, int]


@dataclass(frozen=True)
class Shares:
    """A share of every layer, drawn as bars above the map: title, values, colour, and what they are shares of."""

    title: str
    values: tuple[float, ...]
    colour: str
    of: str


@dataclass(frozen=True)
class HeatMap:
    """What the map shows: `widths[row][column]`, texts of rows, short names of columns, and the shares above.

    `spans` are (name, first, last) of the columns of a block; `palette` gives the colour of every width; `ids` are the
    designs of the rows, `named` the places of those whose text always stands beside them.
    """

    widths: tuple[tuple[int, ...], ...]
    ids: tuple[str, ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    spans: tuple[Span, ...]
    palette: dict[int, str]
    shares: tuple[Shares, ...]
    named: tuple[int, ...] = ()

    def labelled(self, most: int) -> list[int]:
        """The rows that carry a text: the named ones, and about `most` at even distances that keep off them."""
        step = max(1, len(self.ids) // most)
        apart = [i for i in range(0, len(self.ids), step) if all(abs(i - n) >= step for n in self.named)]
        return sorted({*self.named, *apart})

    @property
    def levels(self) -> list[int]:
        """The widths that occur, rising."""
        return sorted({b for row in self.widths for b in row})

    def ranks(self) -> list[list[int]]:
        """Every cell as the index of its width among `levels`."""
        rank = {b: i for i, b in enumerate(self.levels)}
        return [[rank[b] for b in row] for row in self.widths]


def palette(widths: Sequence[int]) -> dict[int, str]:
    """A colour for every width: cividis from its dark to its light end, few bits dark."""
    scale = matplotlib.colormaps["cividis"]
    places = np.linspace(0.05, 0.97, len(widths)) if len(widths) > 1 else np.array([0.5])
    return {b: matplotlib.colors.to_hex(scale(p)) for b, p in zip(widths, places, strict=True)}


def page_height(rows: int) -> int:
    """Height [px] of the map on the page with room for the shares above it, whatever the number of rows."""
    return MARGINS + 2 * (TITLE_ROOM + BAR_ROOM + GAP) + max(160, 13 * rows + 60)


def _tops(rows: int) -> list[float]:
    """The upper ends of first bars, second bars and map, as parts of the height."""
    inner = page_height(rows) - MARGINS
    first = TITLE_ROOM
    second = first + BAR_ROOM + GAP + TITLE_ROOM
    return [1 - place / inner for place in (first, second, second + BAR_ROOM + GAP)]


def plotted(r: HeatMap) -> Plot:
    """The map for the page; rows carry design ids."""
    count = len(r.columns)
    shares = [
        {
            "type": "bar",
            "x": list(range(count)),
            "y": [100 * v for v in share.values],
            "yaxis": f"y{n}",
            "marker": {"color": f"${share.colour}", "line": {"width": 0}},
            "hovertemplate": "%{text}: %{y:.2f} % " + share.of + "<extra></extra>",
            "text": list(r.columns),
            "textposition": "none",
        }
        for n, share in enumerate(r.shares, start=2)
    ]
    return {"data": [_map_trace(r), *shares], "layout": _layout(r)}


def _map_trace(r: HeatMap) -> Plot:
    levels = r.levels
    n = max(len(levels), 1)
    scale: list[list[Any]] = []
    for i, bits in enumerate(levels):
        scale += [[i / n, r.palette[bits]], [(i + 1) / n, r.palette[bits]]]
    bar = {
        "thickness": 12,
        "len": _tops(len(r.ids))[2],
        "y": 0,
        "yanchor": "bottom",
        "outlinewidth": 0,
        "title": {"text": "bit"},
    }
    return {
        "type": "heatmap",
        "z": r.ranks(),
        "x": list(range(len(r.columns))),
        "y": list(range(len(r.ids))),
        "zmin": -0.5,
        "zmax": n - 0.5,
        "colorscale": scale or "Cividis",
        "text": [[f"{s}: {b} bit" for s, b in zip(r.columns, row, strict=True)] for row in r.widths],
        "customdata": list(r.ids),
        "hovertemplate": "%{text}<extra></extra>",
        "xgap": 0.4,
        "ygap": 0.8,
        "colorbar": {**bar, "tickvals": list(range(n)), "ticktext": [str(b) for b in levels]},
        "meta": "bits",
    }


def _layout(r: HeatMap) -> Plot:
    named = [(name, first, last) for name, first, last in r.spans if last - first + 1 >= LEAST_SPAN]
    names = _apart(named, len(r.columns) / PAGE_LETTERS)
    *tops, map_top = _tops(len(r.ids))
    bar = BAR_ROOM / (page_height(len(r.ids)) - MARGINS)
    labelled = r.labelled(TICKS_ON_PAGE)
    # at the left, where a narrow screen shows it without scrolling
    place = {"xref": "paper", "yref": "paper", "x": 0, "xanchor": "left", "yanchor": "bottom", "showarrow": False}
    border = {"type": "line", "xref": "x", "yref": "paper", "y0": 0, "y1": map_top}
    return {
        "xaxis": {
            "tickvals": list(names),
            "ticktext": list(names.values()),
            "tickangle": 0,
            "showgrid": False,
            "anchor": "y",
            "range": [-0.5, len(r.columns) - 0.5],
        },
        "yaxis": {
            "autorange": "reversed",
            "domain": [0, map_top],
            "tickvals": labelled,
            "ticktext": [r.rows[i] for i in labelled],
            "title": {"text": "memory and drop of the design"},
            "showgrid": False,
        },
        "yaxis2": {"domain": [tops[0] - bar, tops[0]], "nticks": 3},
        "yaxis3": {"domain": [tops[1] - bar, tops[1]], "nticks": 3},
        # the axes of the shares are too low for a title beside them
        "annotations": [{"text": s.title, **place, "y": y} for s, y in zip(r.shares, tops, strict=True)],
        "shapes": [
            {**border, "x0": first - 0.5, "x1": first - 0.5, "line": {"color": "$paper", "width": 2}}
            for _, first, _ in r.spans[1:]
        ],
        "bargap": 0.1,
        "hovermode": "closest",
    }


def figure(r: HeatMap) -> Figure:
    """The map for slides and print."""
    from matplotlib.ticker import MaxNLocator

    rows = len(r.ids)
    height = 2.2 + min(4.0, 0.09 * rows + 0.6)
    made, axes = style.new(3, 1, height=height, sharex=True, height_ratios=[1, 1, max(2.5, rows * 0.22)])
    for ax, share in zip(axes, r.shares, strict=False):
        ax.bar(range(len(r.columns)), 100 * np.array(share.values), width=0.9, color=style.COLOURS[share.colour])
        ax.set_ylabel(share.title, fontsize=7)
        ax.yaxis.set_major_locator(MaxNLocator(2, prune="upper"))  # the axes stand close together
        ax.tick_params(axis="x", length=0)
    _draw_map(made, axes[2], r)
    made.align_ylabels(axes)
    return made


def _draw_map(made: Figure, heat: Axes, r: HeatMap) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    levels, rows, count = r.levels, len(r.ids), len(r.columns)
    image = heat.imshow(
        r.ranks(),
        aspect="auto",
        interpolation="nearest",
        cmap=ListedColormap([r.palette[b] for b in levels]),
        norm=BoundaryNorm(np.arange(len(levels) + 1) - 0.5, len(levels)),
        extent=(-0.5, count - 0.5, rows - 0.5, -0.5),
    )
    for _, first, _ in r.spans[1:]:
        heat.axvline(first - 0.5, color="white", lw=0.9)
    names = _apart(r.spans, count / LETTERS)
    heat.set_xticks(list(names), list(names.values()))
    labelled = r.labelled(TICKS_ON_PAPER)
    heat.set_yticks(labelled, [r.rows[i] for i in labelled])
    heat.set_ylabel("memory, drop")
    for spine in heat.spines.values():
        spine.set_visible(False)
    bar = made.colorbar(matplotlib.cm.ScalarMappable(image.norm, image.cmap), ax=heat, fraction=0.025, pad=0.01)
    bar.set_ticks(range(len(levels)), labels=[str(b) for b in levels])
    bar.outline.set_visible(False)
    bar.set_label("bit")


def _apart(spans: Sequence[Span], letter: float) -> dict[float, str]:
    """Where block names stand under the columns, long blocks first; a name for which there is no room is left out."""
    names: dict[float, str] = {}
    for name, first, last in sorted(spans, key=lambda s: s[1] - s[2]):
        middle, text = (first + last) / 2, short_name(name)
        if all(abs(middle - m) > letter * (1 + (len(text) + len(t)) / 2) for m, t in names.items()):
            names[middle] = text
    return dict(sorted(names.items()))
