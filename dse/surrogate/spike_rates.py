"""Spike rates of designs that were not evaluated, learned from those that were.

Narrow weights and membrane potentials change how often neurons fire, so that the float network's spikes mislead about
energy. Per LIF layer, the logarithm of spikes per time step is regressed on a few features of the design: mean width
and predicted harm of everything before the layer, width of membrane potentials, time steps, the form.
The ridge prior is no dependence; the intercept is free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dse.arrays import FloatArray, IntArray
from dse.problem.space import Space

LEAST_DESIGNS = 6  # fewer say nothing about five coefficients: the float network's spikes stand in
RIDGE = 0.1  # precision of a coefficient's prior, in units of one measurement
BEYOND = np.log(1.5)  # how far a prediction may leave the range that was measured


@dataclass(frozen=True)
class Rates:
    """Fitted spikes of every LIF layer: coefficients (L, F), and the measured range of the logarithms, each (L,)."""

    features: Features
    coefficients: FloatArray
    low: FloatArray
    high: FloatArray

    def spikes(self, levels: IntArray) -> FloatArray:
        """Spikes per image of designs (N, D), (N, L)."""
        log = np.einsum("nlf,lf->nl", self.features(levels), self.coefficients)
        steps = self.features.space.steps(levels)[:, None]
        rates = np.exp(np.clip(log, self.low - BEYOND, self.high + BEYOND))
        return np.asarray(np.minimum(rates, self.features.neurons) * steps)


@dataclass(frozen=True)
class Features:
    """What a layer's rate may depend on.

    `harm` (D, B) is the predicted harm of every choice; `lif_layers` name the layers in the order of the spikes, and
    `neurons` (L,) is how many each has, which is the most that it can fire per time step.
    """

    space: Space
    harm: FloatArray
    lif_layers: tuple[str, ...]
    neurons: FloatArray

    def __call__(self, levels: IntArray) -> FloatArray:
        """Features of designs (N, D), (N, L, 5); about 0 for a wide design and 1 for a narrow one.

        Where streams or sums between layers are searched, another says how narrow they are; where forms are, one tells
        them apart.
        """
        space = self.space
        levels = np.asarray(levels).reshape(-1, len(space.dimensions))
        values = space.values(levels).astype(float)
        kinds = np.array([d.kind for d in space.dimensions])
        weights = np.flatnonzero(kinds == "weight")
        narrow = 1 - values[:, weights] / values[:, weights].max(initial=8.0)
        rows = np.arange(len(space.dimensions))
        harm = np.where(np.isfinite(self.harm), self.harm, 0.0)
        scale = max(float(harm[weights].max(axis=1).sum()), 1e-300)
        hurt = harm[rows, levels][:, weights] / scale
        count = np.array([max(int((weights < end).sum()), 1) for end in self._ends])
        width = np.cumsum(narrow, axis=1)[:, count - 1] / count
        upstream = np.sqrt(np.cumsum(hurt, axis=1)[:, count - 1])
        state = 1 - values[:, kinds == "state"] / 16.0
        stated = state.mean(axis=1) if state.shape[1] else np.zeros(len(levels))
        steps = np.log(space.steps(levels) / max(space.step_choices))
        shape = (len(levels), len(self.lif_layers))
        form = [values[:, i] for i in np.flatnonzero(kinds == "form")]
        numbers = np.isin(kinds, ("stream", "between"))
        if numbers.any():
            form.append((1 - values[:, numbers] / 16.0).mean(axis=1))
        common = [np.broadcast_to(c[:, None], shape) for c in (np.ones(len(levels)), stated, steps, *form)]
        return np.stack([common[0], width, upstream, *common[1:]], axis=-1)

    @property
    def _ends(self) -> list[int]:
        """Per LIF layer the number of dimensions up to the end of its block."""
        blocks = [d.block for d in self.space.dimensions]
        ends, last = [], 0
        for name in self.lif_layers:
            mine = [i + 1 for i, block in enumerate(blocks) if block and f"{name}.".startswith(f"{block}.")]
            last = max([last, *mine])
            ends.append(last)
        return ends


def fit_rates(features: Features, levels: IntArray, spikes: FloatArray) -> Rates | None:
    """Rates from measured designs (N, D) with their spikes per image (N, L); None from too few designs.

    Ridge regression, closed form.
    """
    if len(levels) < LEAST_DESIGNS:
        return None
    steps = features.space.steps(levels)[:, None]
    target = np.log((np.asarray(spikes, dtype=float) + 1e-3) / steps)  # (N, L)
    x = features(levels)
    size = x.shape[-1]
    prior = RIDGE * np.eye(size)
    prior[0, 0] = 1e-9
    normal = np.einsum("nlf,nlg->lfg", x, x) + prior
    moment = np.einsum("nlf,nl->lf", x, target)
    found = np.linalg.solve(normal, moment[..., None])[..., 0]
    return Rates(features, found, target.min(axis=0), target.max(axis=0))


def spike_rows(records: Sequence[Sequence[float] | None], layers: int) -> FloatArray:
    """Recorded spikes as (N, layers), NaN in the rows of designs without."""
    out = np.full((len(records), layers), np.nan)
    for row, record in zip(out, records, strict=True):
        if record is not None and len(record) == layers:
            row[:] = record
    return out
