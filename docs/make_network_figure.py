"""The figure of docs/network.md: the captured graph of a Spikformer block's attention, as an SVG file.

    python docs/make_network_figure.py docs/images/graph.svg

Operations that only move elements are left out; what a value can be is written at its arrow.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

import torch

import sviT_models
from sviT_models.graph.graph import Graph, Node

NETWORK, BLOCK, STEPS = "spikformer_tiny", "block.0", 2
MOVES = frozenset({"reshape", "permute", "expand", "select", "slice", "concat"})
WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 168, 40, 196, 74, 20  # [px]: boxes, and the distances of their columns and rows
COLOURS = {"spike": "#1b7f4d", "count": "#b35c00", "number": "#5a6472"}
STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:12px;fill:#1c2330}.path{font-size:10.5px;fill:#5a6472}"
    "rect{fill:#fff;stroke:#8a94a3}.neuron{fill:#e7f5ee}.linear,.conv,.matmul{fill:#eef2fb}.add{fill:#fdf1e3}"
    "path{fill:none;stroke-width:1.6}.value{font-size:10.5px}.ground{stroke:none}"
)


@dataclass(frozen=True)
class Box:
    """A node at a column and a row, and the boxes that it takes its values from."""

    node: Node
    column: float
    row: int
    sources: tuple[str, ...]

    @property
    def x(self) -> float:
        """Its left side."""
        return MARGIN + self.column * ACROSS

    @property
    def y(self) -> float:
        """Its upper side."""
        return MARGIN + self.row * DOWN


def captured() -> Graph:
    """The graph of the network, which has the same structure whatever its weights are."""
    model = sviT_models.build(NETWORK, time_steps=STEPS).eval()
    return sviT_models.capture(model, torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))


def boxes(graph: Graph) -> dict[str, Box]:
    """The block's operations by name, in rows by their longest way from the block's input."""

    def source(name: str) -> str:
        node = graph.by_name[name]
        return source(node.inputs[0]) if node.op in MOVES else name

    inside = [n for n in graph.nodes if f"{n.path}.".startswith(f"{BLOCK}.") and n.op not in MOVES]
    first = source(inside[0].inputs[0])
    rows = {first: 0}
    taken = {first: ()}
    for node in inside:
        taken[node.name] = tuple(source(name) for name in node.inputs)
        rows[node.name] = 1 + max(rows[name] for name in taken[node.name])
    placed: dict[str, Box] = {}
    for row in range(max(rows.values()) + 1):
        names = [name for name in taken if rows[name] == row]
        for i, name in enumerate(names):
            placed[name] = Box(graph.by_name[name], 1 + i - (len(names) - 1) / 2, row, taken[name])
    return placed


def label(node: Node) -> tuple[str, str]:
    """What a box says: the operation, and where it stands in the module."""
    law = node.attributes.get("law")
    how = "" if law is None else f", fires at {law.fires_at} {law.threshold:g}"
    return f"{node.op}{how}", node.path


def arrow(start: Box, end: Box) -> str:
    """From a value to where it is taken; around the boxes between where there are any."""
    colour = COLOURS[start.node.value.kind]
    x0, y0, x1, y1 = start.x + WIDTH / 2, start.y + HEIGHT, end.x + WIDTH / 2, end.y
    if end.row - start.row == 1:
        way = f"M{x0:g} {y0:g}C{x0:g} {y0 + 18:g} {x1:g} {y1 - 18:g} {x1:g} {y1:g}"
    else:  # a shortcut, beside all columns: to the left from the left one, else to the right
        left = start.column < 1
        side, turn = (MARGIN - 12, 12) if left else (MARGIN + 3 * ACROSS - 8, -12)
        x0, x1 = (start.x, end.x - 5) if left else (start.x + WIDTH, end.x + WIDTH + 5)
        y0, y1 = start.y + HEIGHT / 2, end.y + HEIGHT / 2
        way = f"M{x0:g} {y0:g}H{side + turn:g}Q{side:g} {y0:g} {side:g} {y0 + 12:g}V{y1 - 12:g}"
        way += f"Q{side:g} {y1:g} {side + turn:g} {y1:g}H{x1:g}"
    return f'<path d="{way}" stroke="{colour}" marker-end="url(#{start.node.value.kind})"/>'


def drawn(placed: dict[str, Box]) -> str:
    """The figure."""
    height = MARGIN + DOWN * (max(box.row for box in placed.values()) + 1)
    width = 2 * MARGIN + 3 * ACROSS
    heads = "".join(
        f'<marker id="{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<polygon points="0 0 8 4 0 8" fill="{colour}"/></marker>'
        for kind, colour in COLOURS.items()
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title">',
        f'<title id="title">The graph of one block of {NETWORK}: operations, and what their values can be</title>',
        f'<style>{STYLE}</style><defs>{heads}</defs><rect class="ground" width="{width}" height="{height}"/>',
    ]
    lines += [arrow(placed[source], box) for box in placed.values() for source in dict.fromkeys(box.sources)]
    for box in placed.values():
        name, path = label(box.node)
        middle, value = box.x + WIDTH / 2, str(box.node.value).removesuffix(" (step 1)")
        lines += [
            f'<rect class="{box.node.op}" x="{box.x:g}" y="{box.y:g}" width="{WIDTH}" height="{HEIGHT}" rx="5"/>',
            f'<text x="{middle:g}" y="{box.y + 17:g}" text-anchor="middle">{escape(name)}</text>',
            f'<text class="path" x="{middle:g}" y="{box.y + 32:g}" text-anchor="middle">{escape(path)}</text>',
            f'<text class="value" x="{middle + 6:g}" y="{box.y + HEIGHT + 14:g}" '
            f'style="fill:{COLOURS[box.node.value.kind]}">{escape(value)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(drawn(boxes(captured())), encoding="utf-8")
