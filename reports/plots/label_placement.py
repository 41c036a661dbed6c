"""Where the names of points stand so that they do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.plots.description import Axis, Labels

GAP = 4.0  # between two names beside each other, in the unit of the frame
Position = tuple[float, float]
# What a place of a label costs, worst fault first: a name on another name is unreadable, one beyond the rim is cut off,
# one close to another named point seems to belong to it, and one on a point hides a little of the plot. Each is dearer
# than two of the next, so the placement takes a lesser fault before a worse one. Points beyond `MOST` cost no more: in
# a crowd no place is free, and a name beyond the rim would cover the title of the axis.
COVERS_NAME, BEYOND_RIM, NEAR_OTHER_POINT, COVERS_POINT = 300.0, 60.0, 8.0, 3.0
MOST = 5
LETTER_WIDTH, LINE_HEIGHT, DISTANCE, NEAR = 0.58, 1.25, 0.55, 0.8  # in sizes of a letter; a digit is 0.58 wide


@dataclass(frozen=True)
class Side:
    """A place beside a point: plotly's name, matplotlib's alignments, and the direction from the point."""

    plotly: str
    across: str
    along: str
    dx: float
    dy: float


# the first of the best is taken
SIDES = (
    Side("top right", "left", "bottom", 1, 1),
    Side("bottom right", "left", "top", 1, -1),
    Side("top left", "right", "bottom", -1, 1),
    Side("bottom left", "right", "top", -1, -1),
    Side("top center", "center", "bottom", 0, 1),
    Side("bottom center", "center", "top", 0, -1),
    Side("middle right", "left", "center", 1, 0),
    Side("middle left", "right", "center", -1, 0),
)


@dataclass(frozen=True)
class Frame:
    """The frame of a plot: `width` x `height`, letters `size` high; names may run `margin` beyond its right side."""

    width: float
    height: float
    size: float
    margin: float = 0.0


@dataclass(frozen=True)
class _Box:
    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: _Box) -> bool:
        across = self.left < other.right + GAP and other.left < self.right + GAP
        return across and self.bottom < other.top and other.bottom < self.top

    def holds(self, point: Position) -> bool:
        return self.left < point[0] < self.right and self.bottom < point[1] < self.top

    def wider(self, by: float) -> _Box:
        return _Box(self.left - by, self.bottom - by, self.right + by, self.top + by)

    def beyond(self, frame: Frame) -> bool:
        low = self.left < 0 or self.bottom < 0
        return low or self.right > frame.width + frame.margin or self.top > frame.height


def place(labels: Labels, x: Axis, y: Axis, frame: Frame) -> list[Side]:
    """The side of its point on which every label stands.

    Labels are placed one after the other, each at its best, in the order given and from every other label on; the
    placement with the fewest faults is taken, and of equals the first.
    """

    def position(point: Position) -> Position:
        return x.fraction(point[0]) * frame.width, y.fraction(point[1]) * frame.height

    named = [position(p) for p in labels.points]
    marks = [*named, *map(position, labels.obstacles)]
    choices = [
        [_box(point, text, side, frame.size) for side in SIDES] for point, text in zip(named, labels.texts, strict=True)
    ]
    alone = [
        [_cost(box, point, marks, named, frame) for box in boxes] for point, boxes in zip(named, choices, strict=True)
    ]
    several = range(len(named))
    orders = [[*several[first:], *several[:first]] for first in several]
    found = [_one_after_the_other(order, choices, alone) for order in orders]
    best = min(found, key=lambda each: each[0])[1] if found else {}
    return [SIDES[best[label]] for label in several]


def _one_after_the_other(
    order: Sequence[int], choices: Sequence[Sequence[_Box]], alone: Sequence[Sequence[float]]
) -> tuple[float, dict[int, int]]:
    """The faults in all, and each label's place among its choices."""
    boxes: list[_Box] = []
    places: dict[int, int] = {}
    total = 0.0
    for label in order:
        costs = [
            cost + COVERS_NAME * sum(box.overlaps(other) for other in boxes)
            for box, cost in zip(choices[label], alone[label], strict=True)
        ]
        places[label] = costs.index(min(costs))
        total += min(costs)
        boxes.append(choices[label][places[label]])
    return total, places


def _cost(
    box: _Box,
    point: Position,
    marks: Sequence[Position],
    named: Sequence[Position],
    frame: Frame,
) -> float:
    """What is wrong with a label in `box` beside `point`, other names apart."""
    near = box.wider(NEAR * frame.size)
    return (
        BEYOND_RIM * box.beyond(frame)
        + NEAR_OTHER_POINT * min(MOST, sum(near.holds(other) for other in named if other != point))
        + COVERS_POINT * min(MOST, sum(box.holds(mark) for mark in marks if mark != point))
    )


def _box(at: Position, text: str, side: Side, size: float) -> _Box:
    width, height, gap = LETTER_WIDTH * size * len(text), LINE_HEIGHT * size, DISTANCE * size
    left = at[0] + (gap if side.dx > 0 else -gap - width if side.dx < 0 else -width / 2)
    bottom = at[1] + (gap if side.dy > 0 else -gap - height if side.dy < 0 else -height / 2)
    return _Box(left, bottom, left + width, bottom + height)
