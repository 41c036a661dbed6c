"""Whether the neurons of a network work: how often they fire, which never do, and which never stop."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sviT_models.graph.graph import Graph
from sviT_models.graph.layers import as_network, lif_layers
from sviT_models.measure.hooks import batches, evaluating, watching
from sviT_models.network.neuron import Neuron


def spike_health(model: nn.Module | Graph, images: Tensor | Iterable[Tensor]) -> pd.DataFrame:
    """One row per LIF layer: `name, neurons, rate, dead, saturated`, then `rate_1` to `rate_T`, all in [0, 1].

    model  a network, or the graph of one

    `dead` is the share of neurons that fire for no image at no time step, `saturated` of those that fire at every
    step for every image, `rate_t` the spikes per neuron at step t. Where neurons have levels up to D, level k counts as
    a spike in the first k of D steps. `images` as in `profile`; raises ModelError.
    """
    network, names, firing = as_network(model), lif_layers(model), FiringCount()

    def see(name: str, _: Tensor, out: Tensor) -> None:
        neuron = network.get_submodule(name)
        assert isinstance(neuron, Neuron)
        firing.add(name, neuron.trains(out))

    with evaluating(network), watching(network, names, see):
        for batch in batches(network, images):
            network(batch)
    return firing.table(names)


class FiringCount:
    """Which neurons of every LIF layer have fired, have rested, and how often they fired, over batches of images."""

    def __init__(self) -> None:
        self._fired: dict[str, Tensor] = {}  # per neuron: whether it ever has
        self._rested: dict[str, Tensor] = {}
        self._spikes: dict[str, np.ndarray] = {}  # per time step
        self._images: dict[str, int] = {}

    def add(self, name: str, spikes: Tensor) -> None:
        """Count the spikes (T, B, ...) of a LIF layer on a batch of B images."""
        fires = (spikes != 0).flatten(2)  # (T, B, neurons)
        active, idle = fires.flatten(0, 1).any(0), (~fires).flatten(0, 1).any(0)
        self._fired[name] = torch.logical_or(self._fired.get(name, active), active)
        self._rested[name] = torch.logical_or(self._rested.get(name, idle), idle)
        self._spikes[name] = self._spikes.get(name, 0) + fires.flatten(1).sum(1).numpy(force=True)
        self._images[name] = self._images.get(name, 0) + fires.shape[1]

    def table(self, names: Iterable[str]) -> pd.DataFrame:
        """One row per LIF layer of `names`, with the columns of `spike_health`."""
        names = list(names)
        neurons = [self._fired[name].numel() for name in names]
        rates = np.array([self._spikes[n] / (count * self._images[n]) for n, count in zip(names, neurons, strict=True)])
        return pd.DataFrame(
            {
                "name": names,
                "neurons": neurons,
                "rate": rates.mean(1),  # (layers, T)
                "dead": [1 - self._fired[name].double().mean().item() for name in names],
                "saturated": [1 - self._rested[name].double().mean().item() for name in names],
                **{f"rate_{step}": rate for step, rate in enumerate(rates.T, start=1)},
            }
        )
