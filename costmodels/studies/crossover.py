"""Energy over the firing rate beside the equivalent non-spiking network: up to which rate spikes pay on a chip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodels.errors import CostError
from costmodels.estimation.candidates import Candidates
from costmodels.estimation.designs import Designs
from costmodels.hardware.hardware import Hardware
from costmodels.studies.non_spiking import non_spiking, with_own_activity
from costmodels.studies.variations import at_rate, variations
from costmodels.workload.activity import Activity
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
_LEAST = 1e-4
_FINE, _COARSE = (33, 4), (9, 3)  # points and rounds: each is 32 or, for the ends of a band, 8 times finer


@dataclass(frozen=True)
class Crossover:
    """Energy of a spiking network over its firing rate, and that of the non-spiking network with the same weights.

    curve       one row per rate: `rate` (spikes per neuron and step), `spiking_j`, `non_spiking_j`, `ratio` of the two;
                with bands also `spiking_low`, `spiking_high`, and so on
    rate        the rate up to which the spiking network needs less; 0: at no rate, 1: at every rate
    time_steps  of the spiking network
    own_rate    the firing rate that the design has
    rate_band   least and greatest of `rate` over the variations of `stability`; None where they were not asked for
    """

    curve: pd.DataFrame
    rate: float
    time_steps: int
    own_rate: float
    rate_band: tuple[float, float] | None = None


class _Curve(NamedTuple):
    """Energies at the asked rates [J], that of the non-spiking network, and the rate at which the two cross."""

    spiking: FloatArray
    other: float
    rate: float


@dataclass(frozen=True, eq=False)
class _Pair:
    """A spiking network with one design, of which every neuron that fires does so equally more, and its equivalent."""

    network: Workload
    design: Designs
    dense: Workload

    @property
    def fires(self) -> float:
        """Spikes per inference as measured."""
        return float(self.network.columns["lif_spikes"].sum())

    @property
    def neurons(self) -> float:
        """Neuron updates per inference: the most that may fire."""
        return float(self.network.columns["neurons"].sum()) * self.network.time_steps

    def spiking(self, chips: Sequence[Hardware], rates: Sequence[float] | FloatArray) -> FloatArray:
        """Energy on each of H chips at the rates (n,), (H, n) [J]."""
        scale = self.neurons / self.fires
        each = [at_rate(self.network, self.network.activity, float(rate) * scale) for rate in rates]
        batch = Activity(*(np.stack([getattr(a, name) for a in each]) for name in ("spikes", "lif_spikes", "synops")))
        designs = replace(self.design, spikes=batch, names=())
        return Candidates.of(self.network, designs).costs_on(chips).energy_j

    def curves(self, chips: Sequence[Hardware], rates: Sequence[float], search: tuple[int, int]) -> list[_Curve]:
        """Both energies on each of H chips, and where they cross."""
        other = Candidates.of(self.dense, self.design.weight_bits).costs_on(chips).energy_j[:, 0]
        points, rounds = search
        ends = np.tile([_LEAST, 1.0], (len(chips), 1))
        for _ in range(rounds):
            ends = self._nearer(chips, ends, other, points)
        found = zip(self.spiking(chips, rates), other.tolist(), ends, strict=True)
        return [_Curve(spiking, dense, float((low + high) / 2)) for spiking, dense, (low, high) in found]

    def _nearer(self, chips: Sequence[Hardware], ends: FloatArray, other: FloatArray, points: int) -> FloatArray:
        """The ends (H, 2) between which the energies cross, closer together; chips with the same ends are one batch."""
        found = ends.copy()
        for low, high in np.unique(ends[ends[:, 0] < ends[:, 1]], axis=0):
            same, grid = np.flatnonzero((ends == (low, high)).all(axis=1)), np.linspace(low, high, points)
            wins = self.spiking([chips[place] for place in same.tolist()], grid) < other[same, None]
            found[same] = [_around(grid, np.flatnonzero(row)) for row in wins]
        return found


def _around(grid: FloatArray, wins: NDArray[np.intp]) -> tuple[float, float]:
    """The rates of a grid between which the energies cross: the same twice where spikes need less at none or all."""
    if not len(wins):
        end = 0.0 if grid[0] == _LEAST else float(grid[0])
        return end, end
    last = int(wins[-1])
    return float(grid[last]), float(grid[min(last + 1, len(grid) - 1)])


def crossover(
    workload: Workload,
    hardware: Hardware,
    design: Designs | ArrayLike,
    *,
    rates: Sequence[float] = RATES,
    density: float = 1.0,
    bands: bool = False,
) -> Crossover:
    """The curve of spiking against non-spiking energy over the firing rate, as in Yan et al. (arXiv 2409.08290).

    workload  the layer table with the measured activity: how spikes are spread over the network stays, their number
              changes
    hardware  the chip
    design    one design as for `estimate`
    rates     firing rates of the curve, mean over all neurons and steps, above 0 and at most 1
    density   share of the activations of the non-spiking network that are not zero; the chip skips zeros
    bands     whether the ends of all energies, ratios and of the crossing are added: least and greatest over the
              variations of `stability` but firing rates, which are the axis, and time steps, which are the design's;
              the crossing to 0.1 percentage points

    The non-spiking network has activations of ceil(log2(T + 1)) bits and runs once. No neuron fires more than once per
    step: above the rate at which the first ones do, the others fire as much as asked. Raises CostError for rates and
    densities that cannot be, and for a network that does not fire.
    """
    import pandas as pd

    if not 0 < density <= 1:
        raise CostError(f"density is {density:g}; expected a share of the activations, above 0 and at most 1")
    if wrong := [rate for rate in rates if not 0 < rate <= 1]:
        raise CostError(f"rates: {wrong[0]:g} is not a firing rate; expected above 0 and at most 1")
    network, alone = with_own_activity(workload, Designs.of(design))
    pair = _Pair(network, alone, _thinned(non_spiking(network, dense=True), network, density))
    if not pair.fires:
        raise CostError("no neuron of the layer table fires; there is no firing rate to scale")
    (found,) = pair.curves([hardware], rates, _FINE)
    table = pd.DataFrame({"rate": list(rates), **_columns(found)})
    whole = Crossover(table, found.rate, network.time_steps, pair.fires / pair.neurons)
    if not bands:
        return whole
    others = variations(Candidates.of(network, alone), hardware, 0)
    chips = [each.hardware for each in others if each.name not in ("firing rates", "time steps")]
    every = [found, *pair.curves(chips, rates, _COARSE)]
    for name in _columns(found):
        values = np.stack([np.broadcast_to(_columns(each)[name], len(table)) for each in every])
        head = name.removesuffix("_j")
        table[f"{head}_low"], table[f"{head}_high"] = values.min(axis=0), values.max(axis=0)
    crossings = [each.rate for each in every]
    return replace(whole, rate_band=(min(crossings), max(crossings)))


def _columns(found: _Curve) -> dict[str, FloatArray | float]:
    """The columns of a curve beside the rate."""
    return {"spiking_j": found.spiking, "non_spiking_j": found.other, "ratio": found.spiking / found.other}


def _thinned(dense: Workload, spiking: Workload, density: float) -> Workload:
    """The dense non-spiking network with some activations at zero; the image stays, products of streams thin twice."""
    was_spike = ~spiking.geometry.multibit
    share = np.where(was_spike, density, 1.0)
    column = dense.columns
    changed = {
        "spikes": column["spikes"] * share,
        "synops": column["synops"] * np.where(spiking.geometry.two_streams, share * share, share),
    }
    return replace(dense, columns={**column, **changed})
