"""Least and greatest energy of designs over all variations of the models."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from costmodels.errors import CostError
from costmodels.estimation.candidates import Candidates, costs_of
from costmodels.hardware.hardware import Hardware
from costmodels.studies.non_spiking import equivalents
from costmodels.studies.variations import variations

FloatArray = NDArray[np.float64]

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
    if network not in NETWORKS:
        raise CostError(f"unknown network {network!r}; there are {', '.join(NETWORKS)}")
    of, designs = NETWORKS[network], candidates.settled()
    made = {id(designs): of(designs)}  # one chip after the other runs the same networks
    pairs = [(made[id(designs)], hardware)]
    for each in variations(designs, hardware, 0):
        if each.name not in without:
            pairs.append((made.get(id(each.candidates)) or of(each.candidates), each.hardware))
    found = [cost["energy_j"] for cost in costs_of(pairs, ("energy_j",))]
    return np.stack([np.min(found, axis=0), np.max(found, axis=0)], axis=-1)


def columns_of(bands: FloatArray) -> dict[str, FloatArray]:
    """The two columns of tables that hold bands."""
    return {"energy_low": bands[:, 0], "energy_high": bands[:, 1]}
