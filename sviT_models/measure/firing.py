"""Whether the neurons of a network work: how often they fire, which never do, and which never stop."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sviT_models.measure.hooks import batches, evaluating, watching
from sviT_models.network.meta_spikeformer import MetaSpikeFormer, lif_layers


def spike_health(model: MetaSpikeFormer, images: Tensor | Iterable[Tensor]) -> pd.DataFrame:
    """One row per LIF layer: `name, neurons, rate, dead, saturated`, then `rate_1` to `rate_T`, all in [0, 1].

    `dead` is the share of neurons that fire for no image at no time step, `saturated` of those that fire at every
    step for every image, `rate_t` the spikes per neuron at step t. `images` as in `profile`; raises ModelError.
    """
    names = lif_layers(model)
    fired: dict[str, Tensor] = {}  # per neuron: whether it ever has
    rested: dict[str, Tensor] = {}
    spikes: dict[str, np.ndarray] = {}
    total = 0

    def note(name: str, _: Tensor, out: Tensor) -> None:
        fires = (out != 0).flatten(2)  # (T, B, neurons)
        active, idle = fires.flatten(0, 1).any(0), (~fires).flatten(0, 1).any(0)
        fired[name] = torch.logical_or(fired.get(name, active), active)
        rested[name] = torch.logical_or(rested.get(name, idle), idle)
        spikes[name] = spikes.get(name, 0) + fires.flatten(1).sum(1).numpy(force=True)

    with evaluating(model), watching(model, names, note):
        for batch in batches(model, images):
            model(batch)
            total += len(batch)
    rates = np.array([spikes[name] / (fired[name].numel() * total) for name in names])  # (layers, T)
    return pd.DataFrame(
        {
            "name": names,
            "neurons": [fired[name].numel() for name in names],
            "rate": rates.mean(1),
            "dead": [1 - fired[name].double().mean().item() for name in names],
            "saturated": [1 - rested[name].double().mean().item() for name in names],
            **{f"rate_{step}": rate for step, rate in enumerate(rates.T, start=1)},
        }
    )
