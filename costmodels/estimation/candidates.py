"""Candidates: designs that are compared with each other, of one network or of several forms of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.errors import CostError
from costmodels.estimation.cost import Cost, joined
from costmodels.estimation.designs import Designs, Places
from costmodels.estimation.estimate import estimate
from costmodels.estimation.many_chips import groups, on_chips
from costmodels.estimation.request import settled
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload


class Part(NamedTuple):
    """Designs (n,) of one layer table, and their places (n,) among all candidates."""

    workload: Workload
    designs: Designs
    places: Places


@dataclass(frozen=True, eq=False)
class Candidates:
    """N designs to compare; those with the same layer table are one part. Every place belongs to one part."""

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        places = np.concatenate([part.places for part in self.parts]) if self.parts else np.empty(0)
        if not np.array_equal(np.sort(places), np.arange(len(places))) or len(places) != len(self):
            raise CostError("the parts of candidates do not fill the places 0 to N - 1; expected each place once")

    @classmethod
    def of(cls, workload: Workload, designs: Designs | ArrayLike) -> Candidates:
        """Designs, or weight widths (N, L), of one network."""
        given = Designs.of(designs)
        flat = given.only(np.arange(len(given)))
        return cls((Part(workload, flat, np.arange(len(flat))),))

    def __len__(self) -> int:
        return sum(len(part.designs) for part in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all N designs."""
        names = {
            int(place): part.designs.name(i) for part in self.parts for i, place in enumerate(part.places.tolist())
        }
        return tuple(names[place] for place in range(len(self)))

    def one(self, place: int) -> tuple[Workload, Designs]:
        """The layer table and the design at one place."""
        for workload, designs, places in self.parts:
            if place in places:
                return workload, designs.only(int(np.flatnonzero(places == place)[0]))
        raise IndexError(place)

    def only(self, places: Sequence[int] | NDArray[np.intp]) -> Candidates:
        """The candidates at some places, in that order."""
        at = np.asarray(places, dtype=np.intp)
        parts = []
        for workload, designs, own in self.parts:
            new, old = np.nonzero(at[:, None] == own[None])
            if len(new):
                parts.append(Part(workload, designs.only(old), new))
        return Candidates(tuple(parts))

    def settled(self) -> Candidates:
        """The same N designs with their activity worked out once, for their costs on many chips.

        A part for every layer table and number of time steps.  Raises CostError for time steps and spikes that cannot
        be.
        """
        parts = []
        for workload, designs, places in self.parts:
            for own, some in designs.by_time_steps():
                table, known = settled(workload, some)
                names = tuple(designs.name(place) for place in own.tolist())
                parts.append(Part(table, replace(known, names=names), places[own]))
        return Candidates(tuple(parts))

    def costs(self, hardware: Hardware, *, frame_rate: float | None = None) -> Cost:
        """What all N cost on a chip, arrays (N,), as `estimate`; without the tables of components."""
        parts = [
            (places, estimate(workload, hardware, designs, frame_rate=frame_rate, components=False))
            for workload, designs, places in self.parts
        ]
        return joined(parts, (len(self),))

    def costs_on(self, chips: Sequence[Hardware], *, frame_rate: float | None = None) -> Cost:
        """What all N cost on each of H chips, arrays (H, N); every row as `costs` gives it, to the last bit."""
        parts = []
        for numbers, some in groups(chips):
            for workload, designs, places in self.parts:
                at = numbers[:, None] * len(self) + places
                parts.append((at.reshape(-1), on_chips(workload, some, designs, frame_rate)))
        return joined(parts, (len(chips), len(self)))


def costs_of(
    pairs: Sequence[tuple[Candidates, Hardware]], names: Sequence[str], frame_rate: float | None = None
) -> list[dict[str, NDArray[np.float64]]]:
    """The named costs of candidates on a chip, for every pair; the same candidates may have many chips."""
    found: list[dict[str, NDArray[np.float64]]] = [{} for _ in pairs]
    same: dict[int, list[int]] = {}
    for place, (candidates, _) in enumerate(pairs):
        same.setdefault(id(candidates), []).append(place)
    for places in same.values():
        cost = pairs[places[0]][0].costs_on([pairs[place][1] for place in places], frame_rate=frame_rate)
        for row, place in enumerate(places):
            found[place] = {name: getattr(cost, name)[row] for name in names}
    return found
