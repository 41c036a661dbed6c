"""Least and greatest energy of designs over all variations of the models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from costmodels.errors import CostError
from costmodels.estimation.candidates import Candidates, costs_of
from costmodels.hardware.hardware import Hardware
from costmodels.studies.non_spiking import equivalents
from costmodels.studies.variations import Variation, moved, variations

FloatArray = NDArray[np.float64]

_AT_ONCE = 32  # chips whose variations, some seventy each, are costed at once

NETWORKS: dict[str, Callable[[Candidates], Candidates]] = {
    "spiking": lambda candidates: candidates,
    "non-spiking": equivalents,
    "non-spiking, dense": lambda candidates: equivalents(candidates, dense=True),
}
"""The networks that a design is put beside, by name."""


def energy_bands(
    candidates: Candidates, hardware: Hardware, *, network: str = "spiking", without: Collection[str] = ()
) -> FloatArray:
    """Least and greatest energy of N designs over the variations of `stability`, (N, 2) [J].

    candidates  the N designs
    hardware    the chip
    network     spiking, or the networks that are equivalent to the designs: non-spiking; non-spiking, dense. They have
                the variations of the designs: other firing rates are other zeros, other time steps other widths
    without     variations that are left out, by their names in the table of `stability`, such as datapath

    Raises CostError for an unknown network.
    """
    ends: FloatArray = bands_on(candidates, [hardware], network=network, without=without)[0]
    return ends


def bands_on(
    candidates: Candidates, chips: Sequence[Hardware], *, network: str = "spiking", without: Collection[str] = ()
) -> FloatArray:
    """What `energy_bands` gives on each of H chips, (H, N, 2) [J], to the last bit; together they take less time."""
    if network not in NETWORKS:
        raise CostError(f"unknown network {network!r}; there are {', '.join(NETWORKS)}")
    of, designs = NETWORKS[network], candidates.settled()
    others = moved(designs)
    made = {id(each): of(each) for each in (designs, *(other.candidates for other in others))}
    found = [
        _ends(made, designs, [(chip, list(variations(designs, chip, 0, others))) for chip in chips[part]], without)
        for part in (slice(start, start + _AT_ONCE) for start in range(0, len(chips), _AT_ONCE))
    ]
    return np.concatenate(found)


def _ends(
    made: Mapping[int, Candidates],
    designs: Candidates,
    varied: Sequence[tuple[Hardware, Sequence[Variation]]],
    without: Collection[str],
) -> FloatArray:
    """Least and greatest energy (H, N, 2) [J]; `made` has the networks that run, by the designs that they stand for."""
    pairs: list[tuple[Candidates, Hardware]] = []
    starts = []
    for chip, changes in varied:
        starts.append(len(pairs))
        pairs.append((made[id(designs)], chip))
        pairs += [(made[id(each.candidates)], each.hardware) for each in changes if each.name not in without]
    found = np.stack([cost["energy_j"] for cost in costs_of(pairs, ("energy_j",))])
    return np.stack([np.minimum.reduceat(found, starts), np.maximum.reduceat(found, starts)], axis=-1)


def columns_of(bands: FloatArray) -> dict[str, FloatArray]:
    """The two columns of tables that hold bands."""
    return {"energy_low": bands[:, 0], "energy_high": bands[:, 1]}
