"""What a design makes a chip do, layer by layer: the counts behind every joule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from costmodels import dataflows
from costmodels.equations import memory, terms
from costmodels.errors import CostError
from costmodels.estimation.request import request
from costmodels.estimation.row_costs import load_of
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Spikes, Workload

if TYPE_CHECKING:
    import pandas as pd


def actions(
    workload: Workload,
    hardware: Hardware,
    *,
    weight_bits: ArrayLike,
    state_bits: ArrayLike | None = None,
    activation_bits: ArrayLike | None = None,
    time_steps: int | None = None,
    spikes: Spikes | ArrayLike | Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """One design's counts per inference, one row per layer: what energy and latency are computed from.

    Arguments as for `estimate`, for one design.  `synops` are exact; `rate_x_flops` is the literature's count of the
    same layer.  The further columns are those of costmodels.counts.Counts, with the widths they were counted at.
    """
    import pandas as pd

    asked = request(workload, hardware, weight_bits, state_bits, activation_bits, time_steps, spikes, None)
    if asked.designs != 1:
        raise CostError(f"actions are for one design, not {asked.designs}; call it once per design")
    work, activity = asked.workload, asked.activity
    if asked.own_activity:
        activity = Spikes(activity.spikes[0], activity.lif_spikes[0], activity.synops[0])
    bits = np.zeros(work.rows)
    bits[work.weight_rows] = asked.weight_bits[0]
    states = None if asked.state_bits is None else asked.state_bits[0].astype(np.float64)
    load = load_of(work, hardware, bits, states, asked.activation_bits, activity)
    counts = dataflows.load(hardware.dataflow).counts(load, hardware.chip)
    columns = {
        "layer": work.names,
        "stage": work.stages,
        "weight_bits": load.weight_bits,
        "sum_bits": load.sum_bits,
        "state_bits": load.state_bits,
        "spikes": load.spikes,
        "synops": load.synops,
        "rate_x_flops": terms.literature_operations(load),
        "additions": counts.additions,
        "multiplications": counts.multiplications,
        "weight_words": counts.weight_words,
        "sum_words": counts.sum_words,
        "register_bits": counts.register_bits,
        "state_words": counts.state_words,
        "spike_words_read": counts.spike_words_read,
        "spike_words_written": counts.spike_words_written,
        "packets": counts.packets,
        "neuron_steps": counts.neuron_steps,
        "rescales": counts.rescales,
        "stored_weight_bits": memory.stored(load, hardware.chip),
        "buffer_bits": counts.buffer_bits,
    }
    return pd.DataFrame(columns)
