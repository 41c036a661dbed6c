"""What a design needs in the terms of NeuroBench, the benchmark of neuromorphic algorithms: no chip, no energy.

Yik et al., "The neurobench framework for benchmarking neuromorphic computing algorithms and systems", Nature
Communications 16, 1545 (2025); the definitions are those of the package neurobench 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costmodels.errors import CostError
from costmodels.widths import FLOAT
from costmodels.workload.layer_table import NONZERO
from costmodels.workload.workload import Workload


@dataclass(frozen=True)
class NeuroBench:
    """The metrics of one inference, under the names of NeuroBench.

    Footprint            bytes of weights at their widths, and of the channels' constants at 32 bit
    ConnectionSparsity   share of the weights that are zero
    ActivationSparsity   share of neurons and steps without a spike
    Effective_MACs       operations with inputs that are no spikes, without those with a zero input or a zero weight
    Effective_ACs        the same of spikes
    Dense                operations with every input and weight, inside the borders of the maps
    """

    Footprint: float
    ConnectionSparsity: float
    ActivationSparsity: float
    Effective_MACs: float
    Effective_ACs: float
    Dense: float


def neurobench(workload: Workload, weight_bits: int | Sequence[int] = FLOAT) -> NeuroBench:
    """The metrics of a network at given weight widths.

    workload     the network with its measured activity
    weight_bits  one width for all weight layers, or one for each in network order; 32 is float

    As in NeuroBench, layers with weights count, products of attention do not, and a layer counts in every time step.
    Where weights are zero, their share of a layer stands for the share of its operations. Raises CostError for a number
    of widths that is not that of the weight layers.
    """
    columns, shape = workload.columns, workload.geometry
    rows = np.flatnonzero(shape.has_weights)
    bits = np.asarray(weight_bits, dtype=np.float64)
    if bits.ndim and bits.shape != (len(rows),):
        raise CostError(f"weight_bits: {len(bits)} widths for {len(rows)} weight layers; give one for each")
    weights, nonzero = columns["weights"][rows], columns[NONZERO][rows]
    effective = columns["synops"][rows] * nonzero
    spiking = ~shape.multibit[rows]
    fired = columns["neurons"].sum() * workload.time_steps
    return NeuroBench(
        Footprint=float((weights * bits + columns["channel_constants"][rows] * FLOAT).sum() / 8),
        ConnectionSparsity=float(1 - (weights * nonzero).sum() / weights.sum()),
        ActivationSparsity=float(1 - columns["lif_spikes"].sum() / fired) if fired else 0.0,
        Effective_MACs=float(effective[~spiking].sum()),
        Effective_ACs=float(effective[spiking].sum()),
        Dense=float((shape.in_elements * shape.fan_out)[rows].sum() * workload.time_steps),
    )
