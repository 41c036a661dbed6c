"""Where the names of points stand so that they do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence

GAP = 4.0  # between two names beside each other, in the unit of the frame
Box = tuple[float, float, float, float]
# (plotly's name, matplotlib's alignments, direction); the first that is free is taken
SIDES: tuple[tuple[str, str, str, float, float], ...] = (
    ("top right", "left", "bottom", 1, 1),
    ("bottom right", "left", "top", 1, -1),
    ("top left", "right", "bottom", -1, 1),
    ("bottom left", "right", "top", -1, -1),
    ("top center", "center", "bottom", 0, 1),
    ("bottom center", "center", "top", 0, -1),
)


def place(
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    obstacles: Sequence[tuple[float, float]],
    width: float,
    height: float,
    size: float,
    margin: float = 0.0,
) -> list[int]:
    """The index into SIDES of every label.

    Points and obstacles are in units of the frame, (0, 0) its lower left corner; the frame is `width` x `height` and
    letters are `size` high, in one unit of length; names may run `margin` beyond its right side.  Labels are placed
    greedily in the order given, each where it covers the least: other labels first, then the frame's rim, then places
    where it seems to belong to another point, then points.
    """
    taken: list[Box] = []
    chosen = []
    marks = [(x * width, y * height) for x, y in [*points, *obstacles]]
    named = [(x * width, y * height) for x, y in points]
    for (x, y), text in zip(points, texts, strict=True):
        at = (x * width, y * height)
        costs = []
        for _, _, _, dx, dy in SIDES:
            box = _box(at, 0.58 * size * len(text), 1.25 * size, dx, dy, 0.55 * size)
            costs.append(
                300 * sum(_overlap(box, other) for other in taken)
                + 3 * sum(_inside(box, mark) for mark in marks if mark != at)
                + 60 * _outside(box, width + margin, height)
                + 8 * sum(_near(box, other, 0.8 * size) for other in named if other != at)
            )
        best = min(range(len(SIDES)), key=lambda i: costs[i])
        _, _, _, dx, dy = SIDES[best]
        taken.append(_box(at, 0.58 * size * len(text), 1.25 * size, dx, dy, 0.55 * size))
        chosen.append(best)
    return chosen


def _box(at: tuple[float, float], width: float, height: float, dx: float, dy: float, gap: float) -> Box:
    left = at[0] + (dx * gap if dx > 0 else dx * (gap + width) if dx < 0 else -width / 2)
    bottom = at[1] + (gap if dy > 0 else -gap - height)
    return left, bottom, left + width, bottom + height


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] + GAP and b[0] < a[2] + GAP and a[1] < b[3] and b[1] < a[3]


def _inside(box: Box, mark: tuple[float, float]) -> bool:
    return box[0] < mark[0] < box[2] and box[1] < mark[1] < box[3]


def _near(box: Box, mark: tuple[float, float], reach: float) -> bool:
    return _inside((box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach), mark)


def _outside(box: Box, width: float, height: float) -> bool:
    return box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height
