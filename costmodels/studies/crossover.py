"""Energy over the firing rate beside the equivalent non-spiking network: up to which rate spikes pay on a chip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.errors import CostError
from costmodels.estimation.designs import Designs
from costmodels.estimation.estimate import estimate
from costmodels.hardware.hardware import Hardware
from costmodels.studies.non_spiking import non_spiking, with_own_activity
from costmodels.studies.variations import at_rate
from costmodels.workload.activity import Activity
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
_LEAST, _POINTS, _ROUNDS = 1e-4, 33, 4  # each round is 32 times finer


@dataclass(frozen=True)
class Crossover:
    """Energy of a spiking network over its firing rate, and that of the non-spiking network with the same weights.

    curve       one row per rate: `rate` (spikes per neuron and step), `spiking_j`, `non_spiking_j`, `ratio` of the two
    rate        the rate up to which the spiking network needs less; 0: at no rate, 1: at every rate
    time_steps  of the spiking network
    own_rate    the firing rate that the design has
    """

    curve: pd.DataFrame
    rate: float
    time_steps: int
    own_rate: float


def crossover(
    workload: Workload,
    hardware: Hardware,
    design: Designs | ArrayLike,
    *,
    rates: Sequence[float] = RATES,
    density: float = 1.0,
) -> Crossover:
    """The curve of spiking against non-spiking energy over the firing rate, as in Yan et al. (arXiv 2409.08290).

    workload  the layer table with the measured activity: how spikes are spread over the network stays, their number
              changes
    hardware  the chip
    design    one design as for `estimate`
    rates     firing rates of the curve, mean over all neurons and steps, above 0 and at most 1
    density   share of the activations of the non-spiking network that are not zero; the chip skips zeros

    The non-spiking network has activations of ceil(log2(T + 1)) bits and runs once. No neuron fires more than once per
    step: above the rate at which the first ones do, the others fire as much as asked. Raises CostError for rates and
    densities that cannot be, and for a network that does not fire.
    """
    import pandas as pd

    if not 0 < density <= 1:
        raise CostError(f"density is {density:g}; expected a share of the activations, above 0 and at most 1")
    if wrong := [rate for rate in rates if not 0 < rate <= 1]:
        raise CostError(f"rates: {wrong[0]:g} is no firing rate; expected above 0 and at most 1")
    network, alone = with_own_activity(workload, Designs.of(design))
    fires = float(network.columns["lif_spikes"].sum())
    neurons = float(network.columns["neurons"].sum()) * network.time_steps
    if not fires:
        raise CostError("no neuron of the layer table fires; there is no firing rate to scale")
    dense = _thinned(non_spiking(network, dense=True), network, density)
    other = float(estimate(dense, hardware, alone.weight_bits, components=False).energy_j)

    def spiking(at: Sequence[float] | FloatArray) -> FloatArray:
        each = [at_rate(network, network.activity, float(rate) * neurons / fires) for rate in at]
        batch = Activity(*(np.stack([getattr(a, name) for a in each]) for name in ("spikes", "lif_spikes", "synops")))
        return estimate(network, hardware, replace(alone, spikes=batch, names=()), components=False).energy_j

    found = spiking(rates)
    curve = {"rate": list(rates), "spiking_j": found, "non_spiking_j": other, "ratio": found / other}
    low, high = _LEAST, 1.0
    for _ in range(_ROUNDS):
        grid = np.linspace(low, high, _POINTS)
        wins = np.flatnonzero(spiking(grid) < other)
        if not len(wins) or wins[-1] == _POINTS - 1:
            low = high = grid[-1] if len(wins) else (0.0 if low == _LEAST else low)
            break
        low, high = grid[wins[-1]], grid[wins[-1] + 1]
    return Crossover(pd.DataFrame(curve), float((low + high) / 2), network.time_steps, fires / neurons)


def _thinned(dense: Workload, spiking: Workload, density: float) -> Workload:
    """The dense non-spiking network with some activations at zero; the image stays, products of streams thin twice."""
    was_spike = ~spiking.geometry.multibit
    share = np.where(was_spike, density, 1.0)
    both = np.array([joined.count(";") == 1 for joined in spiking.texts["lif"]]) & spiking.geometry.attention
    column = dense.columns
    changed = {
        "spikes": column["spikes"] * share,
        "synops": column["synops"] * np.where(both, share * share, share),
    }
    return replace(dense, columns={**column, **changed})
