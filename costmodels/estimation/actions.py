"""How often a design makes a chip do each action, row by row: the counts that energy and time follow from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from costmodels import dataflows
from costmodels.equations import memory, terms
from costmodels.estimation.designs import Designs
from costmodels.estimation.loads import held_bits
from costmodels.estimation.request import request
from costmodels.estimation.row_costs import work_of
from costmodels.hardware.hardware import Hardware
from costmodels.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd


def actions(workload: Workload, hardware: Hardware, design: Designs | ArrayLike) -> pd.DataFrame:
    """One design's counts per inference, one row per layer: what energy and latency are computed from.

    workload  the layer table with the measured activity
    hardware  the chip
    design    one design as for `estimate`

    `synops` are exact; `rate_x_flops` is the literature's count of the same layer. The further columns are those of
    costmodels.equations.counts.Counts, with the widths [bit] they were counted at and what one processing element does
    in a cycle.
    """
    import pandas as pd

    asked = request(workload, hardware, Designs.of(design), None)
    rows = asked.only("actions are")
    work, (load, counts, _) = asked.workload, work_of(asked, rows)
    maps = counts.map_bits + np.zeros(work.rows)
    sums = held_bits(work, rows) * counts.stream_copies
    pipelined = dataflows.named(hardware.dataflow).PIPELINED
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
        "operations_per_cycle": load.switching.per_cycle,
        "weight_words": counts.weight_words,
        "sum_words": counts.sum_words,
        "register_bits": counts.register_bits,
        "state_words": counts.state_words + counts.idle_state_words,
        "spike_words_read": counts.spike_words_read,
        "spike_words_written": counts.spike_words_written,
        "packets": counts.packets,
        "neuron_steps": counts.neuron_steps + counts.idle_neuron_steps,
        "rescales": counts.rescales,
        "stream_additions": counts.stream_additions,
        "stream_words": counts.stream_words + counts.stream_state_words,
        "stored_weight_bits": memory.stored(load, hardware.chip),
        "buffer_bits": maps if pipelined else memory.buffers(maps, sums, work.shortcuts),
    }
    return pd.DataFrame({name: np.broadcast_to(np.asarray(values), (work.rows,)) for name, values in columns.items()})
