"""What the operations of a program take and give: integers, exact sums, numbers, and how they lie in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sviT_models.engine.forms import Form

BYTES, PLANES, EXACT = "bytes", "planes", "exact"  # how integers are stored: unsigned, split and raised, as numbers


@dataclass(frozen=True)
class Integers:
    """Integers between `low` and `high` in units of `step`; None: the weights of `layers` decide it, and then
    `factors`, a multiplier and a divisor each."""

    low: int
    high: int
    step: float | None
    stored: str = BYTES
    layers: tuple[str, ...] = ()
    factors: tuple[tuple[float, float], ...] = ()

    @property
    def planes(self) -> int:
        """Bytes that hold the integers once they are raised by half of their range."""
        places = 1
        while not -(2 ** (8 * places - 1)) <= self.low <= self.high < 2 ** (8 * places - 1):
            places += 1
        return places


@dataclass(frozen=True)
class Weighted:
    """A layer's exact sums; `layers` decide their gain and shift, `axis` of the graph's shape holds the channels."""

    layers: tuple[str, ...]
    axis: int
    unshifted: bool = False


@dataclass(frozen=True)
class Number:
    """Membrane inputs: float32, or float64 behind the mean over a head's sums."""

    double: bool = False


Kind = Integers | Weighted | Number


@dataclass(frozen=True)
class Value:
    """What an operation takes: the result of `source` as `kind` in `form`.

    Sums of a layer stand behind `norms` (nodes of the graph), and between the layer and those behind a `pad` (another).
    """

    source: str
    kind: Kind
    form: Form
    norms: tuple[str, ...] = ()
    pad: str = ""


def with_step(kind: Integers, factor: float, divisor: float = 1.0) -> Integers:
    """The same integers in a unit times a factor, then divided."""
    if kind.step is None:
        return replace(kind, factors=(*kind.factors, (factor, divisor)))
    return replace(kind, step=kind.step * factor / divisor)
